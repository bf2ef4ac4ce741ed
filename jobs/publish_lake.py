"""lake/ -> a store: closed partitions to ORBITLAKE_PUBLISH_URL, under the same names; manifest.json comes last.

What changed since the last publication is sent, read back and held against its SHA-256; what is gone in the lake is
removed there once the manifest no longer names it. One line of JSON says what was done:
  {"generation", "sent", "unchanged", "removed", "rows_sent", "bytes_sent"}
Credentials come from the environment alone, as every client of S3 reads them: AWS_ACCESS_KEY_ID and so on. Running
again is always safe, also after a run that was killed. The exit status is 1 where something was not published (what
lies there stays, the rest was sent), and 3 where no store is named.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace

from orbitlake.lake import Lake
from orbitlake.lake.files import sweep_staging
from orbitlake.publishing import Access, PublishError, Store, StoreError, publish, tables_named
from orbitlake.settings import REFUSED, SettingError, Settings, of_command_line, store
from orbitlake.upstream import held_by


def main(settings: Settings, *, verify: bool) -> int:
    """Publish, print what was done, and return the exit status."""
    if not settings.publish_url:
        print("publish_lake: no store is named: set ORBITLAKE_PUBLISH_URL, or give --to", file=sys.stderr)
        return REFUSED
    lake = Lake(settings.data)
    try:
        tables = tables_named(settings.publish_tables)
        upstream = held_by(settings.data) or settings.upstream
    except SettingError as error:
        print(f"publish_lake: {error}", file=sys.stderr)
        return REFUSED
    sweep_staging(lake)
    try:
        there = Store.open(settings.publish_url, Access(settings.publish_endpoint, settings.publish_region))
        published = publish(lake, there, tables, upstream, verify=verify)
    except (PublishError, StoreError) as error:
        print(f"publish_lake: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(published)))
    return 0


def place(raw: str) -> str:
    """Take a store's URL from the command line; what is refused is not quoted, as argparse would do by itself."""
    try:
        return store(raw)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    parser.add_argument("--to", type=place, metavar="URL", help="the store (default: ORBITLAKE_PUBLISH_URL)")
    parser.add_argument("--verify", action="store_true", help="read back every object there, and mend what differs")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    settings = of_command_line(arguments.data)
    sys.exit(main(replace(settings, publish_url=arguments.to) if arguments.to else settings, verify=arguments.verify))
