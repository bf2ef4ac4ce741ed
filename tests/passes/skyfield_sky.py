"""The sky by Skyfield: its own frames, Sun, shadow and search for events, on states of ours."""

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import numpy as np
from skyfield import timelib
from skyfield.api import Loader, wgs84
from skyfield.constants import AU_KM, DAY_S
from skyfield.framelib import ICRS_to_J2000
from skyfield.nutationlib import iau2000b_radians
from skyfield.searchlib import find_discrete, find_maxima
from skyfield.vectorlib import VectorFunction
from skyfield_data import get_skyfield_data_path

from orbitlake.passes import Site
from orbitlake.trajectory import Trajectory
from orbitlake.trajectory.issues import utc_us_of

UNIX_EPOCH_JD: Final = 2_440_587.5
TT_MINUS_TAI_S: Final = 32.184
DARK_DEG: Final = -6.0


@cache
def loader() -> tuple[Any, Any]:
    """Return Skyfield's time scale and de421, from the bundled files."""
    # The 77 greatest terms of nutation: the other 610 tell a milliarcsecond, and take two thirds of the time.
    timelib.iau2000a_radians = iau2000b_radians
    with warnings.catch_warnings():
        # It warns of the age of a file that is not read here: UT1 comes with Skyfield.
        warnings.simplefilter("ignore", RuntimeWarning)
        load = Loader(get_skyfield_data_path(), verbose=False, expire=False)
    return load.timescale(builtin=True), load("de421.bsp")


class Flown(VectorFunction):
    """An object that is where a trajectory of EME2000 states has it."""

    center = 399

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory
        self.target = "flown"

    def _at(self, t: Any) -> tuple[Any, Any, None, None]:
        tt_us = (np.atleast_1d(t.whole) - UNIX_EPOCH_JD) * DAY_S * 1e6 + np.atleast_1d(t.tt_fraction) * DAY_S * 1e6
        utc_us = utc_us_of(np.rint(tt_us - TT_MINUS_TAI_S * 1e6).astype(np.int64))
        states = self.trajectory.state_at(utc_us.astype("datetime64[us]"))
        gcrs_km, gcrs_km_s = (each @ ICRS_to_J2000 for each in (states.position_km, states.velocity_km_s))
        shape = (3, *np.shape(t.tt))
        return (gcrs_km.T / AU_KM).reshape(shape), (gcrs_km_s.T / AU_KM * DAY_S).reshape(shape), None, None


@dataclass(frozen=True, slots=True)
class Seen:
    """A pass as Skyfield finds it: instants in UTC, degrees, and from first to last visible second."""

    rise: datetime
    peak: datetime
    fall: datetime
    elevation_deg: float
    azimuth_deg: float
    range_km: float
    visible_s: float


def passes_by_skyfield(site: Site, trajectory: Trajectory, start: datetime, stop: datetime) -> list[Seen]:
    """Return the passes over a site that begin and end between two instants."""
    scale, planets = loader()
    topos = wgs84.latlon(site.latitude_deg, site.longitude_deg, elevation_m=site.height_m)
    flown = Flown(trajectory)
    line = flown - topos

    def elevation(t: Any) -> Any:
        return line.at(t).altaz()[0].degrees

    def is_up(t: Any) -> Any:
        return elevation(t) > site.horizon_deg

    elevation.step_days = is_up.step_days = 60.0 / DAY_S
    first, last = scale.from_datetime(start), scale.from_datetime(stop)
    peaks, heights = find_maxima(first, last, elevation, epsilon=0.001 / DAY_S)
    found: list[Seen] = []
    for peak, height in zip(peaks, heights, strict=True):
        # It names a flat peak more than once.
        is_same = found and abs(peak.utc_datetime() - found[-1].peak) < timedelta(minutes=1)
        if height <= site.horizon_deg or is_same:
            continue
        around = [scale.tt_jd(peak.tt + minutes / 1440.0) for minutes in (-8, 8)]
        if around[0].tt < first.tt or around[1].tt > last.tt:
            continue
        edges = []
        for begin, end in ((around[0], peak), (peak, around[1])):
            times, _ = find_discrete(begin, end, is_up, epsilon=0.001 / DAY_S)
            assert len(times) == 1
            edges.append(times[0])
        _, azimuth, distance = line.at(peak).altaz()
        found.append(
            Seen(
                edges[0].utc_datetime(),
                peak.utc_datetime(),
                edges[1].utc_datetime(),
                float(height),
                float(azimuth.degrees),
                float(distance.km),
                _visible_s(planets, topos, flown, edges[0], edges[1]),
            )
        )
    return found


def _visible_s(planets: Any, topos: Any, flown: Flown, rise: Any, fall: Any) -> float:
    """Return the time from first to last visible second of a pass: by Skyfield's own shadow test and de421's Sun."""
    scale, _ = loader()
    count = round((fall.tt - rise.tt) * DAY_S) + 1
    t = scale.tt_jd(np.linspace(rise.tt, fall.tt, count))
    is_sunlit = flown.at(t).is_sunlit(planets)
    sun = (planets["earth"] + topos).at(t).observe(planets["sun"]).apparent().altaz()[0].degrees
    seen = np.flatnonzero(is_sunlit & (sun <= DARK_DEG))
    return float(seen[-1] - seen[0]) if seen.size else 0.0
