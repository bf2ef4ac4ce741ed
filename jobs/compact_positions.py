"""live/positions -> lake/positions and lake/window_stats: each finished UTC day becomes one file a table."""

import argparse
import json
import sys
from datetime import date

from orbitlake.endings import end_with_launcher
from orbitlake.settings import REFUSED, of_command_line


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--date", type=date.fromisoformat, metavar="YYYY-MM-DD", help="this one UTC day")
    which.add_argument("--before", type=date.fromisoformat, metavar="YYYY-MM-DD", help="every live day before this one")
    parser.add_argument(
        "--pending",
        action="store_true",
        help="with --date: after it the days before that were never closed or that fixes came late for",
    )
    options = parser.parse_args()
    end_with_launcher()

    from orbitlake.lake import Lake, LakeError
    from orbitlake.lake.session import open_session
    from orbitlake.positions.spark.compaction import DayNotOverError, compact_day, refuse_open_day
    from orbitlake.positions.store.day_files import days_before, pending_days

    lake = Lake(of_command_line(None).data)
    days = [options.date] if options.date else days_before(lake, options.before)
    if options.date and options.pending:
        # First the day that was asked for: another that cannot be closed is not to hold it up.
        days = [options.date, *pending_days(lake, options.date)]
    try:
        for day in days:
            refuse_open_day(day)
    except DayNotOverError as error:
        print(f"compact_positions: {error}", file=sys.stderr)
        return REFUSED
    failed = False
    with open_session("compact_positions", spark_sql_shuffle_partitions="8") as spark:
        for day in days:
            try:
                done = compact_day(spark, lake, day)
            except LakeError as error:
                # What is wrong with one day is not to hold up the others.
                print(f"compact_positions: {day}: {error}", file=sys.stderr)
                failed = True
                continue
            print(json.dumps(done.as_json()), flush=True)
            if not done.positions:
                print(f"{day} has no fixes, nothing written", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
