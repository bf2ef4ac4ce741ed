"""`make inspect`: what lies in the data root, on one screen: rows, days, sizes, the newest, and what is missing."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as Printout
from rich.text import Text

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.listing import days_in, files_of_day
from orbitlake.lake.paths import LIVE_NAME, PART_NAME, day_of_folder
from orbitlake.lake.quarantine import DROPPED, quarantined
from orbitlake.query import Connection, connect
from orbitlake.settings import SettingError, from_environment
from orbitlake.tables import OEM_TABLES, POSITION_TABLES, POSITIONS, TABLES

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Holdings:
    """The files of a table in one place: partitions, files, rows by their footers, bytes."""

    partitions: int
    files: int
    most_files: int
    rows: int
    bytes: int


def files_below(folder: Path) -> list[Path]:
    """The files of a table in one place, live or closed, those of each partition together."""
    if folder.name in {table.name for table in OEM_TABLES}:
        return sorted(folder.glob("**/*.parquet"))
    pattern = LIVE_NAME if folder.parent.name == "live" else PART_NAME
    return [Path(entry.path) for day in days_in(folder).values() for entry in files_of_day(day, pattern)[0]]


def holdings(folder: Path) -> Holdings:
    """Count what lies below a table's folder."""
    files = files_below(folder)
    sizes = [len(list(of_one)) for _, of_one in groupby(files, key=lambda file: file.parent)]
    return Holdings(
        partitions=len(sizes),
        files=len(files),
        most_files=max(sizes, default=0),
        rows=sum(pq.read_metadata(file).num_rows for file in files),
        # Blocks in use: a closed day has a hole, as room for late fixes.
        bytes=sum(min(file.stat().st_size, file.stat().st_blocks * 512) for file in files),
    )


def gaps(days: Sequence[date]) -> list[str]:
    """The missing days between the first and the last, runs as `first to last`."""
    held = set(days)
    span = range((max(held) - min(held)).days + 1) if held else range(0)
    missing = [min(held) + timedelta(days=number) for number in span if min(held) + timedelta(days=number) not in held]
    runs = [
        [each for _, each in run]
        for _, run in groupby(enumerate(missing), key=lambda pair: pair[1].toordinal() - pair[0])
    ]
    return [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]


def days_of(folder: Path) -> list[date]:
    """The UTC days that have a file in a table's folder."""
    return sorted({day for file in files_below(folder) if (day := day_of_folder(file.parent.name))})


def size(count: float) -> str:
    """Bytes as people read them."""
    power = 0
    while count >= 1024 and power < len(UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.0f} {UNITS[power]}" if power == 0 else f"{count:.1f} {UNITS[power]}"


def tables_printout(lake: Lake) -> Printout:
    """One line a table and place."""
    printout = Printout("table", "where", "partitions", "files", "most in one", "rows", "size", title="Tables")
    printout.columns[0].no_wrap = True
    printout.columns[0].min_width = max(map(len, TABLES))
    for column in printout.columns[2:]:
        column.justify = "right"
    for table in TABLES.values():
        places = {"closed": lake.closed(table)} | ({"live": lake.live(table)} if table in POSITION_TABLES else {})
        for where, folder in places.items():
            held = holdings(folder)
            cells = (
                f"{held.partitions:,}",
                f"{held.files:,}",
                str(held.most_files),
                f"{held.rows:,}",
                size(held.bytes),
            )
            printout.add_row(table.name, where, *cells)
    return printout


def newest(tables: Connection, now: datetime) -> Iterable[tuple[str, str]]:
    """The newest fix of each source and the newest issue of each object, with their ages."""
    fixes = tables.sql("SELECT object_id, source, max(event_time) FROM positions GROUP BY ALL ORDER BY ALL").fetchall()
    for object_id, source, at in fixes:
        yield f"newest fix of {object_id} ({source})", f"{at:%Y-%m-%d %H:%M:%S} UTC, {age(now - at)} ago"
    latest = "max(creation_date), arg_max(stop_time, creation_date)"
    issues = tables.sql(f"SELECT object_id, {latest} FROM oem_issues GROUP BY ALL ORDER BY ALL").fetchall()  # noqa: S608
    for object_id, at, stop in issues:
        reach = f"reaches to {stop:%Y-%m-%d %H:%M} UTC"
        yield f"newest issue of {object_id}", f"{at:%Y-%m-%d %H:%M:%S} UTC, {age(now - at)} ago, {reach}"


def age(span: timedelta) -> str:
    """A span of time in its two largest units."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0 s"


def facts(lake: Lake, tables: Connection, now: datetime) -> Iterable[tuple[str, str]]:
    """The lines below the tables."""
    yield from newest(tables, now)
    closed, live = days_of(lake.closed(POSITIONS)), days_of(lake.live(POSITIONS))
    yield "closed days", f"{len(closed)}" + (f", {closed[0]} to {closed[-1]}" if closed else "")
    yield "days still live", ", ".join(map(str, sorted(set(live) - set(closed)))) or "none"
    yield "gaps in days", ", ".join(gaps(sorted({*closed, *live}))) or "none"
    for name, folder in (("raw position files", lake.raw_open_notify), ("raw OEM files", lake.raw_oem_root)):
        files = [file for file in folder.glob("**/*") if file.is_file() and not file.name.endswith(".receipt.json")]
        yield name, f"{len(files):,}, {size(sum(file.stat().st_size for file in files))}"
    held = quarantined(lake)
    yield (
        "in quarantine",
        f"{len(held):,}, {size(sum(entry.bytes for entry in held))}" + (f": see {lake.quarantine}" if held else ""),
    )
    dropped = lake.quarantine / DROPPED
    if dropped.exists():
        yield "dropped from it", f"{len(dropped.read_bytes().splitlines()):,} or more: see {dropped}"


def plain(text: str) -> Text:
    """Return a text as it stands, brackets too, with escapes for what would steer a terminal: names come from data."""
    return Text(printable(text))


def main() -> int:
    """Print what the data root of the settings holds; return the exit status."""
    try:
        lake = Lake(from_environment().data)
    except SettingError as error:
        print(f"inspect: {error}", file=sys.stderr)
        return 1
    console = Console()
    console.print(
        f"{lake.root}" + ("" if lake.root.is_dir() else ": nothing there yet"),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(tables_printout(lake))
    details = Printout(show_header=False, box=None)
    with connect(lake.root) as tables:
        for name, value in facts(lake, tables, datetime.now(UTC)):
            details.add_row(plain(name), plain(value))
    console.print(details)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except duckdb.Error as error:
        sys.exit(f"inspect: a file cannot be read: {error}")
