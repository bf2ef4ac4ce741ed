"""README and docs are executed: their Python runs, their commands are CI's or run here, their tables are the code's."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from tests.published import publish
from tests.servers import postgres

from orbitlake.embedded.topology import PORTS
from orbitlake.lake import Lake
from orbitlake.passes import Site, site_of
from orbitlake.passes.sites_file import places_of
from orbitlake.settings import CHECKOUT, DECLARED, variable
from orbitlake.settings import overview as settings
from orbitlake.tables import POSITIONS, TABLES, WINDOW_STATS, dictionary, overview
from orbitlake.verdicts import overview as states

PAGES = {
    page.relative_to(CHECKOUT).as_posix(): page.read_text()
    for page in (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").glob("**/*.md")))
}
CI = (CHECKOUT / ".ci" / "run").read_text()
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
MOST_LINES_OF_README = 200

# Commands that a person runs on a topology of their own; where each is exercised.
ELSEWHERE = {
    "make up": "tests/e2e/test_pipeline.py calls what it calls",
    "make down": "tests/e2e/test_pipeline.py calls what it calls",
    "make demo KEEP=1": "tests/embedded/interruptions.py calls what it calls",
    "make bench": "prints figures, never a verdict",
    "pip install .": "tests/test_library.py installs the wheel",
    "pip install '.[pipeline]'": "tests/test_library.py compares it with requirements.txt",
}
# Commands of blocks `sh`, which need a Docker engine; where each is exercised, of its beginning.
WITH_DOCKER = {
    "make env": "tests/compose/test_compose_file.py runs its script",
    "docker-compose build": "tests/compose/test_cluster.py builds the same images",
    "docker-compose up -d": "tests/compose/test_cluster.py",
    "docker-compose ps": "tests/compose/cluster.py asks it for containers",
    "docker-compose exec api-server python -c": "tests/compose/cluster.py asks so for tables",
    "docker-compose stop": "docker/backup stops the scheduler so",
    "docker-compose down": "tests/compose/test_cluster.py, with -v and without",
    "make backup TO=": "tests/compose/test_cluster.py",
    "make restore FROM=": "tests/compose/test_cluster.py",
    "git pull": "is no command of ours",
}


def blocks(language: str, *, beside: tuple[str, ...] = ()) -> list[str]:
    texts = (text for name, text in PAGES.items() if name not in beside)
    return [textwrap.dedent(body) for text in texts for _, found, body in FENCE.findall(text) if found == language]


def commands(language: str = "bash") -> list[str]:
    lines = "".join(blocks(language)).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def headings(text: str) -> set[str]:
    """The names by which links reach the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= MOST_LINES_OF_README


def test_every_table_of_the_docs_is_that_of_the_code():
    for table in TABLES.values():
        assert dictionary(table) in PAGES["docs/tables.md"]
        assert f"[`{table.name}`](docs/tables.md#{table.name})" in PAGES["README.md"]
    assert overview() in PAGES["docs/tables.md"]


def test_table_of_states_in_the_docs_is_that_of_the_code():
    assert states() in PAGES["docs/operations.md"]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str):
    text = FENCE.sub("", PAGES[name])
    broken = []
    for link in (first or second for first, second in LINK.findall(text)):
        path, _, heading = link.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        target = (CHECKOUT / name).parent / path if path else CHECKOUT / name
        if not target.exists() or (heading and heading not in headings(target.read_text())):
            broken.append(link)

    assert broken == []


def test_every_page_is_linked_from_another():
    linked = {
        ((CHECKOUT / name).parent / first.partition("#")[0]).resolve()
        for name, text in PAGES.items()
        for first, _ in LINK.findall(text)
        if not first.startswith(("#", "http"))
    }

    assert {name for name in PAGES if (CHECKOUT / name).resolve() not in linked} == set()


def test_every_block_is_of_a_language_that_is_checked():
    marks = [line.strip() for text in PAGES.values() for line in text.splitlines() if line.lstrip().startswith("```")]

    assert len(marks) == 2 * sum(len(FENCE.findall(text)) for text in PAGES.values())
    assert set(marks) == {"```", "```bash", "```python", "```sh", "```sql", "```toml", "```yaml"}


def test_the_file_of_places_that_the_settings_show_can_be_used(tmp_path: Path):
    # The rules alone have a page of their own.
    whole = "".join(sorted(blocks("toml"), reverse=True))

    places = places_of(whole.encode(), tmp_path / "sites.toml")
    assert [place.name for place in (*places.sites, *places.points)] == ["Paris", "Kourou"]
    assert [rule.name for rule in places.alerts] == ["all", "evenings"]
    assert site_of(name="X", latitude_deg=0, longitude_deg=0) == Site("X", 0.0, 0.0, 0.0, 10.0, "UTC")


@pytest.mark.spark
def test_every_python_example_runs(data: Path, tmp_path: Path):
    # Those of the library are one notebook, tests/test_library.py runs them; those of a store want a server:
    # tests/publishing/test_snippets.py.
    examples = blocks("python", beside=("docs/library.md", "docs/object-store.md"))
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
    loose += [command for command in commands("sh") if not command.startswith(tuple(WITH_DOCKER))]

    assert len(commands()) >= 8
    assert len(commands("sh")) >= 8
    assert loose == []


def is_run_here(command: str) -> bool:
    return any(word.startswith(("jobs/", "orbitlake.", "tests/")) or word == "-c" for word in shlex.split(command))


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_every_job_command_runs(data: Path, tmp_path: Path):
    from orbitlake.simulator import serve

    ours = list(dict.fromkeys(command for command in commands() if is_run_here(command)))
    assert len(ours) >= 5
    with serve() as url, postgres.running(tmp_path) as database:
        environment = {
            **os.environ,
            "ORBITLAKE_DATABASE_URL": database,
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
    used = {variable(declared) for declared in DECLARED.values()}
    for source in (CHECKOUT / "plugins").glob("**/*.py"):
        used |= set(re.findall(r"\bORBITLAKE_[A-Z0-9_]+\b", source.read_text()))
    internal = {"ORBITLAKE_TOPOLOGY", "ORBITLAKE_PART"}

    assert used >= set(PORTS)
    assert {name for name in used - internal if f"`{name}`" not in PAGES["docs/settings.md"]} == set()


def test_settings_in_the_docs_are_those_of_the_code():
    assert settings() in PAGES["docs/settings.md"]
