"""Fixtures that every part of the tests shares: the real files and an empty data root."""

import logging
import os
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from orbitlake.lake import Lake

CHECKOUT = Path(__file__).resolve().parents[1]

LONG_FILES = pytest.StashKey[set[str]]()
END_TO_END = "tests/e2e/"
KILLS = "tests/kills/"
SHARED = {
    "real issues": (
        *("oem/reader/test_read.py", "oem/reader/test_jumps.py", "oem/reader/test_checks.py", "physics/test_frames.py"),
        *("trajectory/test_burn_history.py", "trajectory/test_prediction_error.py"),
    ),
    "Spark": tuple(
        f"positions/test_{name}.py" for name in ("compaction", "edges", "lifecycle", "name_sweep", "roomy", "source")
    ),
}
"""What the files of one worker share: all real issues read, a session of Spark."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
FIRST = (
    *("e2e", "kills/test_kafka_kills.py", "embedded/test_strangers.py", "embedded/test_setup.py", "kills"),
    "embedded/test_topology.py",
    *("oem/ingest", "jobs", "page/test_use.py", "positions", "oem/reader", "test_examples.py", "test_readme.py"),
)
"""What takes minutes, the longest first: begun last, it would keep one worker busy while the other is done.

Of those the files of several tests come first, since what is given to a worker along with a single test waits for it.
"""

# Airflow reads these once, at its first import, whichever test comes first; its database has one user.
os.environ["AIRFLOW_HOME"] = str(CHECKOUT / ".run" / "tests" / f"airflow-{WORKER}")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

# It says at the interpreter's end, into a stream that pytest has closed by then, that it closes a connection.
logging.getLogger("py4j").setLevel(logging.WARNING)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of odd bytes by its argument: gzip holds the time, and all workers must have the same names."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, and note the files that hold a test marked so."""
    config.stash[LONG_FILES] = {
        item.path.relative_to(CHECKOUT).as_posix() for item in items if item.get_closest_marker("long")
    }
    names = {item: item.path.relative_to(CHECKOUT / "tests").as_posix() for item in items}
    items.sort(
        key=lambda item: next((place for place, part in enumerate(FIRST) if names[item].startswith(part)), len(FIRST))
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Keep a file's tests on one worker, and all that share the end-to-end topology."""
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):
    """What a worker takes at a time."""

    def _split_scope(self, nodeid: str) -> str:
        # Tests of kills take minutes, and share nothing.
        if nodeid.startswith(KILLS):
            return nodeid
        if nodeid.startswith(END_TO_END):
            return END_TO_END
        file = nodeid.partition("::")[0]
        return next((share for share, files in SHARED.items() if file.removeprefix("tests/") in files), file)

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker its next file when one test is left: it begins with that only once it knows of another.

        Given earlier, the file would wait behind two tests of minutes while another worker has nothing to do.
        """
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


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
