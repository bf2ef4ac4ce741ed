"""Who wants to know of which passes and approaches, and how long before."""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day to another, over midnight where the second is the earlier one."""

    start: time
    stop: time

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Say whether an instant lies in them, by the clock of a time zone; the end itself does not."""
        clock = at.astimezone(zone).time()
        if self.start < self.stop:
            return self.start <= clock < self.stop
        return clock >= self.start or clock < self.stop


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Tell of each pass over a site, or approach to a point, so many minutes before it begins.

    Without site and point it speaks of all of them; with what only a pass can have, of all sites. `name` is what it is
    known by: a rule that keeps its name tells of no pass twice, whatever else of it is changed. Without channels they
    are those of ORBITLAKE_ALERTS, without a time zone the site's, of points UTC.
    """

    name: str
    minutes_before: float
    site: str | None = None
    point: str | None = None
    min_elevation_deg: float | None = None
    visible_only: bool = False
    quiet_hours: QuietHours | None = None
    time_zone: str | None = None
    channels: tuple[str, ...] | None = None

    def speaks_of(self, place: str, *, is_site: bool) -> bool:
        """Say whether it is about passes over a site, or approaches to a point, of that name."""
        if self.site or self.point:
            return place == (self.site if is_site else self.point)
        return is_site or (self.min_elevation_deg is None and not self.visible_only)
