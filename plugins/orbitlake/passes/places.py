"""What is looked for: sites that an object passes over, and points that its ground track comes near."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from orbitlake.passes.alert_rules import AlertRule
from orbitlake.physics.kinematics import PARIS_LATITUDE_DEG, PARIS_LONGITUDE_DEG

USUAL_HORIZON_DEG: Final = 10.0
UTC_ZONE: Final = "UTC"


class SitesError(ValueError):
    """A file of places cannot be used, or has no such site; the message names file, line, key and reason."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place to look from: geodetic on WGS-84, height above the ellipsoid.

    What stands lower than horizon_deg is hidden there. time_zone is an IANA name, for show.
    """

    name: str
    latitude_deg: float
    longitude_deg: float
    height_m: float = 0.0
    horizon_deg: float = USUAL_HORIZON_DEG
    time_zone: str = UTC_ZONE


@dataclass(frozen=True, slots=True)
class Point:
    """A place that a ground track approaches when it comes within so many km."""

    name: str
    latitude_deg: float
    longitude_deg: float
    within_km: float


PARIS: Final = Site("Paris", PARIS_LATITUDE_DEG, PARIS_LONGITUDE_DEG, time_zone="Europe/Paris")


@dataclass(frozen=True, slots=True)
class Places:
    """All sites and points of a file, and who wants to know of their passes, in its order."""

    sites: tuple[Site, ...] = field(default=(PARIS,))
    points: tuple[Point, ...] = ()
    alerts: tuple[AlertRule, ...] = ()

    def named(self, names: Sequence[str]) -> tuple[Site, ...]:
        """Return the sites of some names. Raises SitesError for a name that none has."""
        by_name = {site.name: site for site in self.sites}
        for name in names:
            if name not in by_name:
                raise SitesError(f"no site is called {name!r}; there is {', '.join(by_name) or 'none'}")
        return tuple(by_name[name] for name in names)
