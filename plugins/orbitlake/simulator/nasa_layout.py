"""An issue as the bytes of NASA's two files, key-value text and XML, down to column, blank and line end."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import numpy as np

from orbitlake.oem.writer.kvn import kvn_lines
from orbitlake.oem.writer.printed import PrintedOem, PrintedSegment
from orbitlake.oem.writer.xml import INDENT, xml_lines
from orbitlake.simulator.issues import Issue, Node
from orbitlake.simulator.station import DRAG_AREA_M2, DRAG_COEFFICIENT, MASS_KG, Event

FEET_PER_METRE: Final = 1 / 0.3048
KM_PER_NAUTICAL_MILE: Final = 1.852
TABLE_HEAD: Final = (
    "TRAJECTORY EVENT SUMMARY:",
    "",
    "|       EVENT        |       TIG        | ORB |   DV    |   HA    |   HP    |",
    "|                    |       GMT        |     |   M/S   |   KM    |   KM    |",
    "|                    |                  |     |  (F/S)  |  (NM)   |  (NM)   |",
    "=" * 77,
)
METADATA: Final = {"OBJECT_NAME": "ISS", "OBJECT_ID": "1998-067-A", "REF_FRAME": "EME2000", "TIME_SYSTEM": "UTC"}


class OemFormat(StrEnum):
    """The two formats; the value is the suffix of the file's name."""

    KVN = "txt"
    XML = "xml"


def write_issue(issue: Issue, form: OemFormat) -> bytes:
    """Return the whole file: equal issues give equal bytes."""
    lines = _kvn_lines(issue) if form is OemFormat.KVN else _xml_lines(issue)
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def file_name(issue: Issue, form: OemFormat) -> str:
    """Return the name of an issue's own file, such as ISS.OEM_J2K_EPH.2026-11-20.txt."""
    return f"ISS.OEM_J2K_EPH.{issue.creation_utc.astype('datetime64[D]')}.{form.value}"


def _kvn_lines(issue: Issue) -> Iterator[str]:
    start, stop = _calendar(issue.start_utc), _calendar(issue.stop_utc)
    spans = {"START_TIME": start, "USEABLE_START_TIME": start, "USEABLE_STOP_TIME": stop, "STOP_TIME": stop}
    epochs = np.datetime_as_string(issue.epochs_utc, unit="ms").tolist()
    states = [
        (epoch, *(f"{value:.12f}" for value in position), *(f"{value:.14f}" for value in velocity))
        for epoch, position, velocity in zip(epochs, *(part.tolist() for part in issue.states()), strict=True)
    ]
    created = {"CREATION_DATE": _calendar(issue.creation_utc), "ORIGINATOR": "ORBITLAKE/SIMULATOR"}
    source = "Source: This file was produced by the orbitlake simulator in the layout of JSC."
    return kvn_lines(_words(created, METADATA | {"CENTER_NAME": "Earth"} | spans, [source, *_comments(issue)], states))


def _xml_lines(issue: Issue) -> Iterator[str]:
    spans = {"START_TIME": _day_of_year(issue.start_utc), "STOP_TIME": _day_of_year(issue.stop_utc)}
    states = [
        (epoch, *(f"{value:.17g}" for value in state))
        for epoch, state in zip(_days_of_year(issue.epochs_utc), np.hstack(issue.states()).tolist(), strict=True)
    ]
    created = {"CREATION_DATE": _day_of_year(issue.creation_utc), "ORIGINATOR": "ORBITLAKE"}
    words = _words(created, METADATA | {"CENTER_NAME": "EARTH"} | spans, list(_comments(issue)), states)
    yield '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    yield "<ndm>"
    yield from (INDENT + line for line in xml_lines(words, attributes=""))
    yield "</ndm>"


def _words(
    header: dict[str, str], metadata: dict[str, str], comments: list[str], states: list[tuple[str, ...]]
) -> PrintedOem:
    return PrintedOem("2.0", header, segments=[PrintedSegment(metadata, comments=comments, states=states)])


def _comments(issue: Issue) -> Iterator[str]:
    """Yield the comment block that both formats share; only XML keeps the blank at the end of a line."""
    first, last = issue.first_and_last_node()
    yield "Units are in kg and m^2"
    yield f"MASS={MASS_KG:.2f}"
    yield f"DRAG_AREA={DRAG_AREA_M2:.2f}"
    yield f"DRAG_COEFF={DRAG_COEFFICIENT:.2f}"
    yield "SOLAR_RAD_AREA=0.00"
    yield "SOLAR_RAD_COEFF=0.00"
    yield "Orbits start at the ascending node epoch "
    yield f"ISS first asc. node: {_node(first)}"
    yield f"ISS last asc. node : {_node(last)}"
    yield "Begin sequence of events"
    yield from TABLE_HEAD
    for event in issue.events:
        yield from _event_lines(event, *issue.heights_km(event))
        yield ""
    yield TABLE_HEAD[-1]
    yield "End sequence of events"


def _event_lines(event: Event, apogee_km: float, perigee_km: float) -> Iterator[str]:
    """Yield an event's two lines: metric, then feet and nautical miles in brackets; ORB stays empty as in NASA's."""
    day, clock = _day_of_year(event.ignition_utc)[5:-1].split("T")
    yield f" {event.name:<21.20} {day}:{clock} {'':<4} {event.delta_v_m_s:10.1f} {apogee_km:9.1f} {perigee_km:9.1f}"
    in_feet = (
        f"({event.delta_v_m_s * FEET_PER_METRE:.1f})",
        f"({apogee_km / KM_PER_NAUTICAL_MILE:.1f})",
        f"({perigee_km / KM_PER_NAUTICAL_MILE:.1f})",
    )
    yield "{:>56} {:>9} {:>9}".format(*in_feet)


def _node(node: Node) -> str:
    return f"EPOCH = {_calendar(node.epoch_utc)} $ ORBIT = {node.orbit} $ LAN(DEG) = {node.longitude_deg:.5f}"


def _calendar(epoch: np.datetime64) -> str:
    return str(np.datetime_as_string(epoch, unit="ms"))


def _day_of_year(epoch: np.datetime64) -> str:
    return _days_of_year(np.array([epoch]))[0]


def _days_of_year(epochs: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]) -> list[str]:
    """Return epochs as XML writes them, such as 2023-046T12:00:00.000Z."""
    years, days = epochs.astype("datetime64[Y]"), epochs.astype("datetime64[D]")
    day_of_year = (days - years).astype(int) + 1
    calendar = np.datetime_as_string(epochs, unit="ms")
    return [
        f"{text[:4]}-{day:03d}{text[10:]}Z" for text, day in zip(calendar.tolist(), day_of_year.tolist(), strict=True)
    ]
