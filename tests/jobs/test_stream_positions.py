"""The stream and the compaction as people run them: raw files in, live files out, a closed day at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.positions.samples import lines, orbit

from orbitlake.settings import REFUSED
from orbitlake.tables import POSITIONS, WINDOW_STATS

CHECKOUT = Path(__file__).resolve().parents[2]
DAY = "2025-12-21"
pytestmark = pytest.mark.spark


@pytest.fixture
def command(lake):
    """The command line of a job and the environment it needs: PYTHONPATH alone."""
    environment = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "JDK_JAVA_OPTIONS") if name in os.environ}
    environment |= {"PYTHONPATH": "plugins", "ORBITLAKE_DATA": str(lake.root)}
    return lambda job, *arguments: {
        "args": [sys.executable, f"jobs/{job}.py", *arguments],
        "cwd": CHECKOUT,
        "env": environment,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def land(lake, rows):
    folder = lake.raw_open_notify / f"date={DAY}"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("\n".join(lines(rows)) + "\n")


def counts(folder, *patterns):
    return [sum(pq.read_metadata(file).num_rows for file in folder.glob(pattern)) for pattern in patterns]


def test_raw_records_become_live_rows_and_then_a_closed_day(lake, command):
    land(lake, orbit(range(0, 300, 5)))
    streamed = subprocess.run(**command("stream_positions", "--trigger", "available-now"), check=True)
    compacted = subprocess.run(**command("compact_positions", "--date", DAY), check=True)

    assert json.loads(streamed.stdout.splitlines()[-1])["rows"] == 60
    assert counts(lake.root, "live/positions/date=*/*.parquet", "live/window_stats/date=*/*.parquet") == [60, 5]
    assert json.loads(compacted.stdout.splitlines()[-1]) == {
        "date": DAY, "positions": 60, "window_stats": 5, "parts": 1, "replaced": True,
    }  # fmt: skip
    assert all(pq.read_metadata(lake.day(table, date(2025, 12, 21))).num_rows for table in (POSITIONS, WINDOW_STATS))


def test_sigterm_ends_the_stream_in_good_order_and_meanwhile_a_second_one_is_refused(lake, command):
    land(lake, orbit(range(0, 60, 5)))
    with subprocess.Popen(**command("stream_positions", "--trigger", "1 seconds")) as first:
        assert json.loads(first.stdout.readline())["rows"] == 12
        second = subprocess.run(**command("stream_positions"), check=False)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)

    assert first.returncode == 0
    assert second.returncode == 1
    assert "in use by another stream_positions" in second.stderr


def test_an_open_day_is_refused_before_spark_starts(command):
    began = time.monotonic()
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    refused = subprocess.run(**command("compact_positions", "--date", tomorrow.isoformat()), check=False)

    assert refused.returncode == REFUSED
    assert "is not over in UTC" in refused.stderr
    assert time.monotonic() - began < 15
