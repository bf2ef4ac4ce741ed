"""A live position feed -> raw/open_notify: it is polled, and every outcome is kept as one JSON record."""

import argparse
import json
import sys
from functools import partial

from orbitlake.positions.collect.collector import run
from orbitlake.positions.collect.feeds import FEEDS
from orbitlake.positions.record import OPEN_NOTIFY
from orbitlake.settings import FALLBACKS


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--interval", type=float, default=5, metavar="SECONDS", help="between polls, at least 1 of a live feed (5)"
    )
    parser.add_argument("--duration", type=float, default=300, metavar="SECONDS", help="of the whole run (300)")
    parser.add_argument("--url", help="of the feed (by default that of the settings)")
    parser.add_argument("--source", choices=sorted(FEEDS), default=OPEN_NOTIFY, help="kind of the feed (%(default)s)")
    parser.add_argument(
        "--fallback",
        choices=FALLBACKS,
        help="kind of the feed that is polled in the same tick where the first gave no fix, each poll a record under "
        "its own source (by default that of the settings, ORBITLAKE_FALLBACK)",
    )
    parser.add_argument("--object-id", help="what the feed follows (by default that of the settings)")
    options = parser.parse_args()
    show = partial(print, flush=True)
    summary = run(
        options.interval, options.duration, options.url, options.source, options.object_id, options.fallback, show
    )
    show(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
