"""Issues to export: the simulator's, as files and read."""

from datetime import date
from functools import cache

from orbitlake.exports import Ephemeris
from orbitlake.simulator.issues import issue_of
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import station

FRIDAY = date(2026, 11, 20)
"""Its issue burns on 2026-11-26 at 05:37, for some minutes."""


@cache
def simulated(form: OemFormat = OemFormat.KVN) -> bytes:
    """Return the file of an issue."""
    return write_issue(issue_of(station(), FRIDAY), form)


@cache
def flown() -> Ephemeris:
    """Return the same issue, read."""
    return Ephemeris.of_bytes(simulated(), "simulated.txt")
