"""What a library keeps private is used only where a page of docs/decisions says what for and why it stays."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from orbitlake.settings import CHECKOUT

DECISIONS = CHECKOUT / "docs" / "decisions"
# What Airflow's and PySpark's references name, with all below it where a dot ends the name.
PUBLIC = (
    "airflow.sdk",
    "airflow.sdk.exceptions",
    "airflow.plugins_manager",
    "airflow.listeners",
    "airflow.configuration",
    "airflow.providers.",
    "airflow.timetables.",
    "pyspark",
    "pyspark.errors",
    "pyspark.sql",
    "pyspark.sql.types",
    "pyspark.sql.datasource",
    "pyspark.sql.streaming.",
)
# Named with an underscore and documented all the same.
DOCUMENTED = {"_exit", "_replace"}


def sources() -> list[Path]:
    return [file for folder in ("plugins", "dags", "jobs") for file in sorted((CHECKOUT / folder).glob("**/*.py"))]


def private_names(source: Path) -> Iterator[str]:
    """The private attributes of others, and the names imported from modules that are not public."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in DOCUMENTED:
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("airflow", "pyspark"):
            is_public = any(
                node.module == name or (name[-1] == "." and node.module.startswith(name)) for name in PUBLIC
            )
            yield from () if is_public else (alias.name for alias in node.names)


def pages() -> dict[str, str]:
    """The text of the pages on private names, by the file that uses them."""
    rows = re.findall(r"^\| \[\d+\]\(([\w.-]+)\) \|.*\| `([\w./]+)` \|$", (DECISIONS / "README.md").read_text(), re.M)
    found: dict[str, str] = {}
    for page, file in rows:
        found[file] = found.get(file, "") + (DECISIONS / page).read_text()
    return found


def test_every_private_name_has_a_page_that_says_why():
    used = {
        source.relative_to(CHECKOUT / "plugins" / "orbitlake").as_posix()
        if source.is_relative_to(CHECKOUT / "plugins" / "orbitlake")
        else source.relative_to(CHECKOUT).as_posix(): set(private_names(source))
        for source in sources()
    }
    explained = pages()
    unexplained = {
        (file, name) for file, names in used.items() for name in names if name not in explained.get(file, "")
    }

    assert sum(map(len, used.values())) >= 6, "the check would pass on nothing"
    assert unexplained == set()


def test_every_page_is_of_a_file_that_is_there():
    folder = CHECKOUT / "plugins" / "orbitlake"

    assert len(pages()) >= 5
    assert [file for file in pages() if not (folder / file).is_file()] == []
