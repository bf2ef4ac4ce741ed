"""The README is executed: its Python runs, its commands are CI's or run here, its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from orbitlake.embedded.topology import PORTS
from orbitlake.lake import Lake, publish
from orbitlake.settings import CHECKOUT
from orbitlake.tables import POSITIONS, TABLES, WINDOW_STATS, dictionary, overview
from orbitlake.verdicts import overview as states

README = (CHECKOUT / "README.md").read_text()
CI = (CHECKOUT / ".ci" / "run").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Commands of the README that a person runs on a topology of their own; where each is exercised.
ELSEWHERE = {
    "make up": "tests/e2e/test_pipeline.py calls what it calls",
    "make down": "tests/e2e/test_pipeline.py calls what it calls",
    "make demo KEEP=1": "tests/embedded/interruptions.py calls what it calls",
    "make bench": "prints figures, never a verdict",
}


def blocks(language: str) -> list[str]:
    return [body for found, body in FENCE.findall(README) if found == language]


def commands() -> list[str]:
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data root with one row a position table: enough for every query of the README to run."""
    lake = Lake(tmp_path / "data")
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    values = {"object_id": "1998-067A", "source": "open_notify", "event_time": noon, "window_start": noon}
    for table in (POSITIONS, WINDOW_STATS):
        columns = {}
        for column in table.columns:
            if column.name in values:
                value = values[column.name]
            elif pa.types.is_timestamp(column.type):
                value = noon
            else:
                value = "North" if pa.types.is_string(column.type) else 1
            columns[column.name] = pa.array([value]).cast(column.type)
        publish(pa.table(columns), table, lake.day(table, date(2026, 11, 20)), lake.staging)
    return lake.root


def test_every_table_of_the_readme_is_that_of_the_code():
    for table in TABLES.values():
        assert dictionary(table) in README
    assert overview() in README


def test_table_of_states_in_the_readme_is_that_of_the_code():
    assert states() in README


@pytest.mark.spark
def test_every_python_example_runs(data: Path, tmp_path: Path):
    examples = blocks("python")
    assert len(examples) >= 4
    (tmp_path / "examples").mkdir()
    for place, example in enumerate(examples):
        script = tmp_path / "examples" / f"{place}.py"
        script.write_text(example)
        outcome = subprocess.run(
            [sys.executable, str(script)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "ORBITLAKE_DATA": str(data)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert outcome.returncode == 0, f"{example}\n{outcome.stderr}"
        assert "2026-11-20" in outcome.stdout or "North" in outcome.stdout


def test_every_command_is_run_by_ci_or_by_a_test():
    loose = [
        command
        for command in commands()
        if not (command in CI or command.split(" REPLAY=")[0] in CI or command in ELSEWHERE or is_run_here(command))
    ]

    assert len(commands()) >= 8
    assert loose == []


def is_run_here(command: str) -> bool:
    return any(word.startswith(("jobs/", "orbitlake.")) or word == "-c" for word in shlex.split(command))


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_every_job_command_runs(data: Path, tmp_path: Path):
    from orbitlake.simulator import serve

    ours = [command for command in commands() if is_run_here(command)]
    assert len(ours) >= 5
    with serve() as url:
        environment = {
            **os.environ,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "ORBITLAKE_DATA": str(data),
            "ORBITLAKE_UPSTREAM": "simulator",
            "ORBITLAKE_SIMULATOR_URL": url,
        }
        for command in ours:
            shortened = command.replace("--duration 300", "--duration 3")
            outcome = subprocess.run(
                ["bash", "-euc", shortened], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
            )

            assert outcome.returncode == 0, f"{shortened}\n{outcome.stdout}\n{outcome.stderr}"


def test_every_setting_is_described():
    used = set()
    for source in (CHECKOUT / "plugins").glob("**/*.py"):
        used |= set(re.findall(r"\bORBITLAKE_[A-Z0-9_]+\b", source.read_text()))
    internal = {"ORBITLAKE_TOPOLOGY", "ORBITLAKE_PART"}

    assert used >= set(PORTS)
    assert {name for name in used - internal if f"`{name}`" not in README} == set()
