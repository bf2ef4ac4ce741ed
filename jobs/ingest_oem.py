"""OEM files -> raw/oem, oem_issues, oem_segments, state_vectors, trajectory_events, thrust_episodes, oem_covariances.

Sources are files (KVN or XML, plain or gzip), folders searched at every depth, and http or https URLs. Without any, the
run ingests what lies in inbox/oem/ and then the newest issue from ORBITLAKE_OEM_URL, by default NASA's ISS ephemeris.
A URL given here is fetched wherever its host is; its redirects are followed to that host and port, to public hosts, and
to those of ORBITLAKE_ALLOWED_HOSTS.

Every source ends in one line of JSON on standard output, a file of several messages in one a message:
  {"source", "outcome", "object_id", "creation_date", "states", "thrust_episodes", "reason"}
  ingested   a new issue: its raw bytes are kept and its tables published
  unchanged  an issue held already, as text or XML: nothing is rewritten, but tables of an older version are
  rejected   not a whole, sound OEM file: `reason` names file, line and cause; the bytes go to quarantine/
  conflict   an issue held already, which says something else: the bytes go to quarantine/, as "quarantined" says
An issue is known by OBJECT_ID and CREATION_DATE to the second; where OBJECT_ID names no object, such as UNKNOWN, by
OBJECT_NAME too, which "object_name" then gives.
Where something in a file is odd and did no harm, such as a comment block of an unknown layout, "warnings" lists it.
The exit status is 1 if any source was rejected or in conflict; the others are done all the same.
Running again is always safe. An issue whose publication a kill cut off is published by the next run, whatever that
ingests; its line comes last, with the raw file as its source. Files of the inbox are moved; other files stay.

With --rebuild nothing is ingested: the tables are rebuilt from every file in raw/oem, after a change of their versions
or of the names of their folders. A line is printed an issue, and one for each raw file that makes none.

With --settle FILE show|keep|take a conflict is settled, FILE being its name in quarantine/: `show` prints both files
side by side, `keep` leaves the one in the lake, `take` puts the new one in its place and the old one into quarantine/.
A line is printed an issue, with the outcome `kept` or `taken`. The same bytes are `unchanged` from then on, with the
decision among the warnings, and nobody is asked again. Whoever changes their mind settles the other file.
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import track

from orbitlake.lake import Lake
from orbitlake.lake.files import sweep_staging
from orbitlake.lake.quarantine import bound_quarantine
from orbitlake.oem.ingest.archive import finish_all
from orbitlake.oem.ingest.comparison import question_about
from orbitlake.oem.ingest.conflicts import SettleError
from orbitlake.oem.ingest.outcome import Outcome
from orbitlake.oem.ingest.rebuild import rebuild
from orbitlake.oem.ingest.settle import settle
from orbitlake.oem.ingest.sources import allowing_hosts_of, list_sources
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import Settings, of_command_line

MANY_SOURCES = 5
CHOICES = ("show", "keep", "take")


def main(given: list[str], settings: Settings, *, is_rebuild: bool = False) -> int:
    """Ingest every source, or rebuild the tables; print a line for each issue, and return the exit status."""
    lake = Lake(settings.data)
    sweep_staging(lake)
    failed = False
    settings = allowing_hosts_of(given, settings)
    for outcome in rebuild(lake) if is_rebuild else ingest(given, lake, settings):
        print(json.dumps(outcome), flush=True)
        failed |= outcome["outcome"] in ("rejected", "conflict")
    bound_quarantine(lake, settings.keep_quarantine_bytes)
    return int(failed)


def ingest(given: list[str], lake: Lake, settings: Settings) -> Iterator[Outcome]:
    """Ingest every source, and then what an earlier run left in staging; yield the outcomes."""
    for source in with_progress(list_sources(given, lake, settings)):
        yield from ingest_source(source, lake, settings)
    yield from finish_all(lake)


def settle_conflict(file: str, choice: str, settings: Settings) -> int:
    """Show or settle a conflict; print a line for each issue, and return the exit status."""
    lake = Lake(settings.data)
    try:
        if choice == "show":
            print(question_about(lake, file)["body"])
            return 0
        for outcome in settle(lake, file, "take" if choice == "take" else "keep", user_name(), datetime.now(UTC)):
            print(json.dumps(outcome), flush=True)
    except SettleError as error:
        print(f"ingest_oem: {error}", file=sys.stderr)
        return 1
    return 0


def user_name() -> str:
    """The name of who runs this, or their number where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def with_progress(sources: list[str]) -> Iterable[str]:
    """Show a bar on standard error where many sources are read in a terminal."""
    console = Console(stderr=True)
    if len(sources) < MANY_SOURCES or not console.is_terminal:
        return sources
    return track(sources, description="Ingesting", console=console, transient=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="*", metavar="FILE, FOLDER or URL", help="what to ingest")
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    parser.add_argument("--rebuild", action="store_true", help="rebuild the tables from every file in raw/oem")
    settling = ("FILE", "show|keep|take")
    parser.add_argument("--settle", nargs=2, metavar=settling, help="show or settle a conflict in quarantine/")
    arguments = parser.parse_args()
    if arguments.settle and (arguments.source or arguments.rebuild or arguments.settle[1] not in CHOICES):
        parser.error("--settle takes the name of a file in quarantine/ and show, keep or take, and nothing else")
    if arguments.rebuild and arguments.source:
        parser.error("--rebuild takes no source: it reads raw/oem")
    return arguments


if __name__ == "__main__":
    arguments = parse_arguments()
    settings = of_command_line(arguments.data)
    if arguments.settle:
        file, choice = arguments.settle
        sys.exit(settle_conflict(file, choice, settings))
    sys.exit(main(arguments.source, settings, is_rebuild=arguments.rebuild))
