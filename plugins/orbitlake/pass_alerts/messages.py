"""What is told, in plain words and as JSON: a pass some minutes before, or that it moved or is cancelled after all."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from orbitlake.pass_alerts.coming import Coming, instant

WINDS: Final = (
    *("north", "north-northeast", "northeast", "east-northeast", "east", "east-southeast", "southeast"),
    *("south-southeast", "south", "south-southwest", "southwest", "west-southwest", "west", "west-northwest"),
    *("northwest", "north-northwest"),
)
ALERT, MOVED, CANCELLED, TEST = "alert", "moved", "cancelled", "test"


@dataclass(frozen=True, slots=True)
class Message:
    """A text for a person and facts for a program; one message has one id, however often it is sent."""

    id: str
    kind: str
    text: str
    facts: Mapping[str, Any]


def message_id(rule: str, what: Coming, *, is_correction: bool = False) -> str:
    """Return the id of the alert of a rule for a pass, or of the correction that follows it: 32 hexadecimal digits."""
    parts = (rule, what.object_id, what.kind.table.name, what.place, what.identity, "correction" * is_correction)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def alert(rule: str, what: Coming, now: datetime) -> Message:
    """Return what is told before a pass or an approach."""
    text = f"{what_and_when(what, now)} {_ahead(what.begin - now)}: {_described(what)}"
    return Message(message_id(rule, what), ALERT, text, _facts(rule, what))


def test_of(rule: str, what: Coming, now: datetime) -> Message:
    """Return the alert of a pass as a test, another one at each time."""
    sent = alert(rule, what, now)
    return Message(f"test-{now:%Y%m%dT%H%M%S}-{sent.id}"[:48], TEST, f"test: {sent.text}", sent.facts)


def correction(rule: str, told: Coming, what: Coming, now: datetime) -> Message:
    """Return what is told once of a pass that was told, and is cancelled or begins at another time after all."""
    identity = message_id(rule, told, is_correction=True)
    facts = _facts(rule, what) | {"told_begin_time": told.begin.isoformat()}
    if what.is_cancelled:
        text = f"correction: {what_and_when(told, now)} is cancelled: the newest ephemeris has it no more"
        return Message(identity, CANCELLED, text, facts)
    shift = what.begin - told.begin
    way = "later" if shift > timedelta(0) else "earlier"
    text = (
        f"correction: {what_and_when(what, now)} {_ahead(what.begin - now)}, {_span(abs(shift))} {way} than told: "
        f"{_described(what)}"
    )
    return Message(identity, MOVED, text, facts)


def _facts(rule: str, what: Coming) -> dict[str, Any]:
    return {"rule": rule, "object_name": what.object_name, "begin_time": what.begin.isoformat(), **what.facts}


def what_and_when(what: Coming, now: datetime) -> str:
    """Return which pass it is, with its begin in the time of its site, and the day where it is not today."""
    near = "over" if what.is_site else "near"
    zone = ZoneInfo(what.time_zone)
    begin = what.begin.astimezone(zone)
    day = "" if begin.date() == now.astimezone(zone).date() else f"{begin:%A %Y-%m-%d} "
    return f"{what.object_name} {near} {what.place} at {day}{begin:%H:%M:%S} ({begin:%Z})"


def _ahead(span: timedelta) -> str:
    if span <= timedelta(0):
        return "now"
    minutes = round(span.total_seconds() / 60)
    if minutes >= 120:
        return f"in {minutes // 60} h {minutes % 60} min"
    return f"in {minutes} {'minute' if minutes == 1 else 'minutes'}" if minutes else "in less than a minute"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _described(what: Coming) -> str:
    facts, zone = what.facts, ZoneInfo(what.time_zone)
    sure = "" if facts["time_p90_s"] is None else f", +-{max(facts['time_p90_s'], 1):.0f} s"
    if not what.is_site:
        return f"nearest at {_clock(facts['closest_time'], zone)}, {facts['distance_km']:.0f} km away{sure}"
    return (
        f"rises in the {_wind(facts['rise_azimuth_deg'])}, up to {facts['max_elevation_deg']:.0f}° in the "
        f"{_wind(facts['culmination_azimuth_deg'])}, {_seen(facts, what, zone)}{sure}"
    )


def _seen(facts: Mapping[str, Any], what: Coming, zone: ZoneInfo) -> str:
    if not what.is_visible:
        return "not visible"
    bright = "" if facts["magnitude"] is None else f", magnitude {facts['magnitude']:.1f}"
    since, until = instant(facts["visible_from"]), _clock(facts["visible_until"], zone)
    late = "" if since <= what.begin + timedelta(seconds=5) else f"from {since.astimezone(zone):%H:%M:%S} "
    return f"visible {late}until {until}{bright}"


def _clock(text: str, zone: ZoneInfo) -> str:
    return f"{instant(text).astimezone(zone):%H:%M:%S}"


def _wind(azimuth_deg: float) -> str:
    return WINDS[round(azimuth_deg / 22.5) % 16]
