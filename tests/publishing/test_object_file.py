"""The file sent in place of another: who knows the length or footer of that one reads it, everyone else the new."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.publishing.days import FIRST, rows_of

from orbitlake.lake.parquet import write_table
from orbitlake.publishing import object_file
from orbitlake.publishing.object_file import KEPT_S, is_whole, source_of, write_object
from orbitlake.tables import WINDOW_STATS

A_MINUTE_S = 60.0


@pytest.fixture
def replace(tmp_path: Path):
    """Write a revision in place of the object before; return its file."""
    last: list[Path] = []

    def replace(revision: int, now_s: float, rows: int = 600, named_bytes: int | None = None) -> Path:
        part, target = tmp_path / "part.parquet", tmp_path / f"{revision}.parquet"
        write_table(rows_of(FIRST, revision, rows), WINDOW_STATS, part)
        before = last[-1] if last else None
        written = write_object(WINDOW_STATS, [part], target, before, str(revision), now_s, named_bytes)
        last.append(target)
        assert (written.rows, written.bytes, source_of(target)) == (rows, target.stat().st_size, str(revision))
        assert pq.read_table(target).equals(rows_of(FIRST, revision, rows))
        return target

    return replace


def rows_by_length(file: Path, length: int) -> pa.Table:
    """What a reader finds in a file that it takes to be so long."""
    return pq.read_table(pa.BufferReader(file.read_bytes()[:length]))


def test_what_replaces_an_object_begins_with_it(replace):
    files = [replace(revision, revision * A_MINUTE_S) for revision in range(5)]

    for newer, older in zip(files[1:], files, strict=False):
        assert newer.read_bytes().startswith(older.read_bytes())
    for revision, older in enumerate(files):
        assert rows_by_length(files[-1], older.stat().st_size).equals(rows_of(FIRST, revision, 600))


def test_an_object_replaced_each_hour_for_ever_grows_by_footers_alone(replace):
    lengths, files = [], []
    for revision in range(12):
        files.append(replace(revision, revision * (KEPT_S + 1), 600 + revision))
        lengths.append(files[-1].stat().st_size)

    footer = 20_000
    assert all(longer > shorter for longer, shorter in zip(lengths[1:], lengths, strict=False))
    assert lengths[-1] < 4 * lengths[0] + 12 * footer
    for revision in range(11):
        before = rows_by_length(files[revision + 1], lengths[revision])
        assert before.equals(rows_of(FIRST, revision, 600 + revision))


def test_versions_replaced_within_the_hour_all_stay_readable(replace):
    files = [replace(revision, revision * KEPT_S / 6, 300 + 40 * (revision % 3)) for revision in range(14)]

    for revision, file in enumerate(files):
        for younger in files[revision : revision + 6]:
            found = rows_by_length(younger, file.stat().st_size)
            assert found.equals(rows_of(FIRST, revision, 300 + 40 * (revision % 3)))


def test_the_version_that_the_manifest_names_stays_readable_however_old_it_is(replace):
    named = replace(0, 0).stat().st_size
    for revision in range(1, 6):
        file = replace(revision, revision * (KEPT_S + 1), named_bytes=named)
        assert rows_by_length(file, named).equals(rows_of(FIRST, 0, 600))

    newest = file.stat().st_size
    for revision in range(6, 9):
        file = replace(revision, 5 * (KEPT_S + 1) + revision * A_MINUTE_S, named_bytes=newest)
        assert rows_by_length(file, named).equals(rows_of(FIRST, 0, 600))


def test_a_large_object_keeps_its_page_index(replace, monkeypatch):
    monkeypatch.setattr(object_file, "SMALL_ROWS", 500)
    files = [replace(revision, revision * (KEPT_S + 1)) for revision in range(8)]

    for revision in range(7):
        found = rows_by_length(files[revision + 1], files[revision].stat().st_size)
        assert found.equals(rows_of(FIRST, revision, 600))
    assert pq.read_metadata(files[0]).row_group(0).column(0).has_column_index


def test_plans_made_before_the_replacement_find_their_rows(replace, tmp_path):
    fixed = tmp_path / "fixed" / "part-0.parquet"
    fixed.parent.mkdir()
    fixed.write_bytes(replace(1, 0).read_bytes())
    scan = pl.scan_parquet(fixed)
    scan.collect_schema()
    dataset = ds.dataset(fixed)
    fragments = list(dataset.get_fragments())
    for fragment in fragments:
        fragment.ensure_complete_metadata()

    fixed.write_bytes(replace(2, 1).read_bytes())

    assert scan.select("data_points").collect()["data_points"].unique().to_list() in ([1], [2])
    assert fragments[0].to_table().equals(rows_of(FIRST, 1, 600))


def test_a_flipped_bit_in_the_newest_pages_shows(replace):
    replace(1, 0)
    file = replace(2, 1)
    content = bytearray(file.read_bytes())

    assert is_whole(file)
    content[len(content) // 2 + 600] ^= 1
    file.write_bytes(content)
    assert not is_whole(file)
