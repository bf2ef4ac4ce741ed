"""Fixes of a feed that watches the simulator's station, good ones and faulty ones, and the issues that cover them."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from tests.trajectory.audited import audited

from orbitlake.audit.conventions import convention_of
from orbitlake.audit.ephemeris import Ephemeris
from orbitlake.audit.fix_errors import Errors, Fixes, errors_of
from orbitlake.audit.fix_verdicts import FeedState, judge
from orbitlake.audit.issue_bounds import IssueBounds
from orbitlake.oem import Issue, read_bytes
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.positions.record import OPEN_NOTIFY
from orbitlake.simulator.issues import issue_of
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import EARTH_RATE_RAD_S, Station, station

SECOND_US = 1_000_000
BEGIN = date(2026, 3, 2)
"""A Monday: an issue appears."""
BEGIN_US = int(np.datetime64(BEGIN, "us").astype(np.int64))


@lru_cache(maxsize=32)
def issue(day: date) -> Issue | None:
    """Return the issue that appears on a day."""
    content = issue_file(day)
    return read_bytes(content, f"{day}.oem") if content else None


def issue_file(day: date) -> bytes | None:
    """Return the file that appears on a day."""
    found = issue_of(station(), day)
    return write_issue(found, OemFormat.KVN) if found else None


def ephemeris_files(folder: Path, days: tuple[int, ...]) -> list[Path]:
    """Write the files that appear so many days after BEGIN."""
    files = [folder / f"{BEGIN + timedelta(days=number)}.oem" for number in days]
    for file in files:
        file.write_bytes(issue_file(date.fromisoformat(file.stem)) or b"")
    return files


@lru_cache(maxsize=8)
def ephemeris(days: int, every_days: int = 1) -> Ephemeris:
    """Return what the issues of so many days from BEGIN on say, and of the week before; of errors nothing is known."""
    some = [issue(BEGIN + timedelta(days=number)) for number in range(-7, days, every_days)]
    return Ephemeris.of(audited(*(each for each in some if each)), IssueBounds({}))


def polled(seconds: np.ndarray, lag_s: float | np.ndarray = 0.0, path: Station | None = None) -> Fixes:
    """Return what Open Notify answers so many seconds after BEGIN: stamps rounded down, latitude geocentric.

    With a lag it gives where the station was; `path` may be another one.
    """
    asked_us = BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64)
    computed_us = asked_us - np.rint(np.asarray(lag_s) * SECOND_US).astype(np.int64)
    position_km, _ = (path or station()).itrs_states(computed_us.astype("datetime64[us]"))
    return stamped(asked_us, *geocentric(position_km))


def of_old_elements(seconds: np.ndarray, late_s: np.ndarray) -> Fixes:
    """Return what it answers by elements that have the station late on its orbit, about which Earth has turned."""
    asked_us = BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64)
    computed_us = asked_us - np.rint(late_s * SECOND_US).astype(np.int64)
    x, y, z = station().itrs_states(computed_us.astype("datetime64[us]"))[0].T
    cosine, sine = np.cos(EARTH_RATE_RAD_S * late_s), np.sin(EARTH_RATE_RAD_S * late_s)
    return stamped(asked_us, *geocentric(np.column_stack((cosine * x + sine * y, cosine * y - sine * x, z))))


def stamped(asked_us: np.ndarray, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Fixes:
    """Return places as the feed prints them."""
    return Fixes(asked_us // SECOND_US * SECOND_US, asked_us, latitude_deg.round(4), longitude_deg.round(4))


def geocentric(position_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = position_km.T
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def geodetic(fixes: Fixes) -> Fixes:
    """Return the same fixes with geodetic latitude."""
    position_km, _ = station().itrs_states(fixes.fetch_us.astype("datetime64[us]"))
    latitude_deg, _, _ = geodetic_from_itrs(position_km)
    return replace(fixes, latitude_deg=latitude_deg.round(4))


def joined(*parts: Fixes) -> Fixes:
    names = ("event_us", "fetch_us", "latitude_deg", "longitude_deg")
    return Fixes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Judged:
    """The verdicts on fixes in order, and since when each of them holds, in seconds after BEGIN."""

    errors: Errors
    verdicts: list[str]

    @property
    def changes(self) -> list[tuple[float, str]]:
        """When each verdict begins, and what it is; without the OK that all begins with."""
        found, last = [], "OK"
        for at_us, verdict in sorted(zip(self.errors.fixes.event_us.tolist(), self.verdicts, strict=True)):
            if verdict != last:
                found.append(((at_us - BEGIN_US) / SECOND_US, verdict))
            last = verdict
        return found


def judged(fixes: Fixes, by: Ephemeris, source: str = OPEN_NOTIFY, state: FeedState | None = None) -> Judged:
    """Judge fixes that come in any order."""
    errors = errors_of(fixes, convention_of(source), by)
    return Judged(errors, judge(errors, np.zeros(errors.error_km.size, np.bool_), state or FeedState()))
