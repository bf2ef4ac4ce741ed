"""Passes -> an iCalendar file (RFC 5545), which a calendar can subscribe to: a pass that changes replaces its event."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from orbitlake.exports.export import Export, safe_file_name

PRODUCT: Final = "-//orbitlake//passes//EN"
MOST_OCTETS: Final = 75
"""Of a line, without its end."""
CANCELLED: Final = "CANCELLED"
ESCAPES: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})
POINTS: Final = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
HALF_SECOND: Final = timedelta(milliseconds=500)

Pass = Mapping[str, Any]
"""A row of the table `passes`: times with a zone, None for null."""


def to_calendar(rows: Iterable[Pass], title: str, names: Mapping[str, str] | None = None) -> Export:
    """Return a calendar of passes; see `calendar`."""
    return Export(safe_file_name(title, suffix="ics"), "text/calendar; charset=utf-8", [calendar(rows, title, names)])


def calendar(rows: Iterable[Pass], title: str, names: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a calendar with an event for each row of `passes`, cancelled ones too.

    An event is known by object, site and pass_id, whatever its times become, and its revision is the event's sequence.
    DTSTAMP is when the issue was created that tells of it, so that equal rows give equal bytes. `names` gives the names
    that events show for object ids. Raises KeyError for a row without a column that an event needs.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(title)}",
        *(line for row in rows for line in _event(row, (names or {}).get(row["object_id"], row["object_id"]))),
        "END:VCALENDAR",
    ]
    return b"".join(piece for line in lines for piece in _folded(line))


def _event(row: Pass, name: str) -> Iterator[str]:
    identity = (row["pass_id"], row["site"], row["object_id"])
    told = _time(row["creation_date"])
    yield "BEGIN:VEVENT"
    yield f"UID:{'/'.join(quote(part, safe='') for part in identity)}@orbitlake"
    yield f"DTSTAMP:{told}"
    yield f"LAST-MODIFIED:{told}"
    yield f"SEQUENCE:{row['revision']}"
    yield f"STATUS:{CANCELLED if row['status'] == CANCELLED else 'CONFIRMED'}"
    yield f"DTSTART:{_time(row['rise_time'])}"
    yield f"DTEND:{_time(row['set_time'])}"
    yield f"SUMMARY:{_text(_summary(row, name))}"
    yield f"LOCATION:{_text(row['site'])}"
    yield f"DESCRIPTION:{_text(chr(10).join(_description(row)))}"
    # Nobody is busy while a satellite passes.
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _summary(row: Pass, name: str) -> str:
    words = [f"{name} over {row['site']}, {row['max_elevation_deg']:.0f}° high"]
    if row["visible_from"] is not None:
        words.append("visible" if row["magnitude"] is None else f"visible, magnitude {row['magnitude']:.1f}")
    return ", ".join(words)


def _description(row: Pass) -> Iterator[str]:
    for what, moment in (("Rises", "rise"), ("Highest", "culmination"), ("Sets", "set")):
        azimuth_deg = row[f"{moment}_azimuth_deg"]
        height = f", {row['max_elevation_deg']:.1f}° high, {row['range_km']:.0f} km away" if what == "Highest" else ""
        yield f"{what} {_clock(row[f'{moment}_time'])} at {azimuth_deg:.0f}° ({_point(azimuth_deg)}){height}"
    if row["visible_from"] is not None:
        highest = f", up to {row['visible_max_elevation_deg']:.0f}°" if row["visible_max_elevation_deg"] else ""
        yield f"Visible {_clock(row['visible_from'])} to {_clock(row['visible_until'])}{highest}"
    if row["time_sigma_s"] is not None:
        yield f"Times good to {row['time_sigma_s']:.0f} s (standard deviation)"
    if row["burn_between"]:
        yield "A burn is planned before the pass: it may come at another time, or not at all"
    yield f"{row['status'].capitalize()} by the ephemeris of {row['creation_date'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _point(azimuth_deg: float) -> str:
    """Return the point of the compass next to an azimuth."""
    return POINTS[round(azimuth_deg / 22.5) % len(POINTS)]


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC) + HALF_SECOND:%H:%M:%S} UTC"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC) + HALF_SECOND:%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    return value.translate(ESCAPES)


def _folded(line: str) -> Iterator[bytes]:
    """Yield a line in pieces of at most MOST_OCTETS, no character split, each further piece behind a blank."""
    rest, room = line.encode(), MOST_OCTETS
    while len(rest) > room:
        end = room
        while rest[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1
        yield rest[:end] + b"\r\n "
        rest, room = rest[end:], MOST_OCTETS - 1
    yield rest + b"\r\n"
