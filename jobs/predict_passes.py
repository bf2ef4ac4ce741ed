"""The tables of the ephemeris, prediction_bands and the file of places -> passes, approaches.

Sites and points are those of sites.toml in the data root, or of the file that ORBITLAKE_SITES names; without it Paris.
A line is printed for each pass over the sites within the next days, in the time of the site and in UTC, with what nine
in ten predictions of its rise kept to; then one line of JSON a table:
  {"table", "written", "unchanged", "removed", "rows_written"}
`written`, `unchanged` and `removed` count files. What follows from unchanged issues and sites is not made again, and
what comes out equal is not rewritten. Running again is always safe, also after a run that was killed. The exit status
is 1 where files are of another version than this program knows, and 3 where the file of places cannot be used, or no
site in it has the name asked for.
"""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.files import sweep_staging
from orbitlake.passes import SitesError, read_places, update_approaches, update_passes
from orbitlake.passes.timetable import lines_of, passes_over
from orbitlake.settings import REFUSED, STANDARD, Settings, of_command_line

USUAL_DAYS: Final = 5.0


def main(settings: Settings, asked: list[str] | None, since: datetime, days: float, *, everything: bool) -> int:
    """Bring both tables up to date, print what comes next and what was done, and return the exit status."""
    lake = Lake(settings.data)
    try:
        places = read_places(settings.sites_file)
        sites = places.named(asked) if asked else places.sites
    except SitesError as error:
        print(f"predict_passes: {error}", file=sys.stderr)
        return REFUSED
    sweep_staging(lake)
    try:
        published = (
            update_passes(lake, places, refraction=settings.refraction == STANDARD, everything=everything),
            update_approaches(lake, places, everything=everything),
        )
        for site in sites:
            rows = passes_over(lake, site, since, since + timedelta(days=days))
            print(f"{site.name}: {len(rows)} passes within {days:g} days from {since:%Y-%m-%d %H:%M} UTC", flush=True)
            for line in lines_of(site, rows):
                print(line, flush=True)
        for each in published:
            print(json.dumps(asdict(each)), flush=True)
    except LakeError as error:
        print(f"predict_passes: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    parser.add_argument("--site", action="append", metavar="NAME", help="print this site only; may be repeated")
    parser.add_argument("--days", type=days, default=USUAL_DAYS, help="how far to print, to 60 (default: %(default)g)")
    parser.add_argument(
        "--since", type=instant, default=datetime.now(UTC), help="from when on to print, such as 2026-11-20 (now)"
    )
    parser.add_argument("--everything", action="store_true", help="make all again; what comes out equal stays")
    return parser.parse_args()


def days(raw: str) -> float:
    """Take a number of days."""
    value = float(raw)
    if not 0 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{raw}: expected 0 to 60 days")
    return value


def instant(raw: str) -> datetime:
    """Take a moment in ISO 8601, UTC where no zone is given."""
    value = datetime.fromisoformat(raw)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(
        main(
            of_command_line(arguments.data),
            arguments.site,
            arguments.since,
            arguments.days,
            everything=arguments.everything,
        )
    )
