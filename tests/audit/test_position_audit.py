"""position_audit on a lake: the same bytes whatever comes when, only what changed made again, alerts told once."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.audit.flights import BEGIN, BEGIN_US, SECOND_US, ephemeris_files, geodetic, joined, polled
from tests.audit.patterns import line, put
from tests.positions.published import derived, put_closed, put_live
from tests.test_alerts import Channels

from orbitlake.alerts import Board
from orbitlake.audit import fix_days, position_audit, update
from orbitlake.audit.conditions import feed_conditions
from orbitlake.audit.fix_errors import Fixes
from orbitlake.audit.position_audit import update_position_audit
from orbitlake.lake import Lake
from orbitlake.lake.derived import publish_news
from orbitlake.lake.parquet import check_file
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.query import connect
from orbitlake.settings import from_environment
from orbitlake.tables import GAPS, POSITION_AUDIT, POSITIONS

ISS = "1998-067A"
ONE_DAY = timedelta(days=1)
DAYS = [BEGIN + number * ONE_DAY for number in range(4)]
DAY_S = 86_400.0
STALE_S = ((2 * DAY_S - 900.0, 2 * DAY_S + 900.0), (3 * DAY_S - 900.0, 3 * DAY_S - 90.0))
"""A feed that is 40 s behind over a midnight, and until a minute before another, which clears it after that one."""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """The issues of Friday before, Monday and Wednesday."""
    return ephemeris_files(tmp_path_factory.mktemp("issues"), (-3, 0, 2))


@pytest.fixture(scope="module")
def fixes() -> Fixes:
    """A fix a minute for four days, and some of a minute each five seconds where the feed is stale."""
    minutes = np.arange(0.0, 4 * DAY_S, 60.0) + 0.4
    is_stale = np.any([(minutes >= begin_s) & (minutes < end_s) for begin_s, end_s in STALE_S], axis=0)
    return joined(polled(minutes[~is_stale]), polled(minutes[is_stale], lag_s=40.0))


def rows_of(fixes: Fixes, source: str = "open_notify") -> list[dict]:
    names = ("event_time", "fetch_time", "latitude_deg", "longitude_deg")
    columns = (fixes.event_us, fixes.fetch_us, fixes.latitude_deg, fixes.longitude_deg)
    base = {"object_id": ISS, "source": source, "altitude_km": None}
    times = [[value.item() for value in column.astype("datetime64[us]")] for column in columns[:2]]
    return [
        base | dict(zip(names, each, strict=True))
        for each in zip(*times, *(c.tolist() for c in columns[2:]), strict=True)
    ]


def of_day(fixes: Fixes, number: int) -> Fixes:
    day = (fixes.event_us - BEGIN_US) // (round(DAY_S) * SECOND_US)
    return fixes.take(np.flatnonzero(day == number))


def close(lake: Lake, fixes: Fixes, number: int) -> None:
    put_closed(lake, POSITIONS, DAYS[number], derived(rows_of(of_day(fixes, number)))[POSITIONS])


def ingest(lake: Lake, file: Path) -> None:
    (outcome,) = ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))
    assert outcome["outcome"] == "ingested", outcome


def contents(lake: Lake) -> dict[str, bytes]:
    return {file.parent.name: file.read_bytes() for file in sorted(lake.closed(POSITION_AUDIT).rglob("*.parquet"))}


def read(lake: Lake) -> list[dict]:
    return [
        row
        for file in sorted(lake.closed(POSITION_AUDIT).rglob("*.parquet"))
        for row in pq.read_table(file).to_pylist()
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, files, fixes) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("whole") / "data")
    for file in files:
        ingest(lake, file)
    for number in range(4):
        close(lake, fixes, number)
    update_position_audit(lake)
    return lake


def test_there_is_a_row_a_fix_and_a_trouble_about_midnight_has_one_begin_and_one_end(whole, fixes):
    rows = read(whole)
    verdicts = [row["verdict"] for row in rows]
    changes = [
        (rows[place]["event_time"], verdicts[place])
        for place in range(1, len(rows))
        if verdicts[place] != verdicts[place - 1]
    ]

    assert len(rows) == fixes.event_us.size
    assert [verdict for _, verdict in changes] == ["STALE", "OK", "STALE", "OK"]
    assert [at.date() for at, _ in changes] == [DAYS[1], DAYS[2], DAYS[2], DAYS[3]]
    for file in whole.closed(POSITION_AUDIT).rglob("*.parquet"):
        check_file(file, POSITION_AUDIT)
    query = "SELECT verdict, count(*) FROM position_audit GROUP BY verdict ORDER BY verdict"
    assert dict(connect(whole.root).sql(query).fetchall()) == {v: verdicts.count(v) for v in ("OK", "STALE")}


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_issues_and_days_gives_the_same_bytes(lake, files, fixes, whole, seed):
    steps = [*(("issue", file) for file in files), *(("day", number) for number in range(4))]
    random.Random(seed).shuffle(steps)
    for kind, what in steps:
        if kind == "issue":
            ingest(lake, what)
        else:
            # First a part of the day, as it was live.
            rows = derived(rows_of(of_day(fixes, what)))[POSITIONS]
            put_live(lake, POSITIONS, rows.slice(0, 30))
            update_position_audit(lake)
            close(lake, fixes, what)
        update_position_audit(lake)

    assert contents(lake) == contents(whole)


def test_without_news_nothing_is_judged_and_nothing_rewritten(whole, monkeypatch):
    monkeypatch.setattr(position_audit, "judge_day", lambda *_: pytest.fail("a day was judged"))

    again = update_position_audit(whole)

    assert (again.written, again.unchanged, again.removed) == (0, 4, 0)


def test_made_anew_from_nothing_it_is_the_same(whole):
    before = {file: file.stat().st_ino for file in whole.closed(POSITION_AUDIT).rglob("*.parquet")}

    assert update_position_audit(whole, everything=True).written == 0
    for note in (whole.checkpoints / "audit_positions").glob("position_audit*.json"):
        note.unlink()
    assert update_position_audit(whole).written == 0
    assert {file: file.stat().st_ino for file in before} == before


def test_a_new_issue_or_a_late_fix_touches_its_days_alone(lake, files, fixes, monkeypatch):
    for file in files[:2]:
        ingest(lake, file)
    for number in range(4):
        close(lake, fixes, number)
    update_position_audit(lake)
    judged = []
    judge_day = fix_days.judge_day

    def counted(rows: pa.Table, *others: object) -> object:
        judged.append(rows.column("event_time")[0].as_py().date())
        return judge_day(rows, *others)

    monkeypatch.setattr(position_audit, "judge_day", counted)
    ingest(lake, files[2])
    update_position_audit(lake)
    assert judged == DAYS[2:]

    judged.clear()
    late = joined(of_day(fixes, 0), polled(np.array([1234.0])))
    put_closed(lake, POSITIONS, DAYS[0], derived(rows_of(late))[POSITIONS])
    assert update_position_audit(lake).written == 1
    assert judged == DAYS[:1]


def test_an_answer_that_stands_still_to_the_letter_is_frozen_by_its_gap(lake, files):
    ingest(lake, files[0])
    fixes = polled(np.array([100.0, 105.0, 110.0, 1000.0, 1005.0]))
    put_closed(lake, POSITIONS, DAYS[0], derived(rows_of(fixes))[POSITIONS])
    gap = {
        "object_id": ISS,
        "source": "open_notify",
        "start_time": int(fixes.fetch_us[2]),
        "end_time": int(fixes.fetch_us[3]),
        "duration_s": 890.0,
        "cause": "frozen",
        "cause_s": 890.0,
        "polls_made": 177,
        "interval_s": 5.0,
        "creation_date": None,
    }
    for lasting_s, cause, verdict in ((890.0, "frozen", "FROZEN"), (20.0, "frozen", "OK"), (890.0, "timeout", "OK")):
        rows = pa.table(
            {name: pa.array([value]) for name, value in (gap | {"duration_s": lasting_s, "cause": cause}).items()}
        )
        publish_news(lake, GAPS, rows, lake.day(GAPS, DAYS[0]))
        update_position_audit(lake)

        assert [row["verdict"] for row in read(lake)] == ["OK", "OK", verdict, "OK", "OK"]


def test_raw_polls_that_repeat_one_answer_are_frozen_within_a_minute_and_cleared_once(lake, files):
    """No row of positions tells of it: the feed's newest fix is right, and it stays the newest."""
    ingest(lake, files[0])
    channels, told = Channels(), {}
    seconds = np.arange(600.0, 1500.0, 5.0) + 0.3
    good = rows_of(polled(seconds))
    still_s = 900.0
    for until_s in (still_s, still_s + 25, still_s + 55, still_s + 300, still_s + 320):
        # It stands still for five minutes, and goes on.
        answers = [
            row if not still_s < second < still_s + 300 else good[int(np.searchsorted(seconds, still_s)) - 1]
            for row, second in zip(good, seconds.tolist(), strict=True)
            if second < until_s
        ]
        polls = [
            line(good[number]["fetch_time"].replace(tzinfo=UTC), latitude=row["latitude_deg"],
                 longitude=row["longitude_deg"], timestamp=int(row["event_time"].replace(tzinfo=UTC).timestamp()))
            for number, row in enumerate(answers)
        ]  # fmt: skip
        put(lake, {f"date={BEGIN}/{BEGIN:%Y%m%d}T000000.000000Z-c0ffee00.jsonl": b"".join(polls)})
        distinct = list({row["event_time"]: row for row in answers}.values())
        put_closed(lake, POSITIONS, DAYS[0], derived(distinct)[POSITIONS])
        now = datetime(BEGIN.year, BEGIN.month, BEGIN.day, tzinfo=UTC) + timedelta(seconds=until_s)
        update(lake, ISS, now)
        update_position_audit(lake)
        told[until_s - still_s] = tell(lake, channels)

    name = f"audit-frozen-open_notify-{ISS}"
    assert told == {0: [], 25: [], 55: [(name, False)], 300: [], 320: [(name, True)]}


def test_a_lake_without_issues_or_without_fixes_has_no_table(lake, files, fixes):
    close(lake, fixes, 0)
    assert update_position_audit(lake).written == 0
    assert contents(lake) == {}

    ingest(lake, files[0])
    assert update_position_audit(lake).written == 1


def test_fixes_of_other_objects_and_of_days_without_an_issue_are_left_out(lake, files):
    ingest(lake, files[0])
    rows = rows_of(polled(np.array([100.0])))
    rows += [row | {"object_id": "2021-035A"} for row in rows]
    put_closed(lake, POSITIONS, DAYS[0], derived(rows)[POSITIONS])
    later = derived(rows_of(polled(np.array([40 * DAY_S]))))[POSITIONS]
    put_closed(lake, POSITIONS, BEGIN + 40 * ONE_DAY, later)
    update_position_audit(lake)

    assert [row["object_id"] for row in read(lake)] == [ISS]


def tell(lake: Lake, channels: Channels) -> list[tuple[str, bool]]:
    """Bring the alerts up to date twice, as two tries of a task do; return what was told anew."""
    before = len(channels.told)
    for _ in range(2):
        board = Board(lake, ("log",), channels)
        for condition in feed_conditions(lake, [alert.name for alert in board.standing()]):
            board.heed(condition)
        board.settle_all()
    return [(name, is_over) for _, name, is_over in channels.told[before:]]


def test_a_verdict_raises_one_alert_with_the_size_of_the_error_and_clears_it_once(lake, files):
    ingest(lake, files[0])
    channels, told = Channels(), []
    parts = [
        polled(np.arange(0.0, 600.0, 5.0)),
        polled(np.arange(600.0, 1200.0, 5.0), lag_s=40.0),
        geodetic(polled(np.arange(1200.0, 1800.0, 5.0), lag_s=40.0)),
        polled(np.arange(1800.0, 2400.0, 5.0)),
    ]
    texts = []
    for count in range(1, 5):
        put_closed(lake, POSITIONS, DAYS[0], derived(rows_of(joined(*parts[:count])))[POSITIONS])
        update_position_audit(lake)
        told.append(tell(lake, channels))
        texts += [alert.text for alert in Board(lake, (), channels).standing()]

    stale, offset = (f"audit-{verdict}-open_notify-{ISS}" for verdict in ("stale", "offset"))
    assert told == [[], [(stale, False)], [(stale, True), (offset, False)], [(offset, True)]]
    assert "as old elements are: 2" in texts[0]
    assert "km (39 s) behind along the track" in texts[0]
    assert "off the track" in texts[1]


def test_an_alert_of_a_feed_that_is_gone_is_over(lake, files):
    ingest(lake, files[0])
    channels = Channels()
    late = derived(rows_of(polled(np.arange(0.0, 600.0, 5.0), lag_s=40.0), "another"))[POSITIONS]
    put_closed(lake, POSITIONS, DAYS[0], late)
    update_position_audit(lake)
    assert tell(lake, channels) == [(f"audit-stale-another-{ISS}", False)]

    for number in (1, 2):
        put_closed(lake, POSITIONS, DAYS[number], derived(rows_of(polled(np.array([number * DAY_S + 60]))))[POSITIONS])
    update_position_audit(lake)
    assert tell(lake, channels) == [(f"audit-stale-another-{ISS}", True)]


def test_states_that_cannot_be_read_are_made_again(whole):
    note = position_audit.note_of(whole).with_suffix(".states.json")
    known = json.loads(note.read_bytes())
    note.write_bytes(b"{")

    assert update_position_audit(whole).written == 0
    assert json.loads(note.read_bytes()) == known
