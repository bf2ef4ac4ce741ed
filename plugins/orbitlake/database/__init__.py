"""The tables of the lake in PostgreSQL, with TimescaleDB or without."""

from orbitlake.database.comparison import differences
from orbitlake.database.connecting import Connection, connect, connect_by
from orbitlake.database.errors import DatabaseError, RefusedError
from orbitlake.database.load import Loaded, load, tables_named

__all__ = [
    "Connection",
    "DatabaseError",
    "Loaded",
    "RefusedError",
    "connect",
    "connect_by",
    "differences",
    "load",
    "tables_named",
]
