"""The lake, or one OEM file -> a file for another program: OEM, OMM, TLE, CZML, iCalendar, CSV.

oem, omm, tle and czml take an issue: that of FILE, else one of the lake: the newest of the object, or that of --issue.
An OEM keeps word for word what the issue's own file prints. OMM and TLE are mean elements that SGP4 follows the issue
by, fitted to its positions; standard error says how far SGP4 is off them. ics takes the table passes, csv any table or
query.

The file goes to standard output or, with --to, to a file or into a folder: written beside its place, and renamed when
it is whole. The exit status is 1 where there is nothing to export or the export cannot be made; standard error says
why.
"""

import argparse
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import duckdb

from orbitlake.exports import Ephemeris, Export, fit, to_calendar, to_csv, to_czml, to_oem, to_omm, to_tle
from orbitlake.exports.czml import FIXED, INERTIAL, STEP_S
from orbitlake.exports.elements import HOURS
from orbitlake.exports.oem import KVN, XML
from orbitlake.lake import LakeError
from orbitlake.query import connect
from orbitlake.settings import Settings, of_command_line

PASSES_WANTED = """
SELECT * FROM passes
WHERE object_id = $1 AND ($2 IS NULL OR site = $2) AND (NOT $3 OR visible_from IS NOT NULL)
ORDER BY site, rise_time, pass_id
"""
NEWEST_NAME = "SELECT max_by(object_name, creation_date) FROM oem_issues WHERE object_id = $1"
BATCH_ROWS = 2**16
FAILURES = (LakeError, LookupError, ValueError, OSError, duckdb.Error)


def export_oem(given: argparse.Namespace, settings: Settings) -> Export:
    """Return an OEM."""
    return to_oem(ephemeris_of(given, settings), given.form)


def export_elements(given: argparse.Namespace, settings: Settings) -> Export:
    """Return an OMM or a TLE."""
    ephemeris = ephemeris_of(given, settings)
    elements = fit(ephemeris, given.epoch, given.hours)
    export = (
        to_tle(ephemeris, elements, catalogue_number=given.catalogue_number)
        if given.what == "tle"
        else to_omm(ephemeris, elements, given.form, created=datetime.now(UTC), catalogue_number=given.catalogue_number)
    )
    off = f"{elements.rms_km:.3f} km (RMS), {elements.worst_km:.3f} km at most"
    print(f"SGP4 is off the ephemeris by {off}, over {given.hours:g} h", file=sys.stderr)
    return export


def export_czml(given: argparse.Namespace, settings: Settings) -> Export:
    """Return a document of CZML."""
    return to_czml(
        ephemeris_of(given, settings), start=given.start, stop=given.stop, step_s=given.step, frame=given.frame
    )


def export_calendar(given: argparse.Namespace, settings: Settings) -> Export:
    """Return a calendar of the passes over one site, or over all."""
    object_id = given.object_id or settings.object_id
    connection = connect(settings.data)
    rows = connection.execute(PASSES_WANTED, [object_id, given.site, given.visible]).to_arrow_table().to_pylist()
    ((name,),) = connection.execute(NEWEST_NAME, [object_id]).fetchall()
    name = name or object_id
    return to_calendar(rows, f"{name} over {given.site}" if given.site else f"Passes of {name}", {object_id: name})


def export_csv(given: argparse.Namespace, settings: Settings) -> Export:
    """Return rows as CSV."""
    is_name = given.rows.replace("_", "").isalnum()
    # Whoever names the rows may read all of the lake anyway.
    query = f"SELECT * FROM {given.rows}" if is_name else given.rows  # noqa: S608
    found = connect(settings.data).sql(query)
    if found is None:
        raise ValueError("the query gives no rows")
    return to_csv(found.to_arrow_reader(BATCH_ROWS), given.rows if is_name else "query")


def ephemeris_of(given: argparse.Namespace, settings: Settings) -> Ephemeris:
    """Return the issue of the file that is named, else of the lake."""
    if given.file:
        return Ephemeris.of_file(given.file)
    return Ephemeris.of_lake(given.object_id or settings.object_id, given.issue, settings.data)


def main(given: argparse.Namespace, settings: Settings) -> int:
    """Export, and return the exit status."""
    make: Callable[[argparse.Namespace, Settings], Export] = given.make
    try:
        export = make(given, settings)
        if given.to:
            print(export.save(given.to), file=sys.stderr)
        else:
            sys.stdout.buffer.writelines(export)
            sys.stdout.buffer.flush()
    except FAILURES as error:
        print(f"export {given.what}: {error}", file=sys.stderr)
        return 1
    return 0


def moment(text: str) -> datetime:
    """Take a time in ISO 8601, in UTC where it names no zone."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--to", metavar="FILE or FOLDER", help="where the file goes (default: standard output)")
    everywhere.add_argument("--data", help="the data root (default: ORBITLAKE_DATA, else data/ in the checkout)")
    of_object = argparse.ArgumentParser(add_help=False)
    of_object.add_argument("--object-id", help="international designator (default: that of the settings)")
    of_issue = argparse.ArgumentParser(add_help=False, parents=[of_object])
    of_issue.add_argument("file", nargs="?", metavar="FILE", help="an OEM file, KVN or XML, plain or gzip")
    of_issue.add_argument("--issue", help="an issue of the lake, such as 20230324T225531Z (default: the newest)")
    in_form = argparse.ArgumentParser(add_help=False)
    in_form.add_argument("--xml", dest="form", action="store_const", const=XML, default=KVN, help="XML, not KVN")
    fitted = argparse.ArgumentParser(add_help=False)
    fitted.add_argument("--epoch", type=moment, help="of the elements (default: about when the issue was created)")
    fitted.add_argument("--hours", type=float, default=HOURS, help="of states about it (default: %(default)g)")
    fitted.add_argument("--catalogue-number", type=int, help="of the United States' catalogue (known: that of the ISS)")

    kinds = parser.add_subparsers(dest="what", required=True, metavar="oem, omm, tle, czml, ics or csv")

    def kind(name: str, meaning: str, make: object, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = kinds.add_parser(name, help=meaning, description=meaning, parents=[*parents, everywhere])
        added.set_defaults(make=make)
        return added

    kind("oem", "an issue, word for word", export_oem, of_issue, in_form)
    kind("omm", "mean elements fitted to an issue", export_elements, of_issue, fitted, in_form)
    kind("tle", "the same as two lines", export_elements, of_issue, fitted)
    czml = kind("czml", "the path of an issue for CesiumJS", export_czml, of_issue)
    czml.add_argument("--start", type=moment, help="from when (default: all that the issue covers)")
    czml.add_argument("--stop", type=moment, help="until when")
    czml.add_argument("--step", type=float, default=STEP_S, help="seconds between positions (default: %(default)g)")
    czml.add_argument(
        "--fixed", dest="frame", action="store_const", const=FIXED, default=INERTIAL, help="turning with the Earth"
    )
    ics = kind("ics", "passes as a calendar", export_calendar, of_object)
    ics.add_argument("--site", help="over this site alone")
    ics.add_argument("--visible", action="store_true", help="visible passes alone")
    csv = kind("csv", "rows of a table or a query", export_csv)
    csv.add_argument("rows", metavar="TABLE or SELECT", help='such as oem_issues, or "SELECT * FROM thrust_episodes"')
    return parser.parse_args()


if __name__ == "__main__":
    # Whoever reads no further, as `head` does, ends this quietly.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    arguments = parse_arguments()
    sys.exit(main(arguments, of_command_line(arguments.data)))
