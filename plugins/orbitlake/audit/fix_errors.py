"""Fixes of a feed against the ephemeris: along and across the track, in km and in seconds, and what is explained."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from orbitlake.audit.conventions import Convention
from orbitlake.audit.ephemeris import Ephemeris
from orbitlake.columns import Indices
from orbitlake.physics.fields import inertial_states
from orbitlake.physics.frames import TERRESTRIAL, rotation_to_itrs_tai, turned
from orbitlake.physics.geodesy import geodetic_from_itrs, itrs_from_geodetic
from orbitlake.physics.ground_lag import cross_track_of_lag
from orbitlake.physics.kinematics import SPHERE_RADIUS_KM, Reals, great_circle_km
from orbitlake.physics.separation import separation
from orbitlake.trajectory.arcs import NO_ARC
from orbitlake.trajectory.issues import tai_us_of
from orbitlake.trajectory.states import States

ELEMENTS_KM: Final = 12.0
"""What good elements are off: SGP4 is off by 2.6 km from elements of three days, half of the time (by 1.2 at once)."""
LONGEST_LAG_S: Final = 900.0
"""A feed that is later than this is not late: its stamps are of another time."""


@dataclass(frozen=True, slots=True)
class Fixes:
    """Fixes of one feed, (n,) each: times in microseconds since 1970, places as published."""

    event_us: Indices
    fetch_us: Indices
    latitude_deg: Reals
    longitude_deg: Reals

    def take(self, rows: Indices) -> "Fixes":
        return Fixes(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Errors:
    """How far fixes are off, (n,) each; `fixes` are those that an issue covers. Distances: on a sphere of 6371 km.

    `off_track_km` is what of cross_km is left by the nearer of two: old elements, and positions of some minutes ago.
    """

    fixes: Fixes
    creation_us: Indices
    error_km: Reals
    along_km: Reals
    cross_km: Reals
    along_s: Reals
    off_track_km: Reals
    bound_km: Reals


def errors_of(fixes: Fixes, convention: Convention, ephemeris: Ephemeris) -> Errors:
    """Return how far fixes (n,) are off; those that no issue covers in a frame that can be turned are left out."""
    epoch_us = fixes.event_us + convention.delay_us(fixes.event_us)
    states = ephemeris.path.state_at(epoch_us.astype("datetime64[us]"))
    position_km, velocity_km_s = _in_itrs(states, tai_us_of(epoch_us))
    rows = np.flatnonzero(np.isfinite(position_km).all(axis=1) & np.isfinite(velocity_km_s).all(axis=1))
    covered, states = fixes.take(rows), _take(states, rows)
    position_km, velocity_km_s = position_km[rows], velocity_km_s[rows]

    # The ephemeris as seen on the ground: on the sphere, and as fast in angle.
    scale = (SPHERE_RADIUS_KM / np.sqrt((position_km**2).sum(axis=1)))[:, np.newaxis]
    ground_km, ground_km_s = position_km * scale, velocity_km_s * scale
    candidates = [_offsets(place_km, ground_km, ground_km_s) for place_km in _places(covered, convention, position_km)]
    nearest = min_by_off_track(candidates)
    speed_km_s = np.sqrt((ground_km_s**2).sum(axis=1))
    rounding_km = convention.rounded_by_s(covered.event_us) * speed_km_s
    return Errors(
        fixes=covered,
        creation_us=states.creation_date.astype(np.int64),
        error_km=nearest.error_km,
        along_km=nearest.along_km,
        cross_km=nearest.cross_km,
        along_s=nearest.along_s,
        off_track_km=nearest.off_track_km,
        bound_km=rounding_km + ELEMENTS_KM + ephemeris.bound_km(states, epoch_us[rows], nearest.along_km),
    )


@dataclass(frozen=True, slots=True)
class Offsets:
    """Where places are as seen from the ephemeris, (n,) each: the columns of Errors of the same names."""

    error_km: Reals
    along_km: Reals
    cross_km: Reals
    along_s: Reals
    off_track_km: Reals


def _offsets(place_km: Reals, ground_km: Reals, ground_km_s: Reals) -> Offsets:
    """Return where places on the sphere are, seen from states on it. Shapes: (n, 3) three times -> (n,) each."""
    apart = separation(place_km, ground_km, ground_km_s)
    lag_rad = cross_track_of_lag(ground_km, ground_km_s, apart.in_track_km / SPHERE_RADIUS_KM)
    off_track_km = np.abs(apart.cross_track_km)
    beside_km = np.abs(apart.cross_track_km - lag_rad * SPHERE_RADIUS_KM)
    may_lag = np.abs(apart.in_track_s) <= LONGEST_LAG_S
    return Offsets(
        error_km=great_circle_km(*_directions_deg(place_km), *_directions_deg(ground_km)),
        along_km=apart.in_track_km,
        cross_km=apart.cross_track_km,
        along_s=apart.in_track_s,
        off_track_km=np.where(may_lag, np.minimum(off_track_km, beside_km), off_track_km),
    )


def min_by_off_track(candidates: list[Offsets]) -> Offsets:
    """Return for each fix the candidate that is least off the track: the wrong latitude is."""
    first, *others = candidates
    for other in others:
        is_nearer = other.off_track_km < first.off_track_km
        chosen = {
            each.name: np.where(is_nearer, getattr(other, each.name), getattr(first, each.name))
            for each in fields(Offsets)
        }
        first = Offsets(**chosen)
    return first


def _in_itrs(states: States, tai_us: Indices) -> tuple[Reals, Reals]:
    """Return positions and inertial velocities along the axes of ITRS, NaN where there are none. (n, 3) twice."""
    position_km, velocity_km_s = (np.full((tai_us.size, 3), np.nan) for _ in range(2))
    for number in np.unique(states.arc[states.arc != NO_ARC]).tolist():
        arc, rows = states.arcs[number], np.flatnonzero(states.arc == number)
        name = arc.ref_frame.strip().upper()
        axes = "GCRF" if TERRESTRIAL.fullmatch(name) else name
        epoch_tai = tai_us[rows].astype("datetime64[us]")
        turn = rotation_to_itrs_tai(axes, epoch_tai, frame_epoch_tai=arc.frame_epoch_tai)
        if turn is not None:
            inertial = inertial_states(name, tai_us[rows], states.position_km[rows], states.velocity_km_s[rows])
            position_km[rows], velocity_km_s[rows] = (turned(turn, vectors) for vectors in inertial)
    return position_km, velocity_km_s


def _places(fixes: Fixes, convention: Convention, position_km: Reals) -> Iterator[Reals]:
    """Yield where fixes are on the sphere, (n, 3), by each latitude that they may give."""
    if not convention.is_geodetic:
        yield _on_sphere(fixes.latitude_deg, fixes.longitude_deg)
    if convention.is_geodetic is not False:
        # The height of the ephemeris: a feed's own may be in miles, or missing.
        _, _, height_km = geodetic_from_itrs(position_km)
        itrs_km = itrs_from_geodetic(fixes.latitude_deg, fixes.longitude_deg, height_km)
        yield itrs_km * (SPHERE_RADIUS_KM / np.sqrt((itrs_km**2).sum(axis=1)))[:, np.newaxis]


def _on_sphere(latitude_deg: Reals, longitude_deg: Reals) -> Reals:
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    across = np.cos(latitude)
    return SPHERE_RADIUS_KM * np.column_stack(
        (across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude))
    )


def _directions_deg(position_km: Reals) -> tuple[Reals, Reals]:
    """Return geocentric latitude and longitude: (n, 3) -> two (n,)."""
    x, y, z = position_km.T
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _take(states: States, rows: Indices) -> States:
    taken = {each.name: getattr(states, each.name)[rows] for each in fields(states) if each.name != "arcs"}
    return replace(states, **taken)
