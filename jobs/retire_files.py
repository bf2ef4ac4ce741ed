"""live files of closed days -> gone, once those days hold their rows; old raw days and quarantine by setting.

Prints one line of JSON a file and a closing summary. Live files go ORBITLAKE_KEEP_LIVE_HOURS after their day was
closed; raw records and quarantine are kept for ever unless ORBITLAKE_KEEP_RAW_DAYS or ORBITLAKE_KEEP_QUARANTINE_DAYS
say otherwise.
"""

import argparse
import json
import sys
from collections import Counter

from orbitlake.lake import Lake
from orbitlake.positions.retention import ClosedDayError, removals, remove
from orbitlake.settings import from_environment


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    dry_run = parser.parse_args().dry_run
    settings = from_environment()
    files: Counter[str] = Counter()
    freed: Counter[str] = Counter()
    try:
        for removal in removals(Lake(settings.data), settings):
            print(json.dumps(removal.as_json()), flush=True)
            if not dry_run:
                remove(removal)
            files[removal.kind] += 1
            freed[removal.kind] += removal.bytes
    except ClosedDayError as error:
        print(f"retire_files: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"removed": not dry_run, "files": dict(files), "bytes": dict(freed)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
