"""The keys of a site and of a point, and what each may hold: names become parts of paths."""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from orbitlake.lake.errors import LakeError
from orbitlake.lake.paths import folder_name
from orbitlake.passes.places import USUAL_HORIZON_DEG, UTC_ZONE, Point, Site

LONGEST_NAME: Final = 64
NAME_SIGNS: Final = " .-_'"

Reader = Callable[[Any], Any]
"""What takes a value as TOML has it; raises ValueError, whose message goes on where the key ends."""


def name_of(value: Any) -> str:
    """Take a name, in Unicode's composed form; it becomes a folder's, percent-encoded."""
    if not isinstance(value, str):
        raise ValueError(f"is {_shown(value)}: expected a name in quotes")
    name = unicodedata.normalize("NFC", value)
    fits = 0 < len(name) <= LONGEST_NAME and name[0].isalpha() and name == name.strip()
    if not fits or not all(unicodedata.category(sign)[0] in "LMN" or sign in NAME_SIGNS for sign in name):
        raise ValueError(
            f"is {_shown(value)}: expected a name of at most {LONGEST_NAME} letters, digits, spaces and signs of "
            f"{NAME_SIGNS.strip()} that begins with a letter"
        )
    try:
        folder_name(name)
    except LakeError:
        raise ValueError(f"is {_shown(value)}: too long for the name of a folder") from None
    return name


def number_between(lowest: float, highest: float, *, above: bool = False) -> Reader:
    """Take a number from a lowest to a highest, or above the lowest."""

    def read(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not lowest <= value <= highest or (above and value == lowest):
            span = f"above {lowest:g} up to {highest:g}" if above else f"from {lowest:g} to {highest:g}"
            raise ValueError(f"is {_shown(value)}: expected a number {span}")
        return float(value)

    return read


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones that this machine knows."""
    return frozenset((UTC_ZONE, *available_timezones()))


def time_zone(value: Any) -> str:
    """Take the name of a time zone."""
    if not isinstance(value, str) or value not in time_zones():
        raise ValueError(f"is {_shown(value)}: expected a time zone of IANA such as Europe/Paris")
    return value


LATITUDE_DEG: Final = number_between(-90.0, 90.0)
LONGITUDE_DEG: Final = number_between(-180.0, 180.0)
SITE_KEYS: Final[Mapping[str, Reader]] = {
    "name": name_of,
    "latitude_deg": LATITUDE_DEG,
    "longitude_deg": LONGITUDE_DEG,
    "height_m": number_between(-500.0, 9000.0),
    "horizon_deg": number_between(0.0, 89.0),
    "time_zone": time_zone,
}
SITE_DEFAULTS: Final = {"height_m": 0.0, "horizon_deg": USUAL_HORIZON_DEG, "time_zone": UTC_ZONE}
POINT_KEYS: Final[Mapping[str, Reader]] = {
    "name": name_of,
    "latitude_deg": LATITUDE_DEG,
    "longitude_deg": LONGITUDE_DEG,
    "within_km": number_between(0.0, 5000.0, above=True),
}


def site_of(**values: Any) -> Site:
    """Return a site by its keys; those with a default may be left out. Raises ValueError that names the key."""
    return Site(**taken(SITE_DEFAULTS | values, SITE_KEYS, SITE_KEYS))


def point_of(**values: Any) -> Point:
    """Return a point by its keys. Raises ValueError likewise."""
    return Point(**taken(values, POINT_KEYS, POINT_KEYS))


def taken(values: Mapping[str, Any], keys: Mapping[str, Reader], required: Collection[str]) -> dict[str, Any]:
    """Return values as their keys take them. Raises ValueError that names a key that is wrong, unknown or missing."""
    for key in values:
        if key not in keys:
            raise ValueError(f"{_shown(key)}: not a key of it; its keys are {', '.join(keys)}")
    found = {}
    for key, read in keys.items():
        if key not in values:
            if key in required:
                raise ValueError(f"{key} is missing")
            continue
        try:
            found[key] = read(values[key])
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
