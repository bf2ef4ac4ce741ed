"""Epochs of an OEM, calendar or day-of-year, to whole microseconds: in the file's own time system and in UTC."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import tai_minus_utc_s

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
TT_MINUS_TAI_US: Final = 32_184_000
TAI_MINUS_GPS_US: Final = 19 * SECOND_US
UNIX_EPOCH: Final = date(1970, 1, 1)
LAST_US: Final = (date.max - UNIX_EPOCH).days * DAY_US + DAY_US - 1
"""What a datetime can hold at the most."""
UNIX_EPOCH_JD: Final = 2_440_587.5
WHOLE_LEAP_SECONDS_US: Final = (date(1972, 1, 1) - UNIX_EPOCH).days * DAY_US
"""Before 1972 UTC ran at other rates than TAI: no table of whole seconds converts it."""

EPOCH: Final = re.compile(
    r"(?P<year>\d{4})-(?:(?P<month>\d\d)-(?P<day>\d\d)|(?P<day_of_year>\d{3}))"
    r"T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d+))?Z?",
    re.ASCII,
)
"""CCSDS 301.0-B-4, time codes A and B, as CCSDS 502.0-B-3, 7.5.10 takes them."""

Microseconds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Epochs as a file writes them, in its time system. Shapes (n,).

    `label_us` counts from 1970-01-01 in days of 86400 s; a second 60 counts into the next day and is marked.
    """

    label_us: Microseconds
    in_leap_second: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label_us)


def parse(text: str) -> tuple[int, bool]:
    """Return one epoch as its label (us) and whether it lies in a second 60. Raises ValueError with the reason.

    Digits past the microsecond are rounded, halves up.
    """
    match = EPOCH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an epoch such as 2023-03-24T18:41:29.004 or 2023-083T18:41:29.004Z")
    year, hour, minute, second = (int(match[name]) for name in ("year", "hour", "minute", "second"))
    try:
        if match["day_of_year"]:
            day = date(year, 1, 1) + timedelta(days=int(match["day_of_year"]) - 1)
        else:
            day = date(year, int(match["month"]), int(match["day"]))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} names a day that no calendar has") from None
    in_leap_second = (hour, minute, second) == (23, 59, 60)
    if day.year != year or hour > 23 or minute > 59 or (second > 59 and not in_leap_second):
        raise ValueError(f"{text!r} names a day or time that no calendar has")
    label_us = (
        (day - UNIX_EPOCH).days * DAY_US
        + ((hour * 60 + minute) * 60 + second) * SECOND_US
        + _fraction_us(match["fraction"] or "")
    )
    if label_us > LAST_US:
        raise ValueError(f"{text!r} rounds to the year 10000")
    return label_us, in_leap_second


def _fraction_us(digits: str) -> int:
    return int(digits[:6].ljust(6, "0")) + (digits[6:7] >= "5")


def parse_column(text: NDArray[np.uint8], offsets: NDArray[np.integer]) -> Microseconds | None:
    """Return the labels (us) of n epochs: `text` holds their characters, `offsets` (n + 1,) their bounds.

    Serves the usual column, where every epoch has the form of the first and none a second 60; None asks the caller
    to take `parse` epoch by epoch, which also finds the reason where one is wrong.
    """
    widths = np.diff(offsets)
    if not widths.size or (widths != widths[0]).any():
        return None
    chars = text[offsets[0] : offsets[-1]].reshape(len(widths), widths[0])
    form = EPOCH.fullmatch(chars[0].tobytes().decode("latin-1"))
    if form is None:
        return None
    is_digit = (chars[0] >= ord("0")) & (chars[0] <= ord("9"))
    digits = chars[:, is_digit] - np.uint8(ord("0"))  # wraps round below 0
    if (digits > 9).any() or (chars[:, ~is_digit] != chars[0, ~is_digit]).any():
        return None

    def value_of(name: str, length: int | None = None) -> Microseconds:
        value = np.zeros(len(chars), dtype=np.int64)
        for column in chars[:, form.start(name) : form.end(name)].T[:length]:
            value = value * 10 + (column - np.uint8(ord("0")))
        return value

    year, hour, minute, second = (value_of(name) for name in ("year", "hour", "minute", "second"))
    fraction_us = value_of("fraction", 6) * 10 ** max(0, 6 - len(form["fraction"] or ""))
    if len(form["fraction"] or "") > 6:
        fraction_us += chars[:, form.start("fraction") + 6] >= ord("5")
    if form["day_of_year"]:
        day = value_of("day_of_year")
        first = (year - 1970).astype("datetime64[Y]")
    else:
        month, day = value_of("month"), value_of("day")
        if ((month < 1) | (month > 12)).any():
            return None
        first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = _days(first + 1) - _days(first)
    if ((year < 1) | (day < 1) | (day > length) | (hour > 23) | (minute > 59) | (second > 59)).any():
        return None
    labels: Microseconds = (
        (_days(first) + day - 1) * DAY_US + ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction_us
    )
    return labels if labels.max() <= LAST_US else None


def _days(moments: NDArray[np.datetime64]) -> Microseconds:
    return moments.astype("datetime64[D]").astype(np.int64)


def elapsed_us(moments: Moments, time_system: str) -> Microseconds:
    """Return (n,) microseconds on a scale without jumps: TAI for UTC, the label itself for every other system.

    Differences are exact, across leap seconds too. Raises ValueError for a second 60 where there was none.
    """
    if time_system != "UTC":
        if moments.in_leap_second.any():
            raise ValueError(f"second 60 exists in UTC only, not in {time_system}")
        return moments.label_us
    day = moments.label_us // DAY_US
    offset_s = tai_minus_utc_s(day - moments.in_leap_second)
    if moments.in_leap_second.any():
        marked = day[moments.in_leap_second]
        without = tai_minus_utc_s(marked) - tai_minus_utc_s(marked - 1) != 1
        if without.any():
            raise ValueError(f"{UNIX_EPOCH + timedelta(days=int(marked[without][0]) - 1)} had no leap second")
    elapsed: Microseconds = moments.label_us + (offset_s * SECOND_US).astype(np.int64)
    return elapsed


def utc_us(moments: Moments, time_system: str) -> Microseconds:
    """Return (n,) microseconds of UTC since 1970-01-01, as a timestamp counts them, to the microsecond.

    No timestamp can hold a leap second: what lies in one becomes the last microsecond before it ends the day,
    23:59:59.999999. Raises ValueError for a system that is not in TIME_SYSTEMS, or before 1972 in any but UTC.
    """
    if time_system == "UTC":
        return _held_back(moments.label_us, moments.in_leap_second)
    tai_us = TIME_SYSTEMS[time_system](moments.label_us)
    if (tai_us < WHOLE_LEAP_SECONDS_US + DAY_US).any():
        raise ValueError(f"UTC before 1972 does not follow {time_system} by whole seconds")
    # Within half a minute before midnight TAI is already on the next day, which may have the next offset.
    ahead_us = tai_us - (tai_minus_utc_s(tai_us // DAY_US) * SECOND_US).astype(np.int64)
    label_us = tai_us - (tai_minus_utc_s(ahead_us // DAY_US) * SECOND_US).astype(np.int64)
    return _held_back(label_us, label_us // DAY_US > ahead_us // DAY_US)


def _held_back(label_us: Microseconds, in_leap_second: NDArray[np.bool_]) -> Microseconds:
    held: Microseconds = np.where(in_leap_second, label_us // DAY_US * DAY_US - 1, label_us)
    return held


def as_datetime(microseconds_utc: int) -> datetime:
    """Return a count of microseconds since 1970-01-01 as a datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds_utc))


def _tai_from_tt(tt_us: Microseconds) -> Microseconds:
    return tt_us - TT_MINUS_TAI_US


def _tt_from_tdb(tdb_us: Microseconds) -> Microseconds:
    # At the geocentre: the place of a clock on the ground moves TDB - TT by 2 us at most (Fairhead & Bretagnon 1990).
    tdb_minus_tt_s = erfa.dtdb(UNIX_EPOCH_JD, tdb_us / DAY_US, 0.0, 0.0, 0.0, 0.0)
    shift_us: Microseconds = np.rint(tdb_minus_tt_s * SECOND_US).astype(np.int64)
    return tdb_us - shift_us


def _converted(
    convert: Callable[[float, NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]], us: Microseconds
) -> Microseconds:
    days = us / DAY_US
    whole, part = convert(UNIX_EPOCH_JD, days)
    shift_us: Microseconds = np.rint(((whole - UNIX_EPOCH_JD) + (part - days)) * DAY_US).astype(np.int64)
    return us + shift_us


TIME_SYSTEMS: Final[dict[str, Callable[[Microseconds], Microseconds]]] = {
    "UTC": lambda us: us,
    "TAI": lambda us: us,
    "GPS": lambda us: us + TAI_MINUS_GPS_US,
    "TT": _tai_from_tt,
    "TDB": lambda us: _tai_from_tt(_tt_from_tdb(us)),
    "TCG": lambda us: _tai_from_tt(_converted(erfa.tcgtt, us)),
    "TCB": lambda us: _tai_from_tt(_tt_from_tdb(_converted(erfa.tcbtdb, us))),
}
"""Each time system that can be converted, with its way to TAI; UTC goes by its labels instead."""
