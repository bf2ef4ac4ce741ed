"""Generated names of folders and files below raw/, live/ and lake/: each is counted once, or named in a warning.

60 names by default, 500 where ORBITLAKE_SWEEP is set.
"""

import gzip
import os
import random
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event

import pyarrow.parquet as pq
import pytest
from tests.positions.published import derived, put_closed, put_live
from tests.positions.samples import ISS, line, orbit

from orbitlake.freshness import newest_first
from orbitlake.inspection import facts, holdings
from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.listing import warned_of
from orbitlake.page.newest import newest_day
from orbitlake.positions.raw import backlog
from orbitlake.positions.spark.compaction import compact_day
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.positions.store.day_files import pending_days
from orbitlake.query import connect, files
from orbitlake.retention import ClosedDayError, removals, remove
from orbitlake.settings import from_environment
from orbitlake.tables import POSITION_TABLES, POSITIONS

COUNT = 500 if os.environ.get("ORBITLAKE_SWEEP") else 60
CLOSED, OPEN = date(2025, 12, 21), date(2025, 12, 22)
NOW = datetime(2025, 12, 23, 12, tzinfo=UTC)
PIECES = [
    *(f"date={day}".encode() for day in ("2025-12-20", "2025-12-21", "2025-12-2", "2025-02-30", "٢٠٢٥-١٢-٢٠", "")),
    *(
        b".bak",
        b" (copy)",
        b" (1)",
        b"~",
        b"-old",
        b"_",
        b".",
        b"..",
        b" ",
        b"\n",
        b"\t",
        b"=",
        b":",
        b"#",
        b"%41",
        b"+",
    ),
    *(b"[a]", b"[", b"]", b"{x,y}", b"*", b"?", b"'", b'"', b"\\", b"\xff", b"\xed\xa0\x80", "é☄".encode(), b"-", b","),
    *(
        b"part-0",
        b"part-7",
        b"part-07",
        b"part-",
        b".parquet",
        b".json",
        b".jsonl",
        b".jsonl.gz",
        b".gz",
        b".JSON",
        b"hour=12",
    ),
    *(b"1203-0", b"2359-17", b"2400-0"),
    b"date=__HIVE_DEFAULT_PARTITION__",
]
REAL_DAY = re.compile(r"date=20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])")
REAL_PART = re.compile(r"part-(0|[1-9][0-9]*)\.parquet")
REAL_LIVE = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9]-(?:0|[1-9][0-9]{0,3})\.parquet")


def generated(count: int) -> list[str]:
    """Names that a file system takes, some of them not UTF-8; the seed is fixed."""
    choose = random.Random(20260401)
    names: dict[str, None] = {}
    while len(names) < count:
        name = b"".join(choose.choices(PIECES, k=choose.randint(1, 4)))[:200]
        if name not in (b"", b".", b".."):
            names[os.fsdecode(name)] = None
    return list(names)


def put(path: Path, content: bytes) -> None:
    """Write a file where nothing of that name lies yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(content)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Lake:
    """A closed day whose live files are old, an open day, and raw records of both."""
    lake = Lake(tmp_path_factory.mktemp("template") / "data")
    for day, seconds in ((CLOSED, range(0, 60, 5)), (OPEN, range(86_400, 86_460, 5))):
        for table, rows in derived(orbit(seconds)).items():
            put_live(lake, table, rows)
        place = "hour=13/a.json" if day == CLOSED else "a.jsonl"
        put(lake.raw_open_notify / f"date={day}" / place, line(orbit(seconds)[0]).encode() + b"\n")
    for table, rows in derived(orbit(range(0, 60, 5))).items():
        put_closed(lake, table, CLOSED, rows)
        os.utime(lake.day(table, CLOSED), (NOW.timestamp() - 100_000,) * 2)
    return lake


def strew(lake: Lake, number: int, name: str) -> tuple[int, int, list[Path]]:
    """Put a name everywhere: as a folder, or a plain file, beside the days, and as a file within them.

    Returns how many rows of positions a reader now sees, how many raw files, and what must be named in a warning.
    """
    seen, raw, strays = 24, 2, []
    as_folder = number % 3 > 0
    twelve = {table: lake.day(table, CLOSED).read_bytes() for table in POSITION_TABLES}
    is_day = as_folder and bool(REAL_DAY.fullmatch(name))
    for table in POSITION_TABLES:
        for place in (lake.live(table), lake.closed(table)):
            beside = place / name
            if as_folder:
                put(beside / "part-0.parquet", twelve[table])
            else:
                put(beside, twelve[table])
            if (not is_day and not REAL_DAY.fullmatch(name)) or (not as_folder and beside.is_file()):
                strays.append(beside)
        for folder, good in (
            (lake.live(table) / f"date={OPEN}", REAL_LIVE),
            (lake.day(table, CLOSED).parent, REAL_PART),
        ):
            put(folder / name, twelve[table])
            if name.endswith(".parquet") and not good.fullmatch(name):
                strays.append(folder / name)
    seen += 12 * (is_day and name not in (f"date={CLOSED}", f"date={OPEN}"))
    seen += 12 * bool(REAL_LIVE.fullmatch(name))
    seen += 12 * bool(REAL_PART.fullmatch(name) and name != "part-0.parquet")

    record = line(orbit([1000 + number])[0]).encode() + b"\n"
    is_hidden = name.startswith((".", "_"))
    is_raw = name.endswith((".json", ".jsonl", ".jsonl.gz"))
    content = gzip.compress(record) if name.endswith(".jsonl.gz") else record
    if as_folder:
        put(lake.raw_open_notify / name / "x.json", record)
        raw += is_day
        if not is_day:
            strays.append(lake.raw_open_notify / name)
    else:
        put(lake.raw_open_notify / name, content)
        if (lake.raw_open_notify / name).is_file():
            strays.append(lake.raw_open_notify / name)
    put(lake.raw_open_notify / f"date={OPEN}" / name, content)
    if not is_hidden:
        raw += is_raw
        if not is_raw:
            strays.append(lake.raw_open_notify / f"date={OPEN}" / name)
    return seen, raw, strays


def test_each_name_is_counted_once_or_named_in_a_warning(template, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(backlog, "SETTLED_S", 0)
    counted = 0
    for number, name in enumerate(generated(COUNT)):
        lake = Lake(tmp_path / str(number) / "data")
        shutil.copytree(template.root, lake.root)
        seen, raw, strays = strew(lake, number, name)
        caplog.clear()
        warned_of.clear()
        found = files("positions", lake.root)
        with connect(lake.root) as tables:
            (rows,) = tables.sql("SELECT count(*) FROM positions").fetchone()
            told = dict(facts(lake, tables, NOW))
            tables.sql("SELECT * FROM window_stats").fetchall()
        unread = backlog.Backlog(lake, lake.checkpoints / "none")
        found_raw = [*unread.look(), *(path for _, some in unread.brought for path in some)]
        going = None
        if REAL_PART.fullmatch(name) and name != "part-0.parquet":
            # Its rows are there twice now: nothing of the day goes before a person has looked.
            with pytest.raises(ClosedDayError, match="24 rows, 12 distinct keys"):
                removals(lake, from_environment({}), NOW)
        else:
            going = [removal for removal in removals(lake, from_environment({}), NOW) if removal.kind == "live"]
        days = pending_days(lake, OPEN + timedelta(days=1))
        held = sum(holdings(place(POSITIONS)).rows for place in (lake.closed, lake.live))
        newest, arrived = newest_day(lake, POSITIONS), list(newest_first(lake))
        counted += rows

        assert rows == seen == sum(pq.read_metadata(file).num_rows for file in found), name
        assert len(found_raw) == raw, name
        said = "\n".join(record.getMessage() for record in caplog.records)
        assert [path for path in strays if printable(path) not in said] == [], name
        assert going is None or {Path(removal.path).name for removal in going} >= {"1200-0.parquet"}, name
        assert OPEN in days, name
        assert held >= seen, name
        assert newest >= OPEN, name
        assert arrived, name
        assert told["days still live"].startswith("2025-12-22") or "2025-12-22" in told["days still live"], name
        shutil.rmtree(lake.root.parent)
    assert counted >= 24 * COUNT


@pytest.mark.spark
def test_stream_compaction_and_retention_go_on_beside_all_names_at_once(spark, tmp_path, caplog):
    lake = Lake(tmp_path / "data")
    names = generated(COUNT)
    polls = orbit(range(86_400, 86_400 + 5 * COUNT, 5))
    folder = lake.raw_open_notify / f"date={OPEN}"
    taken = set()
    for number, (name, fix) in enumerate(zip(names, polls, strict=True)):
        # Every other name is one of a raw file, with another fix; all are folders and files beside the days.
        raw = folder / (f"{name}.json{'l' * (number % 4 == 1)}" if number % 2 else name)
        if raw.name.endswith((".json", ".jsonl")) and not raw.name.startswith((".", "_")) and not raw.exists():
            taken.add(fix["event_time"])
        put(raw, line(fix).encode() + b"\n")
        for table in POSITION_TABLES:
            put(lake.live(table) / name, b"no Parquet") if number % 3 else put(
                lake.live(table) / name / "0000-0.parquet", b"no"
            )
            put(lake.closed(table) / name / "part-0.parquet", b"no Parquet")
            if not REAL_LIVE.fullmatch(name):
                put(lake.live(table) / f"date={OPEN}" / name, b"no Parquet")
            if not REAL_PART.fullmatch(name):
                put(lake.closed(table) / f"date={OPEN}" / name, b"no Parquet")
    # Real days among the names hold what is no Parquet: an error, by name, that is not the matter here.
    for name in filter(REAL_DAY.fullmatch, names):
        for table in POSITION_TABLES:
            for place in (lake.live(table) / name, lake.closed(table) / name):
                if place.name != f"date={OPEN}":
                    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    totals = run(spark, lake, ISS, AVAILABLE_NOW, Event(), now=lambda: NOW)
    with connect(lake.root) as tables:
        streamed = {row[0] for row in tables.sql("SELECT event_time FROM positions").fetchall()}
    closed = compact_day(spark, lake, OPEN)
    for removal in removals(lake, from_environment({}), datetime.now(UTC) + timedelta(days=2)):
        remove(lake, removal)
    with connect(lake.root) as tables:
        kept = [row[0] for row in tables.sql("SELECT event_time FROM positions").fetchall()]
    again = run(spark, lake, ISS, AVAILABLE_NOW, Event(), now=lambda: NOW)

    assert totals["rows"] == len(taken) > COUNT / 4
    assert streamed == set(kept) == taken
    assert (closed.positions, len(kept)) == (len(taken), len(taken))
    assert again["rows"] == 0
    assert len([path for path in lake.raw_open_notify.rglob("*.jsonl.gz") if path.is_file()]) >= 1
