"""What keeps a load from going on, in words for whoever reads a log."""

import psycopg


class DatabaseError(Exception):
    """The database cannot take the tables as it is, or was not reached; what was loaded before stays."""


class RefusedError(DatabaseError):
    """The load was asked for what it must not do: trying again is no use."""


def words_of(error: psycopg.Error) -> str:
    """Return what a server or driver says, in a line."""
    detail = error.diag.message_detail
    said = " ".join(str(error.diag.message_primary or error).split())
    return f"{said}: {detail}" if detail else said
