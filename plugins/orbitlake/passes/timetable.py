"""The passes table as people read it: the next days over a site, a line a pass."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import PART, folder_name
from orbitlake.passes.places import Site
from orbitlake.tables import PASSES

WINDS: Final = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def passes_over(lake: Lake, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return the rows of passes of all objects over a site that set after `since` and rise before `until`, by rise."""
    found: list[dict[str, Any]] = []
    for file in sorted(lake.closed(PASSES).glob(f"*/site={folder_name(site.name)}/{PART}")):
        with open_checked(file, PASSES) as opened:
            rows = opened.read()
        is_asked = pc.and_(
            pc.greater(rows.column("set_time"), pa.scalar(since)), pc.less(rows.column("rise_time"), pa.scalar(until))
        )
        found += rows.filter(is_asked).to_pylist()
    return sorted(found, key=lambda row: (row["rise_time"], row["object_id"]))


def lines_of(site: Site, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line a pass, in the site's time and in UTC."""
    zone = ZoneInfo(site.time_zone)
    for row in rows:
        rise, peak, fall = (row[f"{when}_time"].astimezone(zone) for when in ("rise", "culmination", "set"))
        sure = "" if row["time_p90_s"] is None else f" +-{row['time_p90_s']:.0f} s"
        yield (
            f"{site.name}  {rise:%a %Y-%m-%d %H:%M:%S %Z} ({row['rise_time']:%H:%M:%S} UTC){sure}  {row['object_id']}  "
            f"from {_wind(row['rise_azimuth_deg'])}, {row['max_elevation_deg']:.0f} deg in "
            f"{_wind(row['culmination_azimuth_deg'])} at {peak:%H:%M:%S}, to {_wind(row['set_azimuth_deg'])} at "
            f"{fall:%H:%M:%S}; {_seen(row, zone)}; {row['status']}"
        )


def _seen(row: dict[str, Any], zone: ZoneInfo) -> str:
    if row["visible_from"] is None:
        return "not visible"
    since, until = (row[name].astimezone(zone) for name in ("visible_from", "visible_until"))
    bright = "" if row["magnitude"] is None else f", magnitude {row['magnitude']:.1f}"
    return f"visible {since:%H:%M:%S} to {until:%H:%M:%S}, up to {row['visible_max_elevation_deg']:.0f} deg{bright}"


def _wind(azimuth_deg: float) -> str:
    return WINDS[round(azimuth_deg / 45.0) % 8]
