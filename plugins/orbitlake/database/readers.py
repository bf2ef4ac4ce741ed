"""The role that may read the tables and nothing else: people and dashboards are made members of it."""

import logging
from typing import Any, Final

from psycopg import Cursor, errors, sql

LOG: Final = logging.getLogger(__name__)


def role_of(schema: str) -> str:
    """Return the name of the role, such as orbitlake_reader: roles belong to the server, not to a database."""
    return f"{schema}_reader"


def make_reader(cursor: Cursor[Any], schema: str) -> bool:
    """Make the role where it is absent, let it read the tables of now and of later, and say whether it is there.

    It cannot log in, and owns nothing. Whoever loads may not be allowed to make roles: that is said in the log.
    """
    role, place = sql.Identifier(role_of(schema)), sql.Identifier(schema)
    found = cursor.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (role_of(schema),)).fetchone()
    if found is None:
        try:
            with cursor.connection.transaction():
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        except errors.DuplicateObject:
            LOG.info("the role %s was made meanwhile", role_of(schema))
        except errors.InsufficientPrivilege:
            LOG.warning(
                "whoever loads may not make roles: CREATE ROLE %s NOLOGIN by an administrator, then load again",
                role.as_string(cursor),
            )
            return False
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(place, role))
    cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(place, role))
    # Of tables that whoever loads makes later: a table of a new day, one made anew.
    cursor.execute(sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(place, role))
    return True


def may_read(cursor: Cursor[Any], schema: str) -> bool:
    """Whether the role is there and may use the schema."""
    found = cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s "
        "AND pg_catalog.has_schema_privilege(oid, %s, 'USAGE'))",
        (role_of(schema), schema),
    ).fetchone()
    return found == (True,)
