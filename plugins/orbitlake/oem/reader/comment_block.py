"""NASA's comment block as data: vehicle facts, ascending nodes and the summary of trajectory events.

The layout is that of ISS.OEM_J2K_EPH since 2021. What departs from it becomes a warning; the comments stay as text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orbitlake.oem.reader import epochs

NUMBER: Final = r"[+-]?\d{1,100}(?:\.\d{0,100})?(?:[eE][+-]?\d{1,2})?"
"""Finite, whatever it holds."""
ORBIT: Final = r"\d{1,18}"
VEHICLE_FACTS: Final = {
    "MASS": "mass_kg",
    "DRAG_AREA": "drag_area_m2",
    "DRAG_COEFF": "drag_coefficient",
    "SOLAR_RAD_AREA": "solar_rad_area_m2",
    "SOLAR_RAD_COEFF": "solar_rad_coefficient",
}
VEHICLE_FACT: Final = re.compile(rf"\s*({'|'.join(VEHICLE_FACTS)})\s*=\s*(.*?)\s*", re.ASCII)
UNITS: Final = re.compile(r"\s*Units are in\b\s*(.*?)\s*", re.ASCII)
KNOWN_UNITS: Final = "kg and m^2"
NODE: Final = re.compile(r".*\b(first|last) asc\. node\s*:(.*)", re.ASCII)
NODE_VALUES: Final = re.compile(
    rf"\s*EPOCH = (?P<epoch>\S+) \$ ORBIT = (?P<orbit>{ORBIT}) \$ LAN\(DEG\) = (?P<longitude>{NUMBER})\s*", re.ASCII
)

HALF_A_YEAR_US: Final = 183 * epochs.DAY_US
"""Every day of the year lies within that of the issue in some year, but a 366th may not."""

BEGIN: Final = "Begin sequence of events"
END: Final = "End sequence of events"
HEADINGS: Final = (
    "TRAJECTORY EVENT SUMMARY:",
    "| EVENT | TIG | ORB | DV | HA | HP |",
    "| | GMT | | M/S | KM | KM |",
    "| | | | (F/S) | (NM) | (NM) |",
)
"""The headings of the summary, in order, with runs of blanks taken together: they fix columns and units."""
EVENT: Final = re.compile(
    r" ?(?P<name>\S.{0,19}?) +(?P<day>\d{3}):(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d\.\d{1,6})"
    rf"(?: +(?P<orbit>{ORBIT}))? +(?P<delta_v>{NUMBER}) +(?P<apogee>{NUMBER}) +(?P<perigee>{NUMBER})\s*",
    re.ASCII,
)
IMPERIAL: Final = re.compile(rf"\s*\((?P<delta_v>{NUMBER})\)\s+\((?P<apogee>{NUMBER})\)\s+\((?P<perigee>{NUMBER})\)\s*")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the block states about the vehicle and its orbit count; None where it does not."""

    mass_kg: float | None = None
    drag_area_m2: float | None = None
    drag_coefficient: float | None = None
    solar_rad_area_m2: float | None = None
    solar_rad_coefficient: float | None = None
    first_node_time: datetime | None = None
    first_node_orbit: int | None = None
    first_node_longitude_deg: float | None = None
    last_node_time: datetime | None = None
    last_node_orbit: int | None = None
    last_node_longitude_deg: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the summary, in the columns of trajectory_events."""

    event_name: str
    ignition_time: datetime
    delta_v_m_s: float
    delta_v_ft_s: float | None
    apogee_height_km: float
    perigee_height_km: float
    apogee_height_nmi: float | None
    perigee_height_nmi: float | None
    orbit: int | None
    is_burn: bool


@dataclass(slots=True)
class CommentBlock:
    """The facts and events of an issue, and what could not be read."""

    facts: Facts = field(default_factory=Facts)
    events: list[Event] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse(comments: Sequence[str], start_utc_us: int, stop_utc_us: int) -> CommentBlock:
    """Return what the comments of an issue say; its span (us of UTC since 1970-01-01) gives events their year.

    Never raises: a line that departs from the layout is a warning.
    """
    block = CommentBlock()
    begin = next((nth for nth, text in enumerate(comments) if text.strip() == BEGIN), None)
    end = next((nth for nth, text in enumerate(comments) if text.strip() == END), None)
    summary: Sequence[str] = ()
    facts = comments
    if begin is not None and end is not None and begin < end:
        summary = comments[begin + 1 : end]
        facts = [*comments[:begin], *comments[end + 1 :]]
    elif begin is not None or end is not None:
        block.warnings.append("comment block: the sequence of events has no beginning or no end")
    _read_facts(facts, block)
    block.events += _events(summary, start_utc_us, stop_utc_us, block.warnings)
    return block


def _read_facts(comments: Sequence[str], block: CommentBlock) -> None:
    found: dict[str, float | int | datetime] = {}
    units_known = True
    for text in comments:
        if match := VEHICLE_FACT.fullmatch(text):
            name, value = VEHICLE_FACTS[match[1]], match[2]
            if name in found:
                block.warnings.append(f"comment block: {match[1]} again: {text[:80]!r}")
            elif re.fullmatch(NUMBER, value, re.ASCII):
                found[name] = float(value)
            else:
                block.warnings.append(f"comment block: {match[1]} is not a number: {text[:80]!r}")
        elif (match := UNITS.fullmatch(text)) and match[1] != KNOWN_UNITS:
            units_known = False
            block.warnings.append(
                f"comment block: units {match[1][:40]!r} are not {KNOWN_UNITS}: vehicle facts left out"
            )
        elif match := NODE.fullmatch(text):
            _read_node(match[1], match[2], found, block.warnings)
    if not units_known:
        found = {name: value for name, value in found.items() if name not in VEHICLE_FACTS.values()}
    block.facts = Facts(**found)  # type: ignore[arg-type]


def _read_node(which: str, text: str, found: dict[str, float | int | datetime], warnings: list[str]) -> None:
    match = NODE_VALUES.fullmatch(text)
    if match is None or f"{which}_node_time" in found:
        warnings.append(f"comment block: {which} ascending node is unreadable or stated again: {text[:80]!r}")
        return
    try:
        node_time = epochs.utc_of(epochs.tai_us_of(match["epoch"], "UTC"))
    except ValueError as error:
        warnings.append(f"comment block: {which} ascending node: {error}")
        return
    found[f"{which}_node_time"] = node_time
    found[f"{which}_node_orbit"] = int(match["orbit"])
    found[f"{which}_node_longitude_deg"] = float(match["longitude"])


def _events(summary: Sequence[str], start_utc_us: int, stop_utc_us: int, warnings: list[str]) -> Iterator[Event]:
    headings = tuple(" ".join(text.split()) for text in summary[: len(HEADINGS) + 1])
    headings = tuple(text for text in headings if text)[: len(HEADINGS)]
    if headings != HEADINGS:
        if summary:
            warnings.append("comment block: the event summary has other headings than known: its events are left out")
        return
    pending = [text for text in summary if text.strip() and set(text.strip()) != {"="}][len(HEADINGS) :]
    while pending:
        text = pending.pop(0)
        match = EVENT.fullmatch(text)
        if match is None:
            warnings.append(f"comment block: unreadable event: {text[:80]!r}")
            continue
        imperial = IMPERIAL.fullmatch(pending[0]) if pending else None
        if imperial:
            pending.pop(0)
        else:
            warnings.append(f"comment block: no feet and nautical miles after event: {text[:80]!r}")
        try:
            ignition_us = _ignition_us(match, start_utc_us, stop_utc_us)
        except ValueError as error:
            warnings.append(f"comment block: {error}")
            continue
        yield Event(
            event_name=match["name"],
            ignition_time=epochs.as_datetime(ignition_us),
            delta_v_m_s=float(match["delta_v"]),
            delta_v_ft_s=float(imperial["delta_v"]) if imperial else None,
            apogee_height_km=float(match["apogee"]),
            perigee_height_km=float(match["perigee"]),
            apogee_height_nmi=float(imperial["apogee"]) if imperial else None,
            perigee_height_nmi=float(imperial["perigee"]) if imperial else None,
            orbit=int(match["orbit"]) if match["orbit"] else None,
            is_burn=float(match["delta_v"]) > 0,
        )


def _ignition_us(event: re.Match[str], start_utc_us: int, stop_utc_us: int) -> int:
    """Return the TIG, which is printed without a year, in the year that brings it nearest to the issue's span."""
    time_of_year = f"{event['day']}T{event['hour']}:{event['minute']}:{event['second']}"
    years = range(epochs.as_datetime(start_utc_us).year - 1, epochs.as_datetime(stop_utc_us).year + 2)
    candidates = []
    for year in years:
        try:
            candidates.append(epochs.utc_us_of(epochs.tai_us_of(f"{year:04}-{time_of_year}", "UTC")))
        except ValueError:
            continue  # day 366 exists in leap years only, a second 60 in few

    def distance_us(ignition_us: int) -> int:
        return max(start_utc_us - ignition_us, ignition_us - stop_utc_us, 0)

    nearest_us = min(candidates, key=distance_us, default=None)
    if nearest_us is None or distance_us(nearest_us) > HALF_A_YEAR_US:
        raise ValueError(f"TIG {time_of_year} of event {event['name']!r} is no time of any year near the issue")
    return nearest_us
