"""One pass as a site sees it: where in the sky the object stands, instant by instant, and where it can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from orbitlake.passes.places import Site
from orbitlake.passes.visibility import DARK_SINE
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.sky import Grounds, azimuth_deg, refraction_deg, sight
from orbitlake.physics.sunlight import apparent_sun_itrs, out_of_shadow_km
from orbitlake.physics.vectors import dots
from orbitlake.trajectory.ground import earth_fixed
from orbitlake.trajectory.states import Trajectory, utc_of


@dataclass(frozen=True, slots=True)
class SkyPath:
    """An object over a site at n instants: angles and place in degrees, (n,) each; NaN where no issue covers it.

    Latitude and longitude are of the point below the object. is_sunlit tells where the object is outside of the
    Earth's shadow, is_dark where the Sun's centre stands 6 degrees or more below the site's horizontal.
    """

    azimuth_deg: Reals
    elevation_deg: Reals
    range_km: Reals
    latitude_deg: Reals
    longitude_deg: Reals
    is_sunlit: NDArray[np.bool_]
    is_dark: NDArray[np.bool_]


def sky_path(site: Site, trajectory: Trajectory, times: Sequence[datetime], *, refraction: bool = False) -> SkyPath:
    """Return where an object stands in the sky of a site at datetimes with a zone, by the latest issue for each.

    With refraction elevations are as air shows them. Raises ValueError for a datetime without a zone.
    """
    states = trajectory.state_at(times)
    position_km, velocity_km_s = earth_fixed(states)
    grounds = _grounds(site, states.epoch_utc.size)
    sun = _sun(states.epoch_utc)
    seen = sight(grounds, position_km, velocity_km_s)
    elevation_deg = np.degrees(np.arcsin(np.clip(seen.sine, -1.0, 1.0)))
    latitude_deg, longitude_deg, _ = geodetic_from_itrs(position_km)
    return SkyPath(
        azimuth_deg(grounds, seen.direction),
        elevation_deg + refraction_deg(elevation_deg) if refraction else elevation_deg,
        seen.range_km,
        latitude_deg,
        longitude_deg,
        np.asarray(out_of_shadow_km(position_km, sun) > 0.0),
        np.asarray(dots(grounds.up, sun) <= DARK_SINE),
    )


def sun_elevation_deg(site: Site, times: Sequence[datetime]) -> Reals:
    """Return how high the Sun's centre stands over a site at datetimes with a zone, no air refracting: (n,)."""
    epoch_utc = utc_of(times)
    sine = dots(_grounds(site, epoch_utc.size).up, _sun(epoch_utc))
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


def _grounds(site: Site, count: int) -> Grounds:
    one = Grounds.of([site.latitude_deg], [site.longitude_deg], [site.height_m / 1000.0])
    return one.of_rows(np.zeros(count, dtype=np.int64))


def _sun(epoch_utc: NDArray[np.datetime64]) -> Reals:
    return apparent_sun_itrs(tai_from_utc(epoch_utc).astype(np.int64))
