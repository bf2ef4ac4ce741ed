"""The derived feeds of a day -> its files of coverage and gaps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from orbitlake.audit.feed_day import FeedDay
from orbitlake.audit.notes import Feed, Notes
from orbitlake.audit.spans import Edge, Gap, Link
from orbitlake.columns import micros
from orbitlake.digits import rounded
from orbitlake.lake import Lake, LakeError
from orbitlake.lake.derived import publish_news
from orbitlake.lake.locks import lock_folder
from orbitlake.lake.parquet import conform, in_order, open_checked
from orbitlake.tables import COVERAGE, GAPS, Table

FILLED: Final = "creation_date"
"""The column of gaps that another step fills."""


@contextmanager
def lock_feeds(lake: Lake) -> Iterator[None]:
    """Wait until nobody else writes coverage and gaps."""
    folder = lake.closed(COVERAGE)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder):
        yield


def write_day(
    lake: Lake,
    day: date,
    feeds: Mapping[Feed, FeedDay],
    before: Mapping[Feed, Edge],
    after: Mapping[Feed, Edge],
    beyond: Mapping[Feed, Gap],
    notes: Notes,
) -> Iterator[tuple[str, int]]:
    """Write the files of a day; yield the name and rows of each table whose file is another one now.

    `before` and `after` are the polls next to a feed's own, `beyond` the gap that does not end in the day. Gaps that
    are as they were stay untouched, with what fills them. Coverage comes last: its notes say that both are there.
    """
    ended = ((feed, gap) for feed, each in feeds.items() for gap in each.gaps)
    gaps = rows_of(GAPS, (gap_row(feed, gap) for feed, gap in chain(ended, beyond.items())))
    if not holds(lake.day(GAPS, day), gaps) and publish_news(lake, GAPS, gaps, lake.day(GAPS, day)):
        yield GAPS.name, gaps.num_rows
    hours = rows_of(
        COVERAGE,
        (row for feed, each in feeds.items() for row in hour_rows(feed, each, before.get(feed), after.get(feed))),
    )
    if publish_news(lake, COVERAGE, hours, lake.day(COVERAGE, day), notes.footer()):
        yield COVERAGE.name, hours.num_rows


def amend_day(lake: Lake, day: date, beyond: Mapping[Feed, Gap], notes: Notes) -> Iterator[tuple[str, int]]:
    """Put right the gaps that do not end in a day whose raw records are gone; yield as write_day does.

    All its other rows stay as they are.
    """
    begun = {(feed, ends.tail_start.at_us) for feed, ends in notes.ends.items() if ends.tail_start}
    with open_checked(lake.day(GAPS, day), GAPS) as opened:
        held = opened.read()
    keys = zip(*(held.column(name).to_pylist() for name in ("object_id", "source")), strict=True)
    starts_us = micros(held.column("start_time")).tolist()
    stays = [(feed, start_us) not in begun for feed, start_us in zip(keys, starts_us, strict=True)]
    amended = rows_of(GAPS, (gap_row(feed, gap) for feed, gap in beyond.items()))
    gaps = in_order(pa.concat_tables([held.filter(pa.array(stays, pa.bool_())), amended]), GAPS)
    if not holds(lake.day(GAPS, day), gaps) and publish_news(lake, GAPS, gaps, lake.day(GAPS, day)):
        yield GAPS.name, gaps.num_rows
    with open_checked(lake.day(COVERAGE, day), COVERAGE) as opened:
        hours = opened.read()
    if publish_news(lake, COVERAGE, hours, lake.day(COVERAGE, day), notes.footer()):
        yield COVERAGE.name, hours.num_rows


def gap_row(feed: Feed, gap: Gap) -> dict[str, Any]:
    """Return a gap as a row with times in microseconds."""
    return named(feed) | {
        "start_time": gap.start_us,
        "end_time": gap.end_us,
        "duration_s": None if gap.end_us is None else (gap.end_us - gap.start_us) / 1e6,
        "cause": gap.cause,
        "cause_s": None if gap.cause_us is None else gap.cause_us / 1e6,
        "polls_made": gap.polls,
        "interval_s": gap.interval_us / 1e6,
        FILLED: None,
    }


def hour_rows(feed: Feed, day: FeedDay, before: Edge | None, after: Edge | None) -> Iterator[dict[str, Any]]:
    """Yield the hours of a feed's day, with the polls that were not made between its days."""
    links = [
        *([Link.between(before, day.ends.first)] if before else []),
        *([Link.between(day.ends.last, after)] if after else []),
    ]
    for row in day.hours.rows([link.missed for link in links if link.missed]):
        yield named(feed) | row


def named(feed: Feed) -> dict[str, Any]:
    """The columns that name a feed."""
    return dict(zip(("object_id", "source"), feed, strict=True))


def rows_of(table: Table, rows: Iterator[dict[str, Any]]) -> pa.Table:
    """Return rows, of times in microseconds, as the table wants them, rounded and in order."""
    plain = pa.schema(
        [(column.name, pa.int64() if pa.types.is_timestamp(column.type) else column.type) for column in table.columns]
    )
    return in_order(rounded(conform(pa.Table.from_pylist(list(rows), plain), table), table), table)


def holds(file: Path, gaps: pa.Table) -> bool:
    """Whether a file of gaps holds the same ones; what fills them is not compared."""
    try:
        with open_checked(file, GAPS) as opened:
            held = opened.read()
    except (FileNotFoundError, LakeError):
        return False
    return bool(held.drop_columns([FILLED]).equals(gaps.drop_columns([FILLED])))
