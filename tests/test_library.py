"""Installed as a library: the wheel, in an environment of its own, runs all that docs/library.md shows."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.exports.flown import simulated

CHECKOUT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = PYTHON.findall((CHECKOUT / "docs" / "library.md").read_text())
UNREACHABLE = (
    "error sending request",
    "dns error",
    "Could not connect",
    "client error (Connect)",
    "operation timed out",
)
FOR_THE_PIPELINE = {
    "msgspec",
    "confluent_kafka",
    "psycopg",
    "airflow",
    "pyspark",
    "pandas",
    "requests",
    "urllib3",
    "rich",
    "psutil",
    "fastapi",
    "pydantic",
}
PUBLIC = ("oem", "physics", "trajectory", "passes", "exports", "query")
# Prints what an import brought along, beside the modules named.
BROUGHT_BY = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""
# Prints the modules of the package that cannot be imported, with what each is in want of.
IN_WANT = """
import importlib, json, pkgutil
import orbitlake
found = {}
for module in pkgutil.walk_packages(orbitlake.__path__, "orbitlake.", onerror=lambda name: None):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        found[module.name] = error.name
print(json.dumps(found))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without what the tests' own environment would bring along, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ORBITLAKE_"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if command[0] == UV and any(reason in done.stderr for reason in UNREACHABLE):
        pytest.skip(f"no package index in reach: {done.stderr.strip().splitlines()[-1]}")

    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--out-dir", folder, CHECKOUT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """The interpreter of an environment with the wheel and what it depends on, of the locked versions."""
    environment = wheel.parent / "venv"
    run(UV, "venv", "--python", sys.executable, environment, cwd=wheel.parent)
    interpreter = environment / "bin" / "python"
    run(UV, "pip", "install", "--python", interpreter, "-c", CHECKOUT / "constraints.txt", wheel, cwd=wheel.parent)
    return interpreter


def test_dependencies_agree_with_the_pinned_ones():
    lines = (line.partition("#")[0].strip() for line in (CHECKOUT / "requirements.txt").read_text().splitlines())
    pinned = {Requirement(line).name: line for line in lines if line}
    ranges = {(parsed := Requirement(line)).name: parsed.specifier for line in PROJECT["dependencies"]}
    extra = {Requirement(line).name: line for line in PROJECT["optional-dependencies"]["pipeline"]}

    assert ranges.keys() | extra.keys() == pinned.keys()
    assert not ranges.keys() & extra.keys()
    assert extra == {name: line for name, line in pinned.items() if name in extra}
    for name, allowed in ranges.items():
        assert allowed.contains(pinned[name].partition("==")[2]), name


def test_version_is_that_of_the_package():
    from orbitlake import __version__

    assert PROJECT["version"] == __version__


def test_wheel_holds_the_package_and_none_of_what_only_a_checkout_runs(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    parts = {name.split("/")[1].removesuffix(".py") for name in names if name.startswith("orbitlake/")}

    assert {"orbitlake/py.typed", "orbitlake/physics/egm2008.txt", "orbitlake/exports/oem.py"} <= names
    assert parts >= set(PUBLIC)
    assert not parts & {"simulator", "embedded"}
    assert {name.split("/")[0] for name in names} == {"orbitlake", f"orbitlake-{PROJECT['version']}.dist-info"}


def test_only_what_the_pipeline_runs_on_is_missing(python: Path, tmp_path: Path):
    in_want = json.loads(run(python, "-c", IN_WANT, cwd=tmp_path))

    assert set(in_want.values()) <= FOR_THE_PIPELINE
    of_library = [name for name in in_want if name.split(".")[1] in (*PUBLIC, "lake", "tables", "settings", "digits")]
    assert of_library
    assert {name for name in of_library if not name.startswith("orbitlake.oem.ingest.")} == set()


@pytest.mark.parametrize("name", ["oem", "trajectory", "passes", "exports"])
def test_package_has_its_public_names_at_its_top(python: Path, tmp_path: Path, name: str):
    listed = (
        f"import orbitlake.{name} as package; print(*package.__all__); [getattr(package, n) for n in package.__all__]"
    )

    assert run(python, "-c", listed, cwd=tmp_path).split()


def test_reading_an_ephemeris_loads_nothing_that_it_does_not_need(python: Path, tmp_path: Path):
    heavy = ("lxml", "pyarrow.parquet", "pyarrow.dataset", "duckdb", "sgp4", "orbitlake.lake", "orbitlake.exports")

    assert json.loads(run(python, "-c", BROUGHT_BY, "orbitlake.oem", *heavy, cwd=tmp_path)) == []


def test_data_root_is_a_folder_of_where_the_program_runs(python: Path, tmp_path: Path):
    asked = "from orbitlake.settings import from_environment; print(from_environment().data)"

    assert run(python, "-c", asked, cwd=tmp_path).strip() == str(tmp_path / "data")


def test_every_line_of_the_page_runs_where_nothing_else_is_installed(python: Path, tmp_path: Path):
    (tmp_path / "ISS.OEM_J2K_EPH.txt").write_bytes(simulated())
    (tmp_path / "page.py").write_text("\n".join(EXAMPLES))
    printed = run(python, "page.py", cwd=tmp_path)

    assert len(EXAMPLES) >= 8
    for expected in (
        "1998-067A 2026-11-2",
        "2026-11-26 05:37:00+00:00",
        "rises 2026-11-2",
        "1 25544U 98067A",
        "MEAN_ELEMENT_THEORY = SGP4",
    ):
        assert expected in printed
    assert {"iss.oem.xml", "iss.czml"} <= {file.name for file in tmp_path.iterdir()}
    assert not (tmp_path / "data").exists()
