"""What people put beside the data: names that are no text, links, copies of days; roots of any name; the bound."""

import json
import logging
import os
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyspark.errors import PythonException, StreamingQueryException
from tests.positions.samples import ISS, line, lines, orbit
from tests.published import publish

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.errors import errors_in_utf8, printable
from orbitlake.lake.listing import NAMED_AT_ONCE, days_in, parts_of, warn_of, warned_of
from orbitlake.lake.paths import day_of_folder
from orbitlake.lake.quarantine import DROPPED, bound_quarantine, quarantine, quarantined
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.spark.compaction import compact_day
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.store.bad_lines import MOST_BAD_BYTES, keep_bad_lines
from orbitlake.query import connect, files, for_spark
from orbitlake.retention import removals, remove
from orbitlake.settings import SettingError, data_root, from_environment
from orbitlake.tables import POSITIONS

DAY = date(2025, 12, 21)
BASE = pa.schema([POSITIONS.schema.field(name) for name in orbit([0])[0]])
ODD_ROOT = "[2026] {a,b} *?'\" 100% #1 é"
NOT_TEXT = os.fsdecode(b"b\xff.jsonl")


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    warned_of.clear()


def land(lake, name, *raw_lines):
    target = lake.raw_open_notify / f"date={DAY}" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes("".join(f"{each}\n" for each in raw_lines).encode())
    return target


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


NO_DAYS = [
    *("date=2026-04-01.bak", "date=2026-04-01 (copy)", "date=__HIVE_DEFAULT_PARTITION__", "date=2026-4-1", "date="),
    *("date=2026-02-30", "date=2026-04-01\n", "date=20260401", "date=2026-W14-3", "DATE=2026-04-01"),
    "date=٢٠٢٦-٠٤-٠١",
]


@pytest.mark.parametrize("name", NO_DAYS)
def test_only_a_real_day_is_a_day(tmp_path, name, caplog):
    (tmp_path / name).mkdir()
    (tmp_path / "date=2026-04-02").mkdir()
    found = [list(days_in(tmp_path)) for _ in range(2)]

    assert day_of_folder(name) is None
    assert found == [[date(2026, 4, 2)]] * 2
    assert [printable(tmp_path / name) in text for text in warnings(caplog)] == [True], "said once"


def test_a_plain_file_and_a_link_to_another_day_are_no_days(tmp_path, caplog):
    (tmp_path / "date=2026-04-01").mkdir()
    (tmp_path / "date=2026-04-02").touch()
    (tmp_path / "date=2026-04-03").symlink_to(tmp_path / "date=2026-04-01")
    (tmp_path / "date=2026-04-04").symlink_to(tmp_path / "date=2026-04-04")
    (tmp_path / "elsewhere" / "date=2026-04-05").mkdir(parents=True)
    (tmp_path / "date=2026-04-05").symlink_to(tmp_path / "elsewhere" / "date=2026-04-05")

    assert [day.day for day in days_in(tmp_path)] == [1, 5]
    assert len(warnings(caplog)) == 4


def test_copies_of_a_days_files_are_left_alone(lake, caplog):
    rows = positions_of(pa.Table.from_pylist(orbit([0, 5]), schema=BASE))
    part, live = lake.day(POSITIONS, DAY), lake.live(POSITIONS) / "date=2025-12-22" / "1200-0.parquet"
    for path in (part, live):
        publish(rows, POSITIONS, path, lake.staging)
    for copy in ("part-0 (1).parquet", "part-x.parquet", "part-00.parquet", "part-0.bak.parquet"):
        part.with_name(copy).write_bytes(part.read_bytes())
    live.with_name("1200-0 (copy).parquet").write_bytes(live.read_bytes())
    live.with_name("folder.parquet").mkdir()
    with connect(lake.root) as tables:
        counted = tables.sql("SELECT count(*) FROM positions").fetchone()

    assert files("positions", lake.root) == [str(part), str(live)]
    assert parts_of(lake, POSITIONS, DAY) == [part]
    assert counted == (4,)
    assert len(warnings(caplog)) == 6


def test_a_day_is_closed_beside_what_lies_in_its_folder_already(engine, stream, lake):
    stream.batch(lines(orbit([0, 5, 10])))
    folder = lake.day(POSITIONS, DAY).parent
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    compact_day(engine, lake, DAY)

    assert [path.name for path in sorted(folder.iterdir())] == ["notes.txt", "part-0.parquet"]


def test_a_file_in_the_place_of_a_days_folder_is_named(lake):
    rows = positions_of(pa.Table.from_pylist(orbit([0]), schema=BASE))
    lake.closed(POSITIONS).mkdir(parents=True)
    lake.day(POSITIONS, DAY).parent.touch()

    with pytest.raises(LakeError, match=r"date=2025-12-21 must be a folder, and a file has that name"):
        publish(rows, POSITIONS, lake.day(POSITIONS, DAY), lake.staging)


def test_many_strays_are_counted_rather_than_named_one_by_one(caplog):
    warn_of((f"/raw/{number}.txt" for number in range(1000)), "not read")

    assert len(warnings(caplog)) == NAMED_AT_ONCE + 1
    assert warnings(caplog)[-1] == "and 980 more like the last"


def fail_as(name):
    """Raise an error that names a file, and another as its cause."""
    with errors_in_utf8():
        try:
            raise OSError(name)
        except OSError as error:
            raise ValueError("cannot be read") from error


def test_an_error_that_utf8_cannot_write_is_raised_as_one_that_it_can():
    with pytest.raises(LakeError, match="ValueError: cannot be read") as raised:
        fail_as(NOT_TEXT)
    with pytest.raises(ValueError, match="cannot be read"):
        fail_as("b.json")

    assert raised.value.__suppress_context__


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_a_task_whose_error_names_such_a_file_fails_instead_of_hanging(spark, lake):
    land(lake, "a.jsonl", line(orbit([0])[0]))
    land(lake, NOT_TEXT, line(orbit([5])[0]))
    run(spark, lake, ISS, AVAILABLE_NOW, Event(), now=lambda: datetime(2025, 12, 21, 23, tzinfo=UTC))
    with connect(lake.root) as tables:
        rows = tables.sql("SELECT count(*) FROM positions").fetchone()
    for file in (Checkpoint(lake).spark / "commits").iterdir():
        file.unlink()
    (lake.raw_open_notify / f"date={DAY}" / NOT_TEXT).unlink()

    assert rows == (2,)
    with pytest.raises(StreamingQueryException, match=r"was listed and cannot be read"):
        run(spark, lake, ISS, AVAILABLE_NOW, Event())
    with pytest.raises(PythonException, match="udcff"):
        spark.range(1).mapInArrow(raise_not_text, "id long").collect()


def raise_not_text(batches):
    with errors_in_utf8():
        yield from batches
        raise ValueError(os.fsdecode(b"\xff"))


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_a_data_root_with_any_character_is_streamed_closed_retired_and_queried(spark, tmp_path):
    lake = Lake(tmp_path / ODD_ROOT / "data")
    land(lake, "a.jsonl", *lines(orbit(range(0, 300, 5))))
    land(lake, NOT_TEXT, *lines(orbit(range(300, 400, 5))), "no record")
    run(spark, lake, ISS, AVAILABLE_NOW, Event(), now=lambda: datetime(2025, 12, 21, 23, tzinfo=UTC))
    land(lake, "../date=2025-12-22/b.jsonl", line(orbit([86_400])[0]))
    run(spark, lake, ISS, AVAILABLE_NOW, Event(), now=lambda: datetime(2025, 12, 23, tzinfo=UTC))
    open_rows = [counts(spark, lake)]
    closed = compact_day(spark, lake, DAY)
    settings = from_environment({})
    removed = list(removals(lake, settings, datetime.now(UTC) + timedelta(days=2)))
    for removal in removed:
        remove(lake, removal)

    assert open_rows == [dict.fromkeys(("DuckDB", "pandas", "Polars", "Spark"), 81)]
    assert closed.positions == 80
    assert {removal.kind for removal in removed} == {"live"}
    assert counts(spark, lake) == open_rows[0]
    (note,) = (json.loads(path.read_bytes()) for path in lake.quarantine.glob("*.reason.json"))
    assert note["first_lines"][0]["offset"] == sum(len(text) + 1 for text in lines(orbit(range(300, 400, 5))))
    assert note["first_lines"][0]["file_name"].endswith(r"b\udcff.jsonl")


def counts(spark, lake):
    """The rows of positions that each reader finds by the README's recipe."""
    names = files("positions", lake.root)
    with connect(lake.root) as tables:
        (in_duckdb,) = tables.sql("SELECT count(*) FROM positions").fetchone()
    return {
        "DuckDB": in_duckdb,
        "pandas": len(pd.read_parquet(names)),
        "Polars": pl.scan_parquet(names, hive_partitioning=True, glob=False).collect().height,
        "Spark": spark.read.parquet(*for_spark(names)).count(),
    }


def test_a_backslash_in_the_root_is_no_separator(tmp_path):
    lake = Lake(tmp_path / "a\\b" / "data")
    rows = positions_of(pa.Table.from_pylist(orbit([0, 5]), schema=BASE))
    publish(rows, POSITIONS, lake.live(POSITIONS) / f"date={DAY}" / "1200-0.parquet", lake.staging)

    assert connect(lake.root).sql("SELECT count(*) FROM positions").fetchone() == (2,)


@pytest.mark.parametrize("root", ["/x/date=2026-04-01/data", "/object_id=a", os.fsdecode(b"/\xff")])
def test_a_root_that_readers_would_misread_is_refused(root):
    with pytest.raises(SettingError, match="ORBITLAKE_DATA is"):
        data_root(root, "ORBITLAKE_DATA")


def test_quarantine_keeps_its_bound_and_says_what_it_dropped(lake, caplog):
    for number in range(20):
        kept = quarantine(lake, f"{number}.json", b"x" * 1000 + bytes([number]), f"reason {number}")
        os.utime(kept, (number, number))
    going = bound_quarantine(lake, 6_000)
    held = quarantined(lake)
    dropped = [json.loads(text) for text in (lake.quarantine / DROPPED).read_text().splitlines()]

    assert sum(entry.bytes for entry in held) <= 6_000
    assert len(going) + len(held) == 20
    assert [entry["reason"] for entry in dropped] == [f"reason {number}" for number in range(len(going))]
    assert all(len(entry.files) == 2 for entry in held), "bytes and reason go together"
    assert len(warnings(caplog)) == 1
    assert bound_quarantine(lake, 6_000) == []
    bound_quarantine(lake, 1)
    assert [len(entry.files) for entry in quarantined(lake)] == [2], "the newest stays"


def test_the_bad_lines_of_a_batch_are_one_entry_of_bounded_size(lake, capsys):
    count, long = 30_000, b"x" * 1_000
    bad = pa.table(
        {
            "line": pa.array([long] * count, pa.binary()),
            "file_name": ["a.json", "b.json"] * (count // 2),
            "offset": range(count),
            "reason": [f"not JSON: {number % 7}" for number in range(count)],
        }
    )
    keep_bad_lines(lake, bad, 2**30)
    (entry,) = quarantined(lake)
    note = json.loads(entry.files[0].read_bytes())

    assert MOST_BAD_BYTES * 0.9 < entry.bytes < MOST_BAD_BYTES * 1.1
    assert (note["lines"], note["lines_kept"]) == (count, MOST_BAD_BYTES // 1_000)
    assert note["first_lines"][1] == {"file_name": "b.json", "offset": 1, "reason": "not JSON: 1"}
    assert note["files"][0] == {"file_name": "a.json", "lines": count // 2, "first": 0, "last": count - 2}
    assert note["reason"].endswith("and 2 other reasons")
    assert "30000 bad lines" in capsys.readouterr().err
