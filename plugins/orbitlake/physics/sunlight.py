"""Where the Sun stands, and whether a spacecraft is in the Earth's shadow."""

from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import itrs_from

MEAN_RADIUS_KM: Final = 6371.0
UNIX_EPOCH: Final = np.datetime64(0, "us")
UNIX_EPOCH_JD: Final = 2_440_587.5
DAY: Final = np.timedelta64(86_400_000_000, "us")


def sun_direction_itrs(epoch_utc: np.datetime64) -> NDArray[np.float64]:
    """Return the unit vector (3,) from Earth to the Sun, IAU SOFA's epv00.

    Aberration and the 69 s between UTC and TDB are left out: 0.01 degrees. Raises ValueError outside the frames' span.
    """
    earth_from_sun, _ = erfa.epv00(UNIX_EPOCH_JD, float((epoch_utc - UNIX_EPOCH) / DAY))
    from_earth = -np.asarray(earth_from_sun["p"], dtype=np.float64)
    turned = itrs_from("GCRF", np.array([epoch_utc]), from_earth[np.newaxis])
    if turned is None:
        raise ValueError(f"no Earth orientation for {epoch_utc}")
    direction: NDArray[np.float64] = turned[0] / np.linalg.norm(turned[0])
    return direction


def is_sunlit(position_km: NDArray[np.float64], sun: NDArray[np.float64]) -> bool:
    """Say whether a position (3,) lies outside the cylinder of shadow behind a round Earth; `sun` is a unit vector."""
    toward_sun_km = float(position_km @ sun)
    return toward_sun_km > 0 or float(np.linalg.norm(position_km - toward_sun_km * sun)) > MEAN_RADIUS_KM
