"""oem_issues and its tables, positions, raw records -> what the two feeds say of each other and of themselves.

The tables: trajectory, prediction_error, prediction_error_summary, prediction_bands, burn_history; coverage and gaps of
the raw records, and positions_filled; position_audit, each fix against the ephemeris.

What follows from unchanged files is not made again, and what comes out equal is not rewritten, so that a run without
news writes nothing. Running again is always safe, also after a run that was killed: each file is written aside and
renamed. One line of JSON a table:
  {"table", "written", "unchanged", "removed", "rows_written"}
`written`, `unchanged` and `removed` count files. The exit status is 1 where files are of another version than this
program knows, or a raw file went away while it was read: run again; what came before is done all the same.
"""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Final

from orbitlake import audit
from orbitlake.lake import Lake, LakeError
from orbitlake.lake.files import sweep_staging
from orbitlake.positions.raw.segments import RawFileError
from orbitlake.settings import of_command_line
from orbitlake.trajectory.audit_tables import (
    update_burn_history,
    update_prediction_bands,
    update_prediction_error,
    update_prediction_error_summary,
    update_trajectory,
)

UPDATES: Final = (
    update_trajectory,
    update_prediction_error,
    update_prediction_error_summary,
    update_prediction_bands,
    update_burn_history,
)
"""In the order in which they follow from each other."""


def main(lake: Lake, *, everything: bool) -> int:
    """Bring each table up to date, print a line for each, and return the exit status."""
    sweep_staging(lake)
    try:
        for update in UPDATES:
            print(json.dumps(asdict(update(lake, everything=everything))), flush=True)
        for published in audit.update(lake):
            print(json.dumps(asdict(published)), flush=True)
        for update in (audit.fill, audit.update_position_audit):
            print(json.dumps(asdict(update(lake, everything=everything))), flush=True)
    except (LakeError, RawFileError) as error:
        print(f"audit_positions: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    parser.add_argument("--everything", action="store_true", help="make all again; what comes out equal stays")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(main(Lake(of_command_line(arguments.data).data), everything=arguments.everything))
