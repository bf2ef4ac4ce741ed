"""Files that other programs read: OEM, OMM, TLE, CZML, iCalendar, CSV. Needs neither Airflow nor Spark."""

from orbitlake.exports.calendar import calendar, to_calendar
from orbitlake.exports.czml import to_czml
from orbitlake.exports.elements import fit, to_omm, to_tle
from orbitlake.exports.ephemeris import Ephemeris
from orbitlake.exports.export import Export
from orbitlake.exports.oem import to_oem
from orbitlake.exports.rows import to_csv

__all__ = ["Ephemeris", "Export", "calendar", "fit", "to_calendar", "to_csv", "to_czml", "to_oem", "to_omm", "to_tle"]
