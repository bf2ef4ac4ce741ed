"""What keeps a load from going on, in words for whoever reads a log."""


class DatabaseError(Exception):
    """The database cannot take the tables as it is, or was not reached; what was loaded before stays."""


class RefusedError(DatabaseError):
    """The load was asked for what it must not do: trying again is no use."""
