"""What the task of load_database does: the tables of the lake brought into PostgreSQL, where one is set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orbitlake.orchestration.outcomes import counted, note

if TYPE_CHECKING:
    from orbitlake.database import Connection, Loaded
    from orbitlake.settings import Settings

NONE_SET = "no database is set: nothing to load (ORBITLAKE_DATABASE_URL or ORBITLAKE_DATABASE_CONNECTION)"


def load_database(context: Any) -> dict[str, Any]:
    """Load what is news, note what was loaded, and return it by table; where no database is set, say so.

    Raises DatabaseError where the database is not reached, or a partition cannot be loaded: the next try loads it.
    Raises AirflowFailException where trying again would not help.
    """
    from dataclasses import asdict

    from airflow.sdk.exceptions import AirflowFailException

    from orbitlake.database import DatabaseError, RefusedError, differences, load, tables_named
    from orbitlake.lake import Lake
    from orbitlake.settings import from_environment

    settings = from_environment()
    if not settings.database_url and not settings.database_connection:
        note(context, NONE_SET)
        return {}
    lake, everything = Lake(settings.data), context["params"]["scope"] == "everything"
    try:
        tables = tables_named(settings.database_tables)
        with connection_of(settings) as connection:
            done = load(connection, lake, tables, settings.database_schema, everything=everything)
            failures = [failure for each in done for failure in each.failures]
            if context["params"]["check"] == "yes":
                failures += differences(connection, lake, tables, settings.database_schema)
    except RefusedError as error:
        raise AirflowFailException(str(error)) from error
    note(context, "; ".join([*failures, of_load(done)]))
    if failures:
        raise DatabaseError("; ".join(failures))
    return {each.table: asdict(each) for each in done}


def connection_of(settings: "Settings") -> "Connection":
    """Return a connection by the settings: by a connection of Airflow where one is named, else by the URL.

    Raises DatabaseError where the database is not reached, AirflowFailException for a connection that there is not.
    """
    from orbitlake.database import connect, connect_by

    if not settings.database_connection:
        return connect(settings.database_url)

    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowRuntimeError

    try:
        return connect_by(PostgresHook(postgres_conn_id=settings.database_connection).get_conn)
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        raise AirflowFailException(
            f"ORBITLAKE_DATABASE_CONNECTION: Airflow has no connection {settings.database_connection!r}"
        ) from error


def of_load(done: "Sequence[Loaded]") -> str:
    """Return the sentence of a load."""
    said = []
    for each in done:
        if each.loaded or each.removed:
            removed = f", {each.removed} removed" if each.removed else ""
            rows = counted(each.rows_loaded, "row")
            said.append(f"{each.table}: {counted(each.loaded, 'partition')} loaded with {rows}{removed}")
    return "; ".join(said) or f"nothing new in {counted(len(done), 'table')}"
