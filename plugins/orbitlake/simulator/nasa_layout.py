"""An issue as the bytes of NASA's two files, key-value text and XML, down to column, blank and line end."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import numpy as np

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
STATE_TAGS: Final = (("X", "km"), ("Y", "km"), ("Z", "km"), ("X_DOT", "km/s"), ("Y_DOT", "km/s"), ("Z_DOT", "km/s"))


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
    yield "CCSDS_OEM_VERS = 2.0"
    yield f"CREATION_DATE  = {_calendar(issue.creation_utc)}"
    yield "ORIGINATOR     = ORBITLAKE/SIMULATOR"
    yield ""
    yield "META_START"
    yield "OBJECT_NAME          = ISS"
    yield "OBJECT_ID            = 1998-067-A"
    yield "CENTER_NAME          = Earth"
    yield "REF_FRAME            = EME2000"
    yield "TIME_SYSTEM          = UTC"
    yield f"START_TIME           = {start}"
    yield f"USEABLE_START_TIME   = {start}"
    yield f"USEABLE_STOP_TIME    = {stop}"
    yield f"STOP_TIME            = {stop}"
    yield "META_STOP"
    yield ""
    yield "COMMENT Source: This file was produced by the orbitlake simulator in the layout of JSC."
    for comment in _comments(issue):
        yield f"COMMENT {comment.rstrip()}"
    position_km, velocity_km_s = issue.states()
    for epoch, position, velocity in zip(
        np.datetime_as_string(issue.epochs_utc, unit="ms"), position_km.tolist(), velocity_km_s.tolist(), strict=True
    ):
        yield "{} {:.12f} {:.12f} {:.12f} {:.14f} {:.14f} {:.14f}".format(epoch, *position, *velocity)


def _xml_lines(issue: Issue) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    yield "<ndm>"
    yield '    <oem id="CCSDS_OEM_VERS" version="2.0">'
    yield "        <header>"
    yield f"            <CREATION_DATE>{_day_of_year(issue.creation_utc)}</CREATION_DATE>"
    yield "            <ORIGINATOR>ORBITLAKE</ORIGINATOR>"
    yield "        </header>"
    yield "        <body>"
    yield "            <segment>"
    yield "                <metadata>"
    yield "                    <OBJECT_NAME>ISS</OBJECT_NAME>"
    yield "                    <OBJECT_ID>1998-067-A</OBJECT_ID>"
    yield "                    <CENTER_NAME>EARTH</CENTER_NAME>"
    yield "                    <REF_FRAME>EME2000</REF_FRAME>"
    yield "                    <TIME_SYSTEM>UTC</TIME_SYSTEM>"
    yield f"                    <START_TIME>{_day_of_year(issue.start_utc)}</START_TIME>"
    yield f"                    <STOP_TIME>{_day_of_year(issue.stop_utc)}</STOP_TIME>"
    yield "                </metadata>"
    yield "                <data>"
    for comment in _comments(issue):
        yield f"                    <COMMENT>{comment}</COMMENT>"
    states = np.hstack(issue.states()).tolist()
    for epoch, state in zip(_days_of_year(issue.epochs_utc), states, strict=True):
        yield "                    <stateVector>"
        yield f"                        <EPOCH>{epoch}</EPOCH>"
        for (tag, unit), value in zip(STATE_TAGS, state, strict=True):
            yield f'                        <{tag} units="{unit}">{value:.17g}</{tag}>'
        yield "                    </stateVector>"
    yield "                </data>"
    yield "            </segment>"
    yield "        </body>"
    yield "    </oem>"
    yield "</ndm>"


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
