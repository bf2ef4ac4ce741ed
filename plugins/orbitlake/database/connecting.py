"""A connection to the database, by its URL."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from orbitlake.database.errors import DatabaseError

Connection = psycopg.Connection[Any]
APPLICATION: Final = "orbitlake load_database"
CONNECT_WITHIN_S: Final = 20
ALIVE: Final = {
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
"""When a server that does not answer any more counts as gone: seconds, and milliseconds for what was sent to it."""


def connect(url: str) -> Connection:
    """Return a connection; what the URL leaves out libpq takes from PGUSER, ~/.pgpass and the like.

    Raises DatabaseError, whose text names no password.
    """
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its text quotes what it stumbled on, which may be the password.
        raise DatabaseError("the database's URL cannot be read: expected postgresql://user@host:5432/name") from None
    options: dict[str, Any] = {"connect_timeout": CONNECT_WITHIN_S, "application_name": APPLICATION, **ALIVE}
    return connect_by(partial(psycopg.connect, url, **options))


def connect_by(opening: Callable[[], Any]) -> Connection:
    """Return the connection that a function opens, such as that of a hook of Airflow. Raises DatabaseError."""
    try:
        connection: Connection = opening()
    except psycopg.Error as error:
        raise DatabaseError(" ".join(str(error).split())) from None
    connection.autocommit = True
    connection.row_factory = tuple_row
    return connection
