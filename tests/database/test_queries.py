"""The queries of docs/database.md and of the Grafana dashboard, run by who may only read; the dashboard itself."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.database.random_rows import of_partition, put
from tests.servers import postgres

from orbitlake.database import connect, load
from orbitlake.embedded.roots import TopologyError
from orbitlake.lake import Lake
from orbitlake.tables import BURN_HISTORY, PASSES, POSITION_AUDIT, PREDICTION_ERROR_SUMMARY, TABLES

DOCS = Path(__file__).resolve().parents[2] / "docs"
TODAY = datetime.now(UTC)
YESTERDAY = (TODAY - timedelta(days=1)).date()
SCHEMA = "grafana"
FIXED = {
    POSITION_AUDIT.name: {"verdict": "OK", "error_km": 2.5},
    PREDICTION_ERROR_SUMMARY.name: {"burn_between": False, "lead_from_s": 86400.0, "lead_to_s": 172800.0},
    BURN_HISTORY.name: {"status": "PLANNED", "ignition_shift_s": None},
    PASSES.name: {
        "status": "PREDICTED",
        "visible_from": TODAY + timedelta(hours=20),
        "set_time": TODAY + timedelta(hours=21),
    },
}
SET_UP, MEMBER, *QUERIES = re.findall(
    r"^```sql\n(.*?)^```$", (DOCS / "database.md").read_text(), re.MULTILINE | re.DOTALL
)
DASHBOARD = json.loads((DOCS / "grafana" / "orbitlake.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server on which nobody has loaded before."""
    try:
        with postgres.running(tmp_path_factory.mktemp("queries")) as url:
            yield url
    except TopologyError as error:
        pytest.skip(f"no PostgreSQL here: {error}")


@pytest.fixture(scope="module")
def reader(own_server, tmp_path_factory):
    """A connection of who may only read, to a database with rows of yesterday in each table, in two schemas.

    It is set up by the statements of the page, and loaded by the user that they make.
    """
    with psycopg.connect(own_server, autocommit=True) as administrator:
        for statement in filter(str.strip, SET_UP.split(";")):
            administrator.execute(statement)
        administrator.execute(f"CREATE ROLE {SCHEMA}_reader")
    lake = Lake(tmp_path_factory.mktemp("queries") / "data")
    for table in TABLES.values():
        one = FIXED.get(table.name, {})
        count = 1 if table == PREDICTION_ERROR_SUMMARY else 30
        put(lake, table, of_partition(table, count, date=YESTERDAY, **one), date=YESTERDAY)
    host = own_server.partition("@")[2].removesuffix("/postgres")
    with connect(f"postgresql://lake_loader:a-password-of-yours@{host}/lake") as connection:
        for schema in ("orbitlake", SCHEMA):
            for done in load(connection, lake, tuple(TABLES.values()), schema):
                assert not done.failures
    with psycopg.connect(own_server, autocommit=True) as administrator:
        administrator.execute(MEMBER)
        administrator.execute(f"GRANT {SCHEMA}_reader TO dashboard")
    with connect(f"postgresql://dashboard:another-password@{host}/lake") as connection:
        yield connection


def expanded(query: str) -> str:
    """A query of the dashboard as Grafana sends it: macros and variables replaced, values quoted."""
    begin, end = (TODAY - timedelta(days=3)).isoformat(), (TODAY + timedelta(days=2)).isoformat()
    query = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{begin}' AND '{end}'", query)
    query = re.sub(
        r"\$__timeGroupAlias\((\w+), \$__interval\)", r'floor(extract(epoch from \1)/60)*60 AS "time"', query
    )
    for name, value in {
        "${object:sqlstring}": "'1998-067A'",
        "${site:sqlstring}": "'Paris'",
        "${schema}": SCHEMA,
    }.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: re.search(r"orbitlake\.(\w+)", query)[1])
def test_a_query_of_the_page_runs_and_finds_rows(reader, query: str):
    assert reader.execute(query).fetchall()


def test_the_page_shows_a_query_for_what_people_ask_first():
    asked = {name for query in QUERIES for name in re.findall(r"orbitlake\.(\w+)", query)}

    assert asked >= {
        "positions",
        "coverage",
        "position_audit",
        "oem_issues",
        "thrust_episodes",
        "burn_history",
        "passes",
    }


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_says_what_it_shows_and_its_query_finds_rows(reader, title: str):
    (target,) = PANELS[title]["targets"]
    cursor = reader.execute(expanded(target["rawSql"]))

    assert PANELS[title]["description"]
    assert cursor.fetchall()
    names = [column.name for column in cursor.description]
    if target["format"] == "time_series":
        assert names[0] == "time"
    if PANELS[title]["type"] == "geomap":
        assert {"latitude", "longitude"} <= set(names)


@pytest.mark.parametrize("name", ["object", "site"])
def test_a_variable_lists_what_there_is(reader, name: str):
    assert reader.execute(expanded(VARIABLES[name]["query"])).fetchall() == [
        ({"object": "1998-067A", "site": "Paris"}[name],)
    ]


def test_the_dashboard_asks_for_its_source_and_schema_and_names_no_other():
    inputs = {f"${{{each['name']}}}" for each in DASHBOARD["__inputs"]}
    text = json.dumps({name: value for name, value in DASHBOARD.items() if name != "__inputs"})

    assert inputs == {"${DS_ORBITLAKE}", "${VAR_SCHEMA}"}
    assert set(re.findall(r'"uid": "([^"]+)"', text)) == {"${DS_ORBITLAKE}", "orbitlake"}
    assert {each["id"] for each in DASHBOARD["__requires"] if each["type"] == "panel"} == {
        panel["type"] for panel in PANELS.values()
    }
    assert "orbitlake." not in "".join(panel["targets"][0]["rawSql"] for panel in PANELS.values())


def test_no_two_panels_share_a_number_or_a_place():
    cells = [
        (x, y)
        for panel in PANELS.values()
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(PANELS) == len(DASHBOARD["panels"]) == len({panel["id"] for panel in PANELS.values()})
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
