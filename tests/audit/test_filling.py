"""positions_filled: the polls that a gap has room for, where an issue says the position; gaps say which issue."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.audit.gaps import gaps_of, rows_of
from tests.audit.patterns import ISS, line, published, put
from tests.trajectory.circles import file_of, on_a_circle

from orbitlake.audit import fill, update
from orbitlake.lake import Lake
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.physics.frames import itrs_from
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.settings import from_environment
from orbitlake.tables import POSITIONS_FILLED
from orbitlake.trajectory.audit_tables import update_prediction_bands, update_prediction_error, update_trajectory

START = datetime(2023, 3, 24, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def ingest(lake: Lake, name: str, *span_h: float) -> None:
    """Ingest a circle created, beginning and ending so many hours after START."""
    file = lake.root.parent / f"{name}.oem"
    file.write_bytes(file_of(*span_h))
    (outcome,) = ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))
    assert outcome["outcome"] == "ingested", outcome


def poll(lake: Lake, begin: datetime, end: datetime, name: str, interval_s: int = 5) -> None:
    """Put polls from `begin` to before `end` into a segment of their day."""
    count = (end - begin) // (interval_s * SECOND)
    lines = b"".join(line(begin + interval_s * number * SECOND) for number in range(count))
    put(lake, {f"date={begin.date()}/{begin:%Y%m%dT%H%M%S}.000000Z-{name}.jsonl": lines})


def filled(lake: Lake, now: datetime | None = None) -> list[dict]:
    """Bring all up to date, by default at the last poll; return the rows of positions_filled."""
    segments = lake.raw_open_notify.rglob("*.jsonl")
    polled = (json.loads(segment.read_bytes().splitlines()[-1])["fetch_time"] for segment in segments)
    update_trajectory(lake)
    update(lake, ISS, now or max(map(datetime.fromisoformat, polled), default=START))
    fill(lake)
    return rows_of(lake, POSITIONS_FILLED)


def files(lake: Lake) -> dict[Path, int]:
    return {file: file.stat().st_ino for file in sorted((lake.root / "lake").rglob("*.parquet"))}


def test_a_gap_is_filled_at_the_feeds_cadence_with_where_the_object_was(lake: Lake):
    ingest(lake, "issue", 0, -2, 30)
    poll(lake, START + HOUR, START + HOUR + 300 * SECOND, "c0ffee00")
    poll(lake, START + HOUR + 401 * SECOND, START + HOUR + 800 * SECOND, "c0ffee01")

    rows = filled(lake)

    times = [START + HOUR + (300 + 5 * number) * SECOND for number in range(20)]
    assert [row["event_time"] for row in rows] == times
    seconds = [(time - START) / SECOND for time in times]
    itrs_km = itrs_from(
        "EME2000",
        np.array([time.replace(tzinfo=None) for time in times], "datetime64[us]"),
        np.array([on_a_circle(second, 0.0)[:3] for second in seconds]),
    )
    latitude_deg, longitude_deg, altitude_km = geodetic_from_itrs(itrs_km)
    found = np.array([[row[name] for name in ("latitude_deg", "longitude_deg", "altitude_km")] for row in rows])
    # Ten centimetres, in degrees and kilometres.
    np.testing.assert_allclose(found[:, :2], np.column_stack((latitude_deg, longitude_deg)), atol=1e-6)
    np.testing.assert_allclose(found[:, 2], altitude_km, atol=1e-4)
    geocentric_deg = np.degrees(np.arcsin(itrs_km[:, 2] / np.linalg.norm(itrs_km, axis=1)))
    np.testing.assert_allclose([row["geocentric_latitude_deg"] for row in rows], geocentric_deg, atol=1e-6)
    assert {row["method"] for row in rows} == {"HERMITE"}
    assert {(row["creation_date"], row["gap_start_time"]) for row in rows} == {(START, START + HOUR + 295 * SECOND)}
    assert [row["age_s"] for row in rows] == seconds
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [START]


def test_an_open_gap_is_filled_once_it_has_ended_and_late_polls_take_their_part_back(lake: Lake):
    ingest(lake, "issue", 0, -2, 30)
    poll(lake, START, START + 300 * SECOND, "c0ffee00")
    assert filled(lake, START + HOUR) == []
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [None]

    poll(lake, START + 600 * SECOND, START + 900 * SECOND, "c0ffee01")
    whole = filled(lake)
    assert len(whole) == 60

    poll(lake, START + 400 * SECOND, START + 500 * SECOND, "1a7e0000")
    left = filled(lake)
    assert [row["event_time"] for row in left] == [
        row["event_time"]
        for row in whole
        if not START + 400 * SECOND <= row["event_time"] < START + 500 * SECOND
    ]  # fmt: skip
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [START, START]


def test_where_no_issue_covers_nothing_is_filled_and_a_gap_covered_in_part_names_no_issue(lake: Lake):
    ingest(lake, "issue", 0, -2, 1)
    poll(lake, START + HOUR - 600 * SECOND, START + HOUR - 300 * SECOND, "c0ffee00")
    poll(lake, START + HOUR + 300 * SECOND, START + HOUR + 600 * SECOND, "c0ffee01")

    rows = filled(lake)

    assert [rows[0]["event_time"], rows[-1]["event_time"]] == [START + HOUR - 300 * SECOND, START + HOUR]
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [None]


def test_a_gap_that_is_covered_at_both_ends_alone_is_filled_there_and_names_no_issue(lake: Lake):
    ingest(lake, "first", 0, -2, 1)
    ingest(lake, "second", 4, 3, 6)
    poll(lake, START, START + 300 * SECOND, "c0ffee00")
    poll(lake, START + 5 * HOUR, START + 5 * HOUR + 300 * SECOND, "c0ffee01")

    times = [row["event_time"] for row in filled(lake)]

    assert not [time for time in times if START + HOUR < time < START + 3 * HOUR]
    assert START + HOUR in times
    assert START + 3 * HOUR in times
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [None]


def test_a_gap_of_days_lies_in_the_files_of_its_days_and_takes_the_newest_issue_at_each_instant(lake: Lake):
    ingest(lake, "first", 0, -2, 20)
    ingest(lake, "second", 8, 10, 40)
    poll(lake, START, START + 300 * SECOND, "c0ffee00")
    poll(lake, START + 31 * HOUR, START + 31 * HOUR + 300 * SECOND, "c0ffee01")

    rows = filled(lake)

    by_issue = {
        created: [row for row in rows if row["creation_date"] == created] for created in (START, START + 8 * HOUR)
    }
    assert sum(map(len, by_issue.values())) == len(rows) == 31 * 720 - 60
    assert by_issue[START][-1]["event_time"] < START + 10 * HOUR <= by_issue[START + 8 * HOUR][0]["event_time"]
    assert [file.parent.name for file in files(lake) if "positions_filled" in str(file)] == [
        f"date=2023-03-{day}" for day in (24, 25, 26)
    ]
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [START + 8 * HOUR]


def test_without_news_nothing_is_written_and_a_new_issue_changes_what_it_covers(lake: Lake):
    ingest(lake, "first", 0, -2, 40)
    for hour in (1, 26):
        poll(lake, START + hour * HOUR, START + hour * HOUR + 300 * SECOND, "c0ffee00")
        poll(lake, START + hour * HOUR + 400 * SECOND, START + hour * HOUR + 700 * SECOND, "c0ffee01")
    filled(lake)
    before = files(lake)
    filled(lake)
    assert files(lake) == before

    ingest(lake, "second", 24, 25, 50)
    rows = filled(lake)
    changed = [file for file, inode in files(lake).items() if before.get(file) != inode]
    assert {file.parent.name for file in changed if "positions_filled" in str(file)} == {"date=2023-03-25"}
    assert {row["creation_date"] for row in rows} == {START, START + 24 * HOUR}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_any_order_of_arrival_gives_the_same_bytes(tmp_path: Path, order):
    def first(lake: Lake) -> None:
        ingest(lake, "first", 0, -2, 30)

    def second(lake: Lake) -> None:
        ingest(lake, "second", 8, 10, 40)

    def polls(lake: Lake) -> None:
        poll(lake, START, START + 300 * SECOND, "c0ffee00")
        poll(lake, START + 20 * HOUR, START + 20 * HOUR + 300 * SECOND, "c0ffee01")

    steps = (first, second, polls)
    at_once, one_by_one = Lake(tmp_path / "at_once"), Lake(tmp_path / "one_by_one")
    for step in steps:
        step(at_once)
    filled(at_once)
    for number in order:
        steps[number](one_by_one)
        filled(one_by_one)

    ours, theirs = (
        {name: content for name, content in published(lake.root).items() if "/gaps/" in name or "filled" in name}
        for lake in (one_by_one, at_once)
    )
    assert len(ours) == 4
    assert ours == theirs


def test_a_predicted_row_says_what_earlier_predictions_kept_to_and_a_flown_one_nothing(lake: Lake):
    for number in range(11):
        ingest(lake, f"issue-{number}", 24 * number, 24 * number - 2, 24 * number + 40)
    poll(lake, START + 239 * HOUR, START + 239 * HOUR + 300 * SECOND, "c0ffee00")
    poll(lake, START + 241 * HOUR, START + 241 * HOUR + 300 * SECOND, "c0ffee01")
    for update_table in (update_prediction_error, update_prediction_bands):
        update_table(lake)

    rows = filled(lake)

    flown, predicted = ([row for row in rows if (row["age_s"] > 0) == is_later] for is_later in (False, True))
    assert {(row["p50_km"], row["p90_km"]) for row in flown} == {(None, None)}
    assert flown
    assert all(0 <= row["p50_km"] <= row["p90_km"] for row in predicted)
    assert predicted


def test_an_object_that_has_no_issue_and_one_whose_id_names_none_are_left_unfilled(lake: Lake):
    ingest(lake, "issue", 0, -2, 30)
    other = b"".join(
        line(START + second * SECOND, object_id="UNKNOWN") for second in (*range(0, 300, 5), *range(400, 700, 5))
    )
    put(lake, {f"date={START.date()}/{START:%Y%m%dT%H%M%S}.000000Z-c0ffee09.jsonl": other})

    assert filled(lake) == []
    assert [gap["creation_date"] for gap in gaps_of(lake)] == [None]
