"""The station's position as the two public services publish it: Open Notify, and wheretheiss.at with altitude."""

import json
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.sunlight import is_sunlit, sun_direction_itrs
from orbitlake.simulator.station import Epochs, Station

MEAN_RADIUS_KM: Final = 6371.0
SECOND: Final = np.timedelta64(1_000_000, "us")
UNIX_EPOCH: Final = np.datetime64(0, "us")
UNIX_EPOCH_JD: Final = 2_440_587.5
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When a fix is computed, and the time that its stamp claims; they differ when the service is at fault."""

    computed_utc: np.datetime64
    stamped_utc: np.datetime64

    @property
    def timestamp(self) -> int:
        """Whole Unix seconds, rounded down, as both services do."""
        return int((self.stamped_utc - UNIX_EPOCH) // SECOND)


def open_notify(station: Station, moment: Moment) -> bytes:
    """Return the body of iss-now.json: geocentric latitude, four decimals, coordinates as strings."""
    latitude_deg, longitude_deg = geocentric_deg(station, np.array([moment.computed_utc]))
    return open_notify_body(str(moment.timestamp), f"{latitude_deg[0]:.4f}", f"{longitude_deg[0]:.4f}")


def geocentric_deg(station: Station, epoch_utc: Epochs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return geocentric latitude and longitude (deg) at epochs, as Open Notify gives them. (n,) -> two (n,)."""
    position_km, _ = station.itrs_states(epoch_utc)
    x, y, z = position_km.T
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def open_notify_body(timestamp: str, latitude: str, longitude: str) -> bytes:
    """Return the body with the numbers as they are written."""
    return (
        f'{{"message": "success", "timestamp": {timestamp}, '
        f'"iss_position": {{"latitude": "{latitude}", "longitude": "{longitude}"}}}}'
    ).encode()


def where_the_iss(station: Station, moment: Moment) -> bytes:
    """Return the body of /v1/satellites/25544: geodetic, km and km/h, with the Sun's place and the station's light."""
    itrs_km, velocity_km_s = _itrs_state(station, moment.computed_utc)
    latitude_deg, longitude_deg, altitude_km = (float(value[0]) for value in geodetic_from_itrs(itrs_km[np.newaxis]))
    sun = sun_direction_itrs(moment.computed_utc)
    return json.dumps(
        {
            "name": "iss",
            "id": 25544,
            "latitude": latitude_deg,
            "longitude": longitude_deg,
            "altitude": altitude_km,
            "velocity": float(np.linalg.norm(velocity_km_s)) * 3600.0,
            "visibility": "daylight" if is_sunlit(itrs_km, sun) else "eclipsed",
            "footprint": 2.0 * MEAN_RADIUS_KM * math.acos(MEAN_RADIUS_KM / (MEAN_RADIUS_KM + altitude_km)),
            "timestamp": moment.timestamp,
            "daynum": UNIX_EPOCH_JD + moment.timestamp / DAY_S,
            "solar_lat": math.degrees(math.asin(sun[2])),
            "solar_lon": math.degrees(math.atan2(sun[1], sun[0])) % 360.0,
            "units": "kilometers",
        }
    ).encode()


def _itrs_state(station: Station, epoch_utc: np.datetime64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the position (3,) on the turning Earth, and the inertial velocity (3,) along the same axes."""
    position_km, velocity_km_s = station.itrs_states(np.array([epoch_utc]))
    return position_km[0], velocity_km_s[0]
