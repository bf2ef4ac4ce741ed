"""CSV that other programs read back: every value, nulls apart from empty texts, times with their zone."""

import io
from datetime import date, datetime

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from orbitlake.exports import to_csv

ODD = """
SELECT * FROM (VALUES
  (1, 0.1::DOUBLE, true, TIMESTAMPTZ '2026-11-20 12:00:00.123456Z', '', 'a,"b"', ['x', 'y'], DATE '2026-11-20'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (-5, 1e-300, false, TIMESTAMPTZ '1969-12-31 23:59:59Z', ' ', E'two\\nlines', [], DATE '0001-01-01')
) AS odd (number, value, truth, "at", text, quoted, list, day)
"""
PLAIN = datetime.fromisoformat("2026-01-02")


def csv(rows: pa.Table | pa.RecordBatchReader) -> str:
    return bytes(to_csv(rows, "rows")).decode()


@pytest.fixture
def odd() -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(ODD).to_arrow_table()


def test_rows_are_written_as_they_read_best(odd: pa.Table):
    assert csv(odd) == (
        "number,value,truth,at,text,quoted,list,day\n"
        '1,0.1,true,2026-11-20T12:00:00.123456Z,"","a,""b""","[""x"", ""y""]",2026-11-20\n'
        ",,,,,,,\n"
        '-5,1e-300,false,1969-12-31T23:59:59.000000Z, ,"two\nlines",[],0001-01-01\n'
    )


def test_pandas_reads_the_same_back(odd: pa.Table):
    read = pd.read_csv(io.StringIO(csv(odd)), parse_dates=["at"])

    assert read["at"].dt.tz is not None
    assert read["value"].tolist()[::2] == [0.1, 1e-300]
    assert read["quoted"].tolist()[::2] == ['a,"b"', "two\nlines"]
    assert read.iloc[1].isna().all()


def test_duckdb_tells_null_from_an_empty_text(odd: pa.Table, tmp_path):
    (tmp_path / "rows.csv").write_text(csv(odd))
    read = duckdb.sql(f"SELECT text, value FROM read_csv('{tmp_path / 'rows.csv'}', allow_quoted_nulls = false)")

    assert [text for text, _ in read.fetchall()] == ["", None, " "]


def test_batches_of_a_reader_are_one_file_with_one_head():
    table = pa.table({"n": range(10)})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=3))

    assert csv(reader) == csv(table) == "n\n" + "".join(f"{n}\n" for n in range(10))
    assert csv(table.slice(0, 0)) == "n\n"


def test_dictionaries_and_plain_times_are_written_by_value():
    table = pa.table({"name": pa.array(["a", None, "a"]).dictionary_encode(), "at": [PLAIN, None, None]})

    assert csv(table) == "name,at\na,2026-01-02T00:00:00.000000\n,\na,\n"


def test_structures_are_in_json():
    table = pa.table({"of": [{"day": date(2026, 1, 2), "n": 1}]})

    assert csv(table) == 'of\n"{""day"": ""2026-01-02"", ""n"": 1}"\n'
