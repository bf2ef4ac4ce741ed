"""How days hang together, and what an update leaves alone."""

import gzip
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.audit.gaps import coverage_of, files_written, gaps_of
from tests.audit.patterns import ISS, MIDNIGHT, line, published, put
from tests.published import publish

from orbitlake.audit import update
from orbitlake.lake.parquet import check_file
from orbitlake.query import connect
from orbitlake.tables import COVERAGE, FEED_TABLES, GAPS

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def poll_day(lake, day: datetime, begin: datetime, end: datetime, name="c0ffee00", interval_s=60, **other) -> None:
    """Put the polls of a span, one a minute, into the folder of a day."""
    count = int((end - begin).total_seconds() // interval_s)
    lines = [line(begin + timedelta(seconds=interval_s * number), **other) for number in range(count)]
    put(lake, {f"date={day.date()}/{day:%Y%m%d}T000000.000000Z-{name}.jsonl": b"".join(lines)})


def spans(lake) -> list[tuple]:
    return [(gap["start_time"], gap["end_time"], gap["cause"]) for gap in gaps_of(lake)]


def states(lake) -> dict:
    """What tells whether a published file was replaced."""
    return {str(file): file.stat().st_ino for file in (lake.root / "lake").rglob("*.parquet")}


@pytest.fixture
def four_days(lake):
    """Polls on the first and on the fourth day, up to 18:00 and from 06:00 on."""
    poll_day(lake, MIDNIGHT, MIDNIGHT, MIDNIGHT + DAY * 0.75)
    poll_day(lake, MIDNIGHT + 3 * DAY, MIDNIGHT + 3.25 * DAY, MIDNIGHT + 4 * DAY)
    update(lake, ISS, MIDNIGHT + 4 * DAY)
    return lake


LAST, FIRST = MIDNIGHT + DAY * 0.75 - MINUTE, MIDNIGHT + 3.25 * DAY
OFF = "collector not running"


def test_a_gap_of_days_is_one_row_in_the_day_of_its_start_and_hours_without_polls_are_due(four_days):
    assert spans(four_days) == [(LAST, FIRST, OFF)]
    assert [row["date"] for row in connect(four_days.root).sql("SELECT date FROM gaps").pl().to_dicts()] == [
        MIDNIGHT.date()
    ]
    hours = [(row["hour_start"], row["polls_expected"], row["polls_made"]) for row in coverage_of(four_days)]
    assert hours[:24] == [(MIDNIGHT + timedelta(hours=hour), 60, 60 if hour < 18 else 0) for hour in range(24)]
    assert [row[2] for row in hours[24:]] == [0] * 6 + [60] * 18
    assert {row[1] for row in hours} == {60}
    assert sorted(four_days.closed(COVERAGE).iterdir()) == [
        four_days.day(COVERAGE, (MIDNIGHT + number * DAY).date()).parent for number in (0, 3)
    ]


def test_late_records_close_a_gap_or_split_it(four_days):
    arrived = MIDNIGHT + 8 * DAY
    middle = MIDNIGHT + 2 * DAY
    poll_day(four_days, arrived, middle, middle + timedelta(hours=2), name="1a7e0001")
    update(four_days, ISS, MIDNIGHT + 4 * DAY)

    assert spans(four_days) == [(LAST, middle, OFF), (middle + timedelta(hours=2) - MINUTE, FIRST, OFF)]
    poll_day(four_days, arrived, LAST + MINUTE, middle, name="1a7e0002")
    poll_day(four_days, arrived, middle + timedelta(hours=2), FIRST, name="1a7e0003")
    update(four_days, ISS, MIDNIGHT + 4 * DAY)
    assert spans(four_days) == []
    assert {row["completeness"] for row in coverage_of(four_days)} == {1.0}
    assert pq.read_metadata(four_days.day(COVERAGE, arrived.date())).num_rows == 0


def test_an_update_without_news_opens_no_raw_file_and_replaces_nothing(four_days, monkeypatch):
    before = states(four_days)
    monkeypatch.setattr("orbitlake.audit.raw_polls.polls_of_file", lambda *_: pytest.fail("a raw file was read"))

    assert files_written(update(four_days, ISS, MIDNIGHT + 4 * DAY)) == {"coverage": 0, "gaps": 0}
    assert states(four_days) == before


def test_only_the_days_that_changed_are_replaced(four_days):
    before = states(four_days)
    day = MIDNIGHT + 4 * DAY
    poll_day(four_days, day, day, day + timedelta(hours=5))

    assert files_written(update(four_days, ISS, day + timedelta(hours=5))) == {"coverage": 2, "gaps": 1}
    assert {path for path, inode in before.items() if states(four_days)[path] != inode} == {
        str(four_days.day(COVERAGE, date(2026, 3, 14)))
    }


def test_sealing_a_day_changes_no_row_and_no_gap(four_days):
    rows, before = coverage_of(four_days), states(four_days)
    for segment in list(four_days.raw_open_notify.rglob("*.jsonl")):
        sealed = segment.with_name(f"{segment.stem}.01234567-8.jsonl.gz")
        sealed.write_bytes(gzip.compress(segment.read_bytes(), mtime=0))
        segment.unlink()

    assert files_written(update(four_days, ISS, MIDNIGHT + 4 * DAY)) == {"coverage": 2, "gaps": 0}
    assert coverage_of(four_days) == rows
    assert [path for path, inode in before.items() if GAPS.name in path and states(four_days)[path] != inode] == []


def test_a_day_whose_raw_records_were_removed_stays_as_it_is(four_days):
    before = published(four_days.root)
    (segment,) = (four_days.raw_open_notify / "date=2026-03-11").iterdir()
    segment.unlink()
    segment.parent.rmdir()

    assert files_written(update(four_days, ISS, MIDNIGHT + 4 * DAY)) == {"coverage": 0, "gaps": 0}
    assert published(four_days.root) == before


def test_a_gap_that_is_open_ends_although_the_raw_records_before_it_were_removed(four_days):
    update(four_days, ISS, MIDNIGHT + 5 * DAY)
    before = coverage_of(four_days)
    assert spans(four_days)[1:] == [(MIDNIGHT + 4 * DAY - MINUTE, None, OFF)]
    for folder in list(four_days.raw_open_notify.iterdir()):
        for segment in folder.iterdir():
            segment.unlink()
        folder.rmdir()
    back = MIDNIGHT + 6 * DAY
    poll_day(four_days, back, back, back + timedelta(hours=1))

    update(four_days, ISS, back + timedelta(hours=1))
    assert spans(four_days) == [(LAST, FIRST, OFF), (MIDNIGHT + 4 * DAY - MINUTE, back, OFF)]
    assert coverage_of(four_days)[: len(before)] == before
    assert files_written(update(four_days, ISS, back + timedelta(hours=1))) == {"coverage": 0, "gaps": 0}


def test_what_fills_a_gap_stays_until_the_gap_is_another_one(four_days):
    created = datetime(2026, 3, 12, 9, tzinfo=UTC)
    file = four_days.day(GAPS, MIDNIGHT.date())
    rows = pq.ParquetFile(file).read()
    filled = rows.set_column(len(rows.column_names) - 1, GAPS.schema.field("creation_date"), pa.array([created]).cast(
        GAPS.schema.field("creation_date").type
    ))  # fmt: skip
    publish(filled, GAPS, file, four_days.staging)
    put(four_days, {"date=2026-03-11/20260311T090000.000000Z-0badcafe.jsonl": line(MIDNIGHT)})
    update(four_days, ISS, MIDNIGHT + 4 * DAY)

    assert [gap["creation_date"] for gap in gaps_of(four_days)] == [created]
    poll_day(four_days, MIDNIGHT, LAST + MINUTE, LAST + 9 * MINUTE, name="1a7e0001")
    update(four_days, ISS, MIDNIGHT + 4 * DAY)
    assert [gap["creation_date"] for gap in gaps_of(four_days)] == [None]


def test_a_file_that_was_taken_away_is_made_again(four_days):
    before = published(four_days.root)
    four_days.day(GAPS, MIDNIGHT.date()).unlink()
    four_days.day(COVERAGE, (MIDNIGHT + 3 * DAY).date()).write_bytes(b"damaged")

    assert files_written(update(four_days, ISS, MIDNIGHT + 4 * DAY)) == {"coverage": 1, "gaps": 1}
    assert published(four_days.root) == before


def test_a_damaged_raw_file_is_passed_over_with_a_warning(four_days, caplog):
    put(four_days, {"date=2026-03-14/20260314T000000.000000Z-0badcafe.jsonl.gz": b"no gzip"})
    update(four_days, ISS, MIDNIGHT + 4 * DAY)

    assert spans(four_days) == [(LAST, FIRST, OFF)]
    assert "0badcafe.jsonl.gz" in caplog.text


def test_a_feed_that_stands_still_for_days_has_one_gap_that_is_open_until_it_moves(lake):
    poll_day(lake, MIDNIGHT, MIDNIGHT, MIDNIGHT + DAY / 2)
    still = {"latitude": 1.5, "longitude": 2.5}
    poll_day(lake, MIDNIGHT, MIDNIGHT + DAY / 2, MIDNIGHT + DAY, name="c0ffee01", **still)
    for number in range(1, 5):
        day = MIDNIGHT + number * DAY
        poll_day(lake, day, day, day + DAY, **still)
        update(lake, ISS, day + DAY)
        assert spans(lake) == [(MIDNIGHT + DAY / 2, None, "frozen")]
    day = MIDNIGHT + 5 * DAY
    poll_day(lake, day, day, day + DAY)
    update(lake, ISS, day + DAY)

    assert spans(lake) == [(MIDNIGHT + DAY / 2, day, "frozen")]
    (gap,) = gaps_of(lake)
    assert (gap["duration_s"], gap["cause_s"], gap["polls_made"]) == (4.5 * 86_400, 4.5 * 86_400, 4.5 * 1440 - 1)


def test_a_feed_may_be_silent_on_days_that_another_one_fills(lake):
    for number in range(4):
        day = MIDNIGHT + number * DAY
        poll_day(lake, day, day, day + DAY, name="c0ffee01", source="other")
        if number in (0, 3):
            poll_day(lake, day, day, day + DAY)
    update(lake, ISS, MIDNIGHT + 4 * DAY)

    assert spans(lake) == [(MIDNIGHT + DAY - MINUTE, MIDNIGHT + 3 * DAY, OFF)]


def test_one_poll_a_day_is_an_interval_too(lake):
    for number in range(40):
        day = MIDNIGHT + number * DAY
        if number not in range(20, 25):
            put(lake, {f"date={day.date()}/{day:%Y%m%d}T000000.000000Z-c0ffee00.jsonl": line(day + number * MINUTE)})
    update(lake, ISS, MIDNIGHT + 40 * DAY)

    assert spans(lake) == [(MIDNIGHT + 19 * DAY + 19 * MINUTE, MIDNIGHT + 25 * DAY + 25 * MINUTE, OFF)]


def test_files_are_those_of_their_tables_and_views_show_them(four_days):
    for table in FEED_TABLES:
        for file in four_days.closed(table).rglob("*.parquet"):
            check_file(file, table)
    counts = connect(four_days.root).sql("SELECT (SELECT count(*) FROM gaps), (SELECT sum(polls_made) FROM coverage)")
    assert counts.fetchone() == (1, 2160)
