"""live files of closed days -> gone, once those days hold their rows; old raw days and quarantine by setting.

Prints one line of JSON a file and a closing summary. Live files go ORBITLAKE_KEEP_LIVE_HOURS after their day was
closed; raw records and quarantine are kept for ever unless ORBITLAKE_KEEP_RAW_DAYS or ORBITLAKE_KEEP_QUARANTINE_DAYS
say otherwise. The oldest of what quarantine holds over ORBITLAKE_KEEP_QUARANTINE_BYTES (1 GiB) goes in any case.
"""

import argparse
import json
import sys

from orbitlake.retention import ClosedDayError, retire


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    options = parser.parse_args()
    try:
        print(json.dumps(retire(options.dry_run)))
    except ClosedDayError as error:
        print(f"retire_files: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
