"""Tables of the lake -> PostgreSQL: closed days, issues, burns, passes, as tables.py describes them.

The database is that of ORBITLAKE_DATABASE_URL, the schema that of ORBITLAKE_DATABASE_SCHEMA; it has to exist, all in it
is made here. A partition whose files are those loaded before is not read again, one that changed replaces its rows in
one transaction, one that is gone from the lake goes. Running again is always safe, also after a run that was killed,
and beside another run. One line of JSON a table:
  {"table", "loaded", "unchanged", "removed", "rows_loaded", "failures"}
`loaded`, `unchanged` and `removed` count partitions. The exit status is 1 where a partition could not be loaded, all
others being done all the same, or where the database was not reached: run again; and 3 where no database is set, a
table is not known, or the database holds what this lake must not replace.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from orbitlake.database import DatabaseError, RefusedError, connect, differences, load, tables_named
from orbitlake.lake import Lake
from orbitlake.settings import REFUSED, Settings, of_command_line
from orbitlake.tables import Table


def main(settings: Settings, tables: Sequence[Table], *, everything: bool, check: bool) -> int:
    """Bring the tables of the database up to date, print a line for each, and return the exit status."""
    lake, failed = Lake(settings.data), False
    with connect(settings.database_url) as connection:
        for done in load(connection, lake, tables, settings.database_schema, everything=everything):
            print(json.dumps(asdict(done)), flush=True)
            failed |= bool(done.failures)
        if check:
            for line in differences(connection, lake, tables, settings.database_schema):
                print(f"load_database: {line}", file=sys.stderr)
                failed = True
    return int(failed)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    parser.add_argument(
        "--table",
        action="append",
        metavar="NAME",
        help="load this table only (ORBITLAKE_DATABASE_TABLES); may be repeated",
    )
    parser.add_argument(
        "--everything", action="store_true", help="read every partition again; rows that are the same stay"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare the rows of each partition with the lake afterwards"
    )
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    try:
        settings = of_command_line(arguments.data)
        tables = tables_named(arguments.table or settings.database_tables)
        if not settings.database_url:
            raise RefusedError("no database is set: ORBITLAKE_DATABASE_URL=postgresql://user@host:5432/name")
        sys.exit(main(settings, tables, everything=arguments.everything, check=arguments.check))
    except DatabaseError as error:
        print(f"load_database: {error}", file=sys.stderr)
        sys.exit(REFUSED if isinstance(error, RefusedError) else 1)
