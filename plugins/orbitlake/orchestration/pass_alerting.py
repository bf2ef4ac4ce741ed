"""What the task of alert_passes does: tells of what is due, and keeps Home Assistant up to date."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orbitlake.orchestration.alerting import board
from orbitlake.orchestration.channels import Letter, send
from orbitlake.orchestration.outcomes import counted, note

# The lake brings Arrow along, which no DAG needs while it is parsed: imported where it is used.
if TYPE_CHECKING:
    from orbitlake.alerts import Condition
    from orbitlake.lake import Lake
    from orbitlake.pass_alerts import Message, Timetable
    from orbitlake.passes import Places
    from orbitlake.settings import Settings

LOG: Final = logging.getLogger(__name__)
FOLLOWS_WITHIN: Final = timedelta(minutes=30)
"""So long after an issue has arrived predict_passes must have followed it."""
PUBLISHED: Final = "home-assistant"
"""Under this name the topics are noted that were published."""


def alert_passes(context: Any) -> dict[str, Any]:
    """Tell what is due by the rules of the file of places, publish next passes, and return what was told.

    Raises ChannelError where a channel took nothing: the next run tries again. Raises AirflowFailException where the
    file of places cannot be used.
    """
    from orbitlake.alerts import ChannelError
    from orbitlake.lake import Lake
    from orbitlake.orchestration.predictions import places_of_settings
    from orbitlake.pass_alerts import Teller, timetable_of
    from orbitlake.pass_alerts.notices import notes_of
    from orbitlake.settings import from_environment

    settings, places = from_environment(), places_of_settings()
    lake, now = Lake(settings.data), datetime.now(UTC)
    timetable = timetable_of(lake, places, object_names(lake), now)
    done = Teller(notes_of(lake), settings.alerts, tell).heed(places.alerts, timetable, now)
    if context["params"]["test"] == "yes":
        done.failures += test_rules(places, settings.alerts, timetable, now)
    for line in done.told:
        # What the log is told stands in it already.
        if not line.startswith("log: "):
            print(line, flush=True)
    for line in done.late:
        LOG.warning("too late: %s", line)
    if places.alerts or settings.mqtt_url:
        # What a channel does not take now is told by watch_freshness.
        with suppress(ChannelError):
            board().heed(behind(settings, lake, now), now)
    if settings.mqtt_url:
        try:
            publish_next_passes(settings, lake, places, timetable, now)
        except ChannelError as error:
            done.failures.append(f"mqtt: {error}")
    if done.told or done.late or done.failures:
        note(context, "; ".join((*done.failures, *(f"too late: {line}" for line in done.late), *done.told)))
    if done.failures:
        raise ChannelError("; ".join(done.failures))
    print(f"{counted(len(places.alerts), 'rule')}, {counted(len(done.told), 'message')}", flush=True)
    return {"told": done.told, "late": done.late}


def tell(channel: str, message: "Message") -> None:
    """Give a message to a channel. Raises ChannelError."""
    from orbitlake.pass_alerts.home_assistant import event_body, event_topic

    send(channel, Letter(message.text, event_body(message), logging.INFO, event_topic(message)))


def test_rules(places: "Places", channels: Sequence[str], timetable: "Timetable", now: datetime) -> list[str]:
    """Send the alert of each rule's next pass now, as a test; return which channel did not take it."""
    from orbitlake.alerts import ChannelError
    from orbitlake.pass_alerts.messages import test_of

    failures = []
    for rule in places.alerts:
        following = next((each for each in timetable.coming if each.begin > now and each.fits(rule)), None)
        print(f"test of {rule.name}: {'' if following else 'no pass is coming'}", flush=True)
        if following is None:
            continue
        for channel in rule.channels or channels:
            try:
                tell(channel, test_of(rule.name, following, now))
            except ChannelError as error:
                failures.append(f"test of {rule.name}: {channel}: {error}")
    return failures


def publish_next_passes(
    settings: "Settings", lake: "Lake", places: "Places", timetable: "Timetable", now: datetime
) -> None:
    """Publish the next passes of each site; what was published before and is no more is withdrawn.

    Raises ChannelError where the broker does not take it.
    """
    from orbitlake.lake.json_folder import JsonFolder
    from orbitlake.mqtt import publish
    from orbitlake.pass_alerts.home_assistant import OFFLINE, availability, published, withdrawn

    notes = JsonFolder(lake.checkpoints / "alert_passes", lake.staging)
    before = set((notes.read(PUBLISHED) or {}).get("topics", []))
    publications = published(settings, places, timetable, now)
    topics = {each.topic for each in publications if each.is_retained}
    if not topics <= before:
        # Before they are there: one killed in between must not leave what nobody withdraws.
        notes.write(PUBLISHED, {"topics": sorted(before | topics)})
    publish(settings, [*publications, *withdrawn(sorted(before - topics), settings)], availability(settings, OFFLINE))
    if before - topics:
        notes.write(PUBLISHED, {"topics": sorted(topics)})


def behind(settings: "Settings", lake: "Lake", now: datetime) -> "Condition":
    """Return whether passes still follow from an older issue than the newest, though that one is here for long."""
    from orbitlake.alerts import Condition
    from orbitlake.freshness import issue_files
    from orbitlake.passes.pass_tables import note_of_table
    from orbitlake.tables import PASSES

    newest = max(issue_files(lake, settings.object_id), default=None)
    arrived = newest.stat().st_mtime if newest else None
    note_file = note_of_table(lake, PASSES)
    followed = note_file.stat().st_mtime if note_file.exists() else 0.0
    is_wrong = arrived is not None and followed < arrived < (now - FOLLOWS_WITHIN).timestamp()
    held = f"{newest.parent.name} is here for more than {FOLLOWS_WITHIN.seconds // 60} min" if newest else ""
    text = f"{held}, and passes do not follow from it" if is_wrong else "passes follow from the newest issue"
    return Condition("passes-behind", text, is_wrong, "a success of predict_passes")


def object_names(lake: "Lake") -> Mapping[str, str]:
    """Return what the newest issue of each object calls it."""
    import pyarrow as pa

    from orbitlake.lake.errors import LakeError
    from orbitlake.lake.parquet import open_checked
    from orbitlake.lake.paths import PART
    from orbitlake.tables import OEM_ISSUES

    names = {}
    for folder in sorted(lake.closed(OEM_ISSUES).glob("object_id=*")):
        # A name is worth no failure: without it the designator stands.
        with suppress(LakeError, OSError, IndexError, pa.ArrowInvalid):
            newest = sorted(folder.glob(f"issue=*/{PART}"))[-1]
            with open_checked(newest, OEM_ISSUES, at_once=True) as opened:
                row = opened.read(["object_id", "object_name"]).to_pylist()[0]
            names[row["object_id"]] = row["object_name"]
    return names
