"""What may go: live files of closed days whose rows are found there, and by setting old raw days and quarantine."""

import glob
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in, parts_of
from orbitlake.lake.pages import Revision
from orbitlake.lake.quarantine import REASON, bound_quarantine, over_bound, quarantined
from orbitlake.positions.raw.sealing import Committed
from orbitlake.positions.raw.segments import raw_files
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.store.day_files import compaction_lock, digest_of, is_pending, page_digests
from orbitlake.positions.store.minute_files import live_days, live_lock
from orbitlake.settings import Settings, from_environment
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table

LIVE, RAW, QUARANTINE = "live", "raw", "quarantine"
MEMORY_LIMIT: Final = "1GB"


class ClosedDayError(Exception):
    """A closed day that lacks what its live files hold; nothing of it was removed."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One file that may go: what it is, how large, and why."""

    kind: str
    path: str
    bytes: int
    reason: str
    digest: str = ""
    """Of the pages of a live file."""

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name != "digest"}


def removals(lake: Lake, settings: Settings, now: datetime | None = None) -> Iterator[Removal]:
    """Find what may go now. Raises ClosedDayError where a closed day does not hold all rows of its live files."""
    now = now or datetime.now(UTC)
    yield from live_removals(lake, now - timedelta(hours=settings.keep_live_hours))
    if settings.keep_raw_days is not None:
        yield from raw_removals(lake, (now - timedelta(days=settings.keep_raw_days)).date(), bool(settings.kafka))
    if settings.keep_quarantine_days is not None:
        yield from quarantine_removals(lake, now - timedelta(days=settings.keep_quarantine_days))


def retire(dry_run: bool = False, show: Callable[[str], None] = print) -> dict[str, object]:
    """Remove what may go from the lake of the settings, a line of JSON for each file; return the summary."""
    settings = from_environment()
    lake = Lake(settings.data)
    files: Counter[str] = Counter()
    freed: Counter[str] = Counter()
    with compaction_lock(lake):
        for removal in removals(lake, settings):
            show(json.dumps(removal.as_json()))
            if not dry_run:
                remove(lake, removal)
            files[removal.kind] += 1
            freed[removal.kind] += removal.bytes
    find = over_bound if dry_run else bound_quarantine
    for entry in find(lake, settings.keep_quarantine_bytes):
        show(json.dumps(Removal(QUARANTINE, str(entry.path), entry.bytes, "over the bound").as_json()))
        files[QUARANTINE] += 1
        freed[QUARANTINE] += entry.bytes
    return {"removed": not dry_run, "files": dict(files), "bytes": dict(freed)}


def remove(lake: Lake, removal: Removal) -> None:
    """Remove one file, and its folder where that is empty now; of what is in quarantine first the reason beside it.

    A live file that was replaced since it was looked at stays: its name says nothing, its pages do.
    """
    path = Path(removal.path)
    if removal.kind == QUARANTINE:
        path.with_name(path.name + REASON).unlink(missing_ok=True)
    with live_lock(lake), suppress(FileNotFoundError):
        if removal.kind == LIVE and Revision.of(path).digest != removal.digest:
            return
        path.unlink()
        if removal.kind != QUARANTINE and not any(path.parent.iterdir()):
            path.parent.rmdir()


def live_removals(lake: Lake, closed_before: datetime) -> Iterator[Removal]:
    """Live files of days that were closed from them, long enough ago; each row is looked up first."""
    for day in live_days(lake):
        parts = {table: parts_of(lake, table, day) for table in POSITION_TABLES}
        if not all(parts.values()):
            continue
        closed_s = min(part.stat().st_mtime for found in parts.values() for part in found)
        if closed_s > closed_before.timestamp():
            continue
        digests = {table: page_digests(lake, table, day) for table in POSITION_TABLES}
        # What came since is not closed yet; where nothing came, the day was closed from these very files.
        if is_pending(lake, day, digest_of(digests[POSITIONS])):
            continue
        try:
            verify_day(day, parts, list(digests[POSITIONS]))
        except ClosedDayError:
            # A late fix that came since the files were looked at is no lack: the day is to be closed anew.
            if is_pending(lake, day):
                continue
            raise
        for files in digests.values():
            for file, digest in files.items():
                reason = f"{day} is closed and holds its rows"
                yield Removal(LIVE, str(file), file.stat().st_size, reason, digest)


def verify_day(day: date, parts: dict[Table, list[Path]], live: list[Path]) -> None:
    """Hold a closed day against its live positions. Raises ClosedDayError that says what is wrong.

    Every live position is in the closed day, no key there twice, and the minutes count as many fixes as there are. The
    live minutes follow from the positions: one without any is of a batch that was cut off, and is written anew by it.
    """
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as database:
        for table in POSITION_TABLES:
            key = ", ".join(table.key)
            closed = rows_of(database, parts[table]).select(key)
            rows, keys = (number(each.count("*")) for each in (closed, closed.distinct()))
            if rows != keys:
                raise ClosedDayError(f"{table.name} of {day}: {rows} rows, {keys} distinct keys")
            if table == POSITIONS and live:
                lacking = rows_of(database, live).select(key).except_(closed)
                if count := number(lacking.count("*")):
                    raise ClosedDayError(f"{table.name} of {day}: {count} live rows are not in the closed day")
        counted = number(rows_of(database, parts[WINDOW_STATS]).sum("data_points"))
        rows = number(rows_of(database, parts[POSITIONS]).count("*"))
        if counted != rows:
            raise ClosedDayError(f"window_stats of {day} count {counted} fixes, positions hold {rows}")


def raw_removals(lake: Lake, before: date, by_kafka: bool = False) -> Iterator[Removal]:
    """Sealed raw files of closed days, of those that the stream has read."""
    committed = Committed.of(Checkpoint(lake, by_kafka).spark)
    for day, folder in days_in(lake.raw_open_notify).items():
        if committed and day < before and parts_of(lake, POSITIONS, day):
            for sealed in (folder / name for name in raw_files(folder) if committed.has_read(name)):
                yield Removal(RAW, str(sealed), sealed.stat().st_size, f"{day} is closed and older than the setting")


def quarantine_removals(lake: Lake, before: datetime) -> Iterator[Removal]:
    """What has lain in quarantine long enough, the reasons beside it included."""
    for entry in quarantined(lake):
        if entry.at_ns < before.timestamp() * 1e9:
            yield Removal(QUARANTINE, str(entry.path), entry.bytes, "older than the setting")


def rows_of(database: duckdb.DuckDBPyConnection, files: list[Path]) -> duckdb.DuckDBPyRelation:
    """The rows of some files."""
    return database.read_parquet([glob.escape(str(file)) for file in files], hive_partitioning=False)


def number(answer: duckdb.DuckDBPyRelation) -> int:
    """The one number of an answer, 0 where it is null."""
    row = answer.fetchone()
    return int(row[0] or 0) if row else 0
