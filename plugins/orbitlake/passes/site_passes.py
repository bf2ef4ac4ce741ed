"""Trajectory -> passes over sites: rise, culmination and set, how sure, and what can be seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded_values_of
from orbitlake.passes.combine import newest_of
from orbitlake.passes.places import Site
from orbitlake.passes.predicted import Whereabouts, columns_of, label, moments, sigma_s, times, whereabouts
from orbitlake.passes.search import REACH_S, Found, search
from orbitlake.passes.track import Track, tracks_of
from orbitlake.passes.visibility import visible
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.roots import Rows
from orbitlake.physics.sky import (
    Grounds,
    Sight,
    azimuth_deg,
    inertial_velocity,
    refraction_deg,
    sight,
    true_elevation_deg,
)
from orbitlake.physics.vectors import dots, lengths
from orbitlake.tables import ANGLE_DECIMALS, PASSES
from orbitlake.trajectory.states import Trajectory

LARGEST_CORRECTION_S: Final = 1.0
"""Of the exact path against the polynomials between nodes: further off, and there is no crossing."""
TOLD: Final = (
    *("site", "rise_time", "culmination_time", "set_time", "rise_azimuth_deg", "culmination_azimuth_deg"),
    *("set_azimuth_deg", "max_elevation_deg", "range_km", "visible_from", "visible_until"),
    *("visible_max_elevation_deg", "magnitude", "time_sigma_s", "time_p90_s", "burn_between", "creation_date"),
)
"""The columns of passes that one issue tells."""


def passes(
    sites: Site | Sequence[Site],
    trajectory: Trajectory,
    start: datetime,
    stop: datetime,
    *,
    standard_magnitude: float | None = None,
    refraction: bool = False,
) -> pa.Table:
    """Return the passes over sites that culminate from start to before stop, datetimes with a zone; by site and rise.

    The columns are those of the table passes that one issue tells. Each pass is as the issue created last tells it of
    those that cover all of it, from rise to set; nothing is extrapolated. standard_magnitude is that at 1000 km and
    half lit; without it the magnitude is null. With refraction the horizon and elevations are as air shows them.
    """
    looking = [sites] if isinstance(sites, Site) else list(sites)

    def of_issue(issue: Trajectory, since: np.datetime64, until: np.datetime64) -> pa.Table:
        return passes_of_issue(looking, issue, since, until, standard_magnitude, refraction)

    return newest_of(trajectory, start, stop, of_issue, PASSES, TOLD)


def passes_of_issue(
    sites: Sequence[Site],
    issue: Trajectory,
    since: np.datetime64,
    until: np.datetime64,
    standard_magnitude: float | None,
    refraction: bool,
) -> pa.Table:
    """Return all passes that lie in a span (UTC) by the one issue that a trajectory is of; its columns are TOLD."""
    looking = SitesOnEarth(sites, refraction)
    parts = [_passes(looking, track, standard_magnitude) for track in tracks_of(issue, since, until)]
    return pa.concat_tables([columns_of(PASSES, TOLD, {}), *parts])


class SitesOnEarth:
    """Sites as the search sees them: on the ellipsoid, with the sine of the lowest true elevation that each sees."""

    def __init__(self, sites: Sequence[Site], refraction: bool) -> None:
        self.names = [site.name for site in sites]
        latitude_deg, longitude_deg, height_m, horizon_deg = (
            np.array([getattr(site, name) for site in sites], dtype=np.float64)
            for name in ("latitude_deg", "longitude_deg", "height_m", "horizon_deg")
        )
        self.grounds = Grounds.of(latitude_deg, longitude_deg, height_m / 1000.0)
        self.refraction = refraction
        self.horizon_sine = np.sin(np.radians(true_elevation_deg(horizon_deg) if refraction else horizon_deg))

    def elevation_deg(self, sine: Reals) -> Reals:
        """Return elevations as they are seen: (n,) -> (n,)."""
        true_deg = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
        return true_deg + refraction_deg(true_deg) if self.refraction else true_deg

    def at_nodes(self, track: Track) -> Iterator[tuple[Reals, Reals]]:
        """Yield the sine of elevation above the horizon's at the nodes, and how far it may rise beside them: (n,)."""
        x, y, z = (np.ascontiguousarray(column) for column in track.position_km.T)
        reach_km = REACH_S * lengths(track.velocity_km_s)
        for place, up, horizon in zip(self.grounds.position_km, self.grounds.up, self.horizon_sine, strict=True):
            east, north, pole = x - place[0], y - place[1], z - place[2]
            range_km = np.sqrt(east * east + north * north + pole * pole)
            yield (up[0] * east + up[1] * north + up[2] * pole) / range_km - horizon, reach_km / range_km


@dataclass(frozen=True, slots=True)
class Moment:
    """What n sites see at an instant each, by the exact path: `growth` is what a late object delays a crossing by, as a
    share of its own delay.
    """

    at_s: Reals
    sight: Sight
    where: Whereabouts
    growth: Reals


def _moment(sites: SitesOnEarth, track: Track, place: Rows, at_s: Reals, *, is_crossing: bool) -> Moment:
    """Return what is seen at instants; crossings of the horizon are first moved to where the exact path has them."""
    grounds = sites.grounds.of_rows(place)
    where = whereabouts(track, at_s)
    position_km, velocity_km_s = where.position_km, where.velocity_km_s
    seen = sight(grounds, position_km, velocity_km_s)
    if is_crossing:
        # One step of Newton's method: polynomials between nodes are off by less than a millisecond.
        ahead_s = (sites.horizon_sine[place] - seen.sine) / seen.rate
        ahead_s = np.where(np.abs(ahead_s) < LARGEST_CORRECTION_S, ahead_s, np.nan)
        at_s, position_km = at_s + ahead_s, position_km + ahead_s[:, np.newaxis] * velocity_km_s
        seen = sight(grounds, position_km, velocity_km_s)
    # A late object meets a site that Earth carried on: elevation changes with its motion in inertial space.
    own_km_s = inertial_velocity(position_km, velocity_km_s)
    own_rate = (dots(grounds.up, own_km_s) - seen.sine * dots(seen.direction, own_km_s)) / seen.range_km
    with np.errstate(divide="ignore", invalid="ignore"):
        return Moment(at_s, seen, where, np.abs(own_rate / seen.rate))


def _passes(sites: SitesOnEarth, track: Track, standard_magnitude: float | None) -> pa.Table:
    def above(at_s: Reals, place: Rows) -> Reals:
        return sight(sites.grounds.of_rows(place), *track.states(at_s)).sine - sites.horizon_sine[place]

    def rising(at_s: Reals, place: Rows) -> Reals:
        return sight(sites.grounds.of_rows(place), *track.states(at_s)).rate

    found = search(track.node_s, sites.at_nodes(track), above, rising)
    rise, peak, fall = (
        _moment(sites, track, found.place, at_s, is_crossing=is_crossing)
        for at_s, is_crossing in ((found.rise_s, True), (found.peak_s, False), (found.fall_s, True))
    )
    # A crossing before the first state, or after the last one, is none.
    is_known = np.isfinite(rise.at_s + peak.sight.sine + fall.at_s)
    found = Found(found.place, rise.at_s, peak.at_s, fall.at_s).of_rows(is_known)
    rise, peak, fall = (_rows(moment, is_known) for moment in (rise, peak, fall))
    grounds = sites.grounds.of_rows(found.place)
    seen = visible(track, grounds, found, standard_magnitude)
    elevation_deg = sites.elevation_deg(peak.sight.sine)
    columns: dict[str, Any] = {
        "site": label(sites.names, found.place),
        "rise_time": times(track.utc(found.rise_s)),
        "culmination_time": times(track.utc(found.peak_s)),
        "set_time": times(track.utc(found.fall_s)),
        "rise_azimuth_deg": _azimuth_deg(grounds, rise.sight),
        "culmination_azimuth_deg": _azimuth_deg(grounds, peak.sight),
        "set_azimuth_deg": _azimuth_deg(grounds, fall.sight),
        "max_elevation_deg": elevation_deg,
        "range_km": peak.sight.range_km,
        "visible_from": times(track.utc(np.nan_to_num(seen.from_s)), seen.is_visible),
        "visible_until": times(track.utc(np.nan_to_num(seen.until_s)), seen.is_visible),
        "visible_max_elevation_deg": np.minimum(sites.elevation_deg(seen.highest_sine), elevation_deg),
        "magnitude": seen.magnitude,
        "burn_between": pa.array(rise.where.burn_between),
        "creation_date": moments(rise.where.creation_date),
    }
    half_s = 0.5 * (fall.at_s - rise.at_s)
    p50_s, p90_s = (_of_crossing(late_s, rise.growth, half_s) for late_s in (rise.where.p50_s, rise.where.p90_s))
    columns |= {"time_sigma_s": sigma_s(p50_s, p90_s), "time_p90_s": p90_s}
    return columns_of(PASSES, TOLD, columns)


def _azimuth_deg(grounds: Grounds, seen: Sight) -> Reals:
    """Return azimuths as the table has them, to its digits and below 360: (n,)."""
    return np.asarray(np.mod(rounded_values_of(azimuth_deg(grounds, seen.direction), ANGLE_DECIMALS), 360.0))


def _of_crossing(late_s: Reals, growth: Reals, half_s: Reals) -> Reals:
    """Return by how much a crossing shifts when the object is late: (n,) three times -> (n,).

    In proportion, but no further than peak and half of the pass: a pass that would shrink to nothing shrinks no more.
    """
    return np.minimum(late_s * growth, late_s + half_s)


def _rows(moment: Moment, rows: NDArray[np.bool_]) -> Moment:
    """Return some of the moments."""
    where, seen = moment.where, moment.sight
    return Moment(
        moment.at_s[rows],
        Sight(*(getattr(seen, name)[rows] for name in Sight.__slots__)),
        Whereabouts(*(getattr(where, name)[rows] for name in Whereabouts.__slots__)),
        moment.growth[rows],
    )
