"""The fields of a form that name a site, or add one to the file of places: judged as the file is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow.sdk import Param

LETTER: Final = r"[^\x00-@\[-`{-\x7f]"
NAME: Final = rf"^{LETTER}[^\x00-\x1f!-&(-,/:-@\[-^`{{-\x7f]*$(?!\n)"
"""What of ASCII a name may hold: a browser knows no letters beyond; those are judged by `SiteField.problem`."""
ZONE: Final = r"^[A-Za-z][A-Za-z0-9_+/-]*$(?!\n)"
LATITUDE: Final = {"type": ["null", "number"], "allOf": [{"minimum": -90, "maximum": 90}]}
LONGITUDE: Final = {"type": ["null", "number"], "allOf": [{"minimum": -180, "maximum": 180}]}


@dataclass(frozen=True, slots=True)
class SiteField:
    """A value of one key of a site, or nothing where the schema takes null."""

    title: str
    description: str
    default: Any
    key: str
    schema: Mapping[str, Any]

    def param(self) -> Param:
        return Param(self.default, title=self.title, description=self.description, **self.schema)

    def problem(self, value: Any) -> str | None:
        from orbitlake.passes.place_keys import SITE_KEYS

        if value is None and "null" in self.schema["type"]:
            return None
        try:
            SITE_KEYS[self.key](value)
        except ValueError as error:
            return str(error)
        return None


NAME_OR_NOTHING: Final = {"type": ["null", "string"], "pattern": NAME, "maxLength": 64}
SITE_FIELDS: Final = {
    "new_site": SiteField(
        "New site",
        "Name of a site to add to the file of places before anything is predicted, at most 64 letters, digits, spaces "
        "and . - _ '. One of that name that is somewhere else stays, and the run fails.",
        None,
        "name",
        NAME_OR_NOTHING,
    ),
    "latitude_deg": SiteField(
        "Latitude (deg)", "Of the new site, north positive, -90 to 90.", None, "latitude_deg", LATITUDE
    ),
    "longitude_deg": SiteField(
        "Longitude (deg)", "Of the new site, east positive, -180 to 180.", None, "longitude_deg", LONGITUDE
    ),
    "height_m": SiteField(
        "Height (m)",
        "Of the new site above the WGS-84 ellipsoid, -500 to 9000.",
        0,
        "height_m",
        {"type": "number", "allOf": [{"minimum": -500, "maximum": 9000}]},
    ),
    "horizon_deg": SiteField(
        "Horizon (deg)",
        "What stands lower is hidden at the new site, 0 to 89.",
        10,
        "horizon_deg",
        {"type": "number", "allOf": [{"minimum": 0, "maximum": 89}]},
    ),
    "time_zone": SiteField(
        "Time zone",
        "In whose time the job shows the passes of the new site, such as Europe/Paris.",
        "UTC",
        "time_zone",
        {"type": "string", "pattern": ZONE, "maxLength": 64},
    ),
}


def site_problems(conf: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the fields of a new site together."""
    given = [name for name in ("latitude_deg", "longitude_deg") if conf.get(name) is not None]
    if conf.get("new_site") is None:
        return [f"{name} is of a new site: new_site must name it." for name in given[:1]]
    missing = [name for name in ("latitude_deg", "longitude_deg") if name not in given]
    return [f"new_site needs a place: {' and '.join(missing)} must be given."] if missing else []
