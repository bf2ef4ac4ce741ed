"""The keys of [[alerts]] in the file of places, and what each may hold."""

import re
from collections.abc import Callable, Mapping
from datetime import time
from typing import Any, Final

from orbitlake.passes.alert_rules import AlertRule, QuietHours
from orbitlake.passes.place_keys import name_of, number_between, taken, time_zone
from orbitlake.settings import CHANNEL, CHANNELS_IN_WORDS

QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
LONGEST_BEFORE_MINUTES: Final = 1440.0


def quiet_hours(value: Any) -> QuietHours:
    """Take hours such as 22:30-07:00."""
    found = QUIET.fullmatch(value) if isinstance(value, str) else None
    if not found or found[1] + found[2] == found[3] + found[4]:
        raise ValueError(f"is {value!r}: expected two times of day such as 22:30-07:00")
    return QuietHours(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))


def truth(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {value!r}: expected true or false")
    return value


def channels(value: Any) -> tuple[str, ...]:
    """Take a list of channels, at least one."""
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError(f"is {value!r}: expected a list of {CHANNELS_IN_WORDS}")
    for each in value:
        if not CHANNEL.fullmatch(each):
            raise ValueError(f"holds {each!r}: expected {CHANNELS_IN_WORDS}")
    return tuple(dict.fromkeys(value))


RULE_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": name_of,
    "site": name_of,
    "point": name_of,
    "minutes_before": number_between(1.0, LONGEST_BEFORE_MINUTES),
    "min_elevation_deg": number_between(0.0, 90.0),
    "visible_only": truth,
    "quiet_hours": quiet_hours,
    "time_zone": time_zone,
    "channels": channels,
}
REQUIRED: Final = ("name", "minutes_before")


def rule_of(**values: Any) -> AlertRule:
    """Return a rule by its keys. Raises ValueError that names the key."""
    rule = AlertRule(**taken(values, RULE_KEYS, REQUIRED))
    if rule.site and rule.point:
        raise ValueError("point: a rule has a site or a point, or none of both for all")
    for key in ("min_elevation_deg", "visible_only"):
        if rule.point and key in values:
            raise ValueError(f"{key} is of passes over a site: an approach to a point has none")
    return rule
