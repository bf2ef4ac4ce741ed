"""Fixtures that every part of the tests shares: the real files and an empty data root."""

import logging
import os
from pathlib import Path

import pytest

from orbitlake.lake import Lake

CHECKOUT = Path(__file__).resolve().parents[1]

# Airflow reads these once, at its first import, whichever test comes first.
os.environ["AIRFLOW_HOME"] = str(CHECKOUT / ".run" / "tests" / "airflow")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

# It says at the interpreter's end, into a stream that pytest has closed by then, that it closes a connection.
logging.getLogger("py4j").setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; a test that needs it skips, and says so, where it is absent."""
    folder = Path(os.environ.get("ORBITLAKE_REAL_DATA") or CHECKOUT.parent / "shared" / "data")
    if not (folder / "PROVENANCE.csv").is_file():
        pytest.skip(f"no real files at {folder}: set ORBITLAKE_REAL_DATA to run this test")
    return folder.resolve()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")
