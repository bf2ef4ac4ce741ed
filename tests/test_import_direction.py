"""Imports point down: each part of the house knows only what lies below it, and only named parts know an engine."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "plugins" / "orbitlake"

# part -> the parts of orbitlake that it may import, itself included by nature.
MAY_IMPORT = {
    "tables": set(),
    "settings": set(),
    "lake": {"tables"},
    "upstream": {"settings"},
    "columns": {"physics"},
    "digits": {"tables"},
    "publishing": {"tables", "settings", "lake", "positions"},
    "lake_views": {"tables", "lake"},
    "query": {"tables", "settings", "lake", "lake_views", "publishing"},
    "inspection": {"tables", "settings", "lake", "query"},
    "physics": set(),
    "destinations": {"settings"},
    "bounded_http": {"destinations"},
    "endings": set(),
    "positions": {
        "physics",
        "columns",
        "digits",
        "endings",
        "tables",
        "settings",
        "lake",
        "bounded_http",
        "destinations",
    },
    "retention": {"positions", "lake", "settings", "tables"},
    "oem": {"physics", "digits", "tables", "settings", "lake", "bounded_http", "destinations"},
    "trajectory": {"physics", "digits", "tables", "settings", "lake"},
    "audit": {"physics", "columns", "digits", "tables", "settings", "lake", "positions", "trajectory", "alerts"},
    "passes": {"physics", "digits", "tables", "settings", "lake", "trajectory"},
    "exports": {"physics", "tables", "settings", "lake", "oem", "trajectory"},
    "database": {"lake", "positions", "settings", "tables", "upstream"},
    "simulator": {"physics", "tables", "settings", "oem"},
    "alerts": {"lake"},
    "mqtt": {"alerts", "settings"},
    "pass_alerts": {"alerts", "lake", "mqtt", "passes", "settings", "tables"},
    "freshness": {"lake", "tables", "settings", "positions"},
    "verdicts": {"alerts", "freshness"},
    "orchestration": {
        "tables",
        "settings",
        "lake",
        "alerts",
        "audit",
        "database",
        "freshness",
        "mqtt",
        "pass_alerts",
        "passes",
        "publishing",
        "upstream",
        "verdicts",
    },
    "page": {
        *("query", "tables", "settings", "lake", "physics", "alerts", "freshness", "verdicts", "upstream"),
        *("exports", "oem", "passes", "trajectory"),
    },
    "embedded": {"query", "tables", "settings", "lake", "simulator", "upstream"},
    "dags": {"audit", "orchestration", "passes", "tables", "settings", "positions", "retention", "oem", "trajectory"},
    "jobs": {
        *("audit", "database", "endings", "exports", "passes", "positions", "publishing", "query", "retention", "oem"),
        *("lake", "tables", "settings", "trajectory", "upstream"),
    },
}
# room within a part -> the rooms of the same part that it may import.
ROOMS = {
    "positions/derive": set(),
    "positions/store": {"positions/derive"},
    "positions/raw": set(),
    "positions/kafka": {"positions/raw"},
    "positions/collect": {"positions/raw", "positions/kafka"},
    "positions/spark": {"positions/derive", "positions/store", "positions/raw", "positions/kafka"},
    "oem/reader": set(),
    "oem/writer": {"oem/reader"},
    "oem/ingest": {"oem/reader"},
}
# engine -> the parts that may import it, at the top of a file or inside a function.
MAY_KNOW = {
    "airflow": {"orchestration", "dags", "page", "position_page"},
    "pyspark": {"jobs", "lake", "positions"},
    "erfa": {"physics", "oem"},
    "psycopg": {"database"},
    "confluent_kafka": {"positions"},
    "fastapi": {"simulator", "page", "position_page"},
}


def folder_of(part: str) -> Path:
    if part in ("dags", "jobs"):
        return CHECKOUT / part
    module = PACKAGE / f"{part}.py"
    return module if module.is_file() else PACKAGE / part


def sources(part: str) -> list[Path]:
    place = folder_of(part)
    return [place] if place.is_file() else sorted(place.glob("**/*.py"))


def imported(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(source: Path) -> set[str]:
    found = set()
    for name in imported(source):
        words = name.split(".")
        if words[0] == "orbitlake" and len(words) > 1 and words[1] in MAY_IMPORT:
            found.add(words[1])
    return found


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_part_exists_and_imports_only_what_lies_below_it(part: str):
    files = sources(part)

    assert files, f"{folder_of(part)} holds no source: the check would pass on nothing"
    for source in files:
        beyond = parts_imported(source) - MAY_IMPORT[part] - {part}
        assert not beyond, f"{source.relative_to(CHECKOUT)} imports {sorted(beyond)}"


def test_every_module_belongs_to_a_part():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}

    assert parts - {"__init__"} == set(MAY_IMPORT) - {"dags", "jobs"}


@pytest.mark.parametrize("room", ROOMS)
def test_room_exists_and_imports_no_room_above_it(room: str):
    part = room.split("/")[0]
    others = {f"orbitlake.{other.replace('/', '.')}" for other in ROOMS if other.split("/")[0] == part}
    above = others - {f"orbitlake.{name.replace('/', '.')}" for name in ROOMS[room] | {room}}
    files = sources(room)

    assert files, f"{folder_of(room)} holds no source: the check would pass on nothing"
    for source in files:
        for name in imported(source):
            assert not any(f"{name}.".startswith(f"{room}.") for room in above), f"{source.name} imports {name}"


@pytest.mark.parametrize("engine", MAY_KNOW)
def test_engine_is_known_only_where_it_may_be(engine: str):
    plugin = CHECKOUT / "plugins" / "position_page.py"
    knowing = {"position_page"} if plugin.is_file() and engine in {n.split(".")[0] for n in imported(plugin)} else set()
    for part in MAY_IMPORT:
        for source in sources(part):
            if engine in {name.split(".")[0] for name in imported(source)}:
                knowing.add(part)

    assert knowing, f"nobody imports {engine}: the check would pass on nothing"
    assert knowing <= MAY_KNOW[engine]


@pytest.mark.parametrize("room", ["positions/derive", "positions/store", "positions/record.py"])
def test_positions_are_derived_and_stored_without_an_engine(room: str):
    place = PACKAGE / room
    files = [place] if place.is_file() else sorted(place.glob("*.py"))

    assert files
    for source in files:
        assert "pyspark" not in {name.split(".")[0] for name in imported(source)}, source


def test_airflow_loads_nothing_of_the_package_as_a_plugin():
    from airflow.configuration import conf
    from airflow.utils.file import find_path_from_directory

    syntax = conf.get_mandatory_value("core", "dag_ignore_file_syntax", fallback="glob")
    seen = {
        Path(path).relative_to(CHECKOUT / "plugins").as_posix()
        for path in find_path_from_directory(str(CHECKOUT / "plugins"), ".airflowignore", syntax)
        if path.endswith(".py")
    }

    assert seen == {"position_page.py", "run_forms.py"}
