"""Epochs of an OEM, calendar or day-of-year, to whole microseconds: as the file writes them, in TAI and in UTC."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, Self

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.leap_seconds import tai_minus_utc_s, utc_day_and_time_us

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
REMAINDER_DIGITS: Final = 12
MICROSECOND_AS: Final = 10**REMAINDER_DIGITS
"""In attoseconds: whoever prints more digits than these 18 means none of them."""
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


class Moment(NamedTuple):
    """One epoch as a file writes it, in its time system.

    `label_us` counts from 1970-01-01 in days of 86400 s; a second 60 counts into the next day and is marked.
    `remainder_as` is what rounding to the microsecond left over (1e-18 s), negative where it went up.
    """

    label_us: int
    in_leap_second: bool
    remainder_as: int


@dataclass(frozen=True, slots=True)
class Moments:
    """The same of many epochs. Shapes (n,)."""

    label_us: Microseconds
    in_leap_second: NDArray[np.bool_]
    remainder_as: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label_us)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Self:
        """Return some of them."""
        return type(self)(self.label_us[rows], self.in_leap_second[rows], self.remainder_as[rows])

    @classmethod
    def of(cls, moments: Sequence[Moment]) -> Self:
        """Return moments as arrays."""
        return cls(
            np.array([moment.label_us for moment in moments], dtype=np.int64),
            np.array([moment.in_leap_second for moment in moments], dtype=np.bool_),
            np.array([moment.remainder_as for moment in moments], dtype=np.int64),
        )

    def is_same_as_before(self) -> NDArray[np.bool_]:
        """Return, for each but the first, whether it is the very epoch before it, to all digits: (n - 1,)."""
        same: NDArray[np.bool_] = np.ones(max(0, len(self) - 1), dtype=np.bool_)
        for part in (self.label_us, self.in_leap_second, self.remainder_as):
            same &= part[1:] == part[:-1]
        return same

    def is_later_than_before(self) -> NDArray[np.bool_]:
        """Return, for each but the first, whether it reads later than the one before it, to all digits: (n - 1,)."""
        label, remainder = np.diff(self.label_us), np.diff(self.remainder_as)
        later: NDArray[np.bool_] = (label > 0) | ((label == 0) & (remainder > 0))
        return later


def parse(text: str) -> Moment:
    """Return one epoch. Raises ValueError with the reason. Digits past the microsecond are rounded, halves up."""
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
        raise ValueError(f"{text[:40]!r} names a day that no calendar has") from None
    in_leap_second = (hour, minute, second) == (23, 59, 60)
    if day.year != year or hour > 23 or minute > 59 or (second > 59 and not in_leap_second):
        raise ValueError(f"{text[:40]!r} names a day or time that no calendar has")
    fraction = match["fraction"] or ""
    rounded_up = fraction[6:7] >= "5"
    label_us = (
        (day - UNIX_EPOCH).days * DAY_US
        + ((hour * 60 + minute) * 60 + second) * SECOND_US
        + int(fraction[:6].ljust(6, "0"))
        + rounded_up
    )
    if label_us > LAST_US:
        raise ValueError(f"{text[:40]!r} rounds to the year 10000")
    remainder_as = int(fraction[6 : 6 + REMAINDER_DIGITS].ljust(REMAINDER_DIGITS, "0")) - rounded_up * MICROSECOND_AS
    return Moment(label_us, in_leap_second, remainder_as)


def parse_column(text: NDArray[np.uint8], offsets: NDArray[np.integer]) -> Moments | None:
    """Return n epochs: `text` holds their characters, `offsets` (n + 1,) their bounds.

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

    def value_of(name: str, stop: int | None = None, skip: int = 0) -> Microseconds:
        value = np.zeros(len(chars), dtype=np.int64)
        for column in chars[:, form.start(name) : form.end(name)].T[skip:stop]:
            value = value * 10 + (column - np.uint8(ord("0")))
        return value

    year, hour, minute, second = (value_of(name) for name in ("year", "hour", "minute", "second"))
    digits_printed = len(form["fraction"] or "")
    fraction_us = value_of("fraction", 6) * 10 ** max(0, 6 - digits_printed)
    remainder_as = np.zeros(len(chars), dtype=np.int64)
    if digits_printed > 6:
        rounded_up = chars[:, form.start("fraction") + 6] >= ord("5")
        fraction_us += rounded_up
        remainder_as = value_of("fraction", 6 + REMAINDER_DIGITS, skip=6) * 10 ** max(
            0, 6 + REMAINDER_DIGITS - digits_printed
        )
        remainder_as -= rounded_up * MICROSECOND_AS
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
    label_us: Microseconds = (
        (_days(first) + day - 1) * DAY_US + ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction_us
    )
    if label_us.max() > LAST_US:
        return None
    return Moments(label_us, np.zeros(len(label_us), dtype=np.bool_), remainder_as)


def _days(moments: NDArray[np.datetime64]) -> Microseconds:
    return moments.astype("datetime64[D]").astype(np.int64)


def tai_us(moments: Moments, time_system: str) -> Microseconds:
    """Return (n,) microseconds of TAI's clock since 1970-01-01: differences are elapsed time, leap seconds included.

    UTC before 1972 counts as TAI - 10 s. Raises ValueError for a system that is not in TIME_SYSTEMS, for a second 60
    where there was none, before 1972 in any system but UTC, and past the year 9999.
    """
    if time_system == "UTC":
        day = moments.label_us // DAY_US
        # Rounded up to midnight, an epoch still belongs to the day before, which may end in a leap second.
        is_of_day_before = moments.in_leap_second | ((moments.remainder_as < 0) & (moments.label_us % DAY_US == 0))
        if moments.in_leap_second.any():
            marked = day[moments.in_leap_second]
            without = tai_minus_utc_s(marked) - tai_minus_utc_s(marked - 1) != 1
            if without.any():
                raise ValueError(f"{UNIX_EPOCH + timedelta(days=int(marked[without][0]) - 1)} had no leap second")
        tai: Microseconds = moments.label_us + tai_minus_utc_s(day - is_of_day_before).astype(np.int64) * SECOND_US
    else:
        if moments.in_leap_second.any():
            raise ValueError(f"second 60 exists in UTC only, not in {time_system}")
        tai = TIME_SYSTEMS[time_system](moments.label_us)
        if (tai < WHOLE_LEAP_SECONDS_US + DAY_US).any():
            raise ValueError(f"UTC before 1972 does not follow {time_system} by whole seconds")
    if (tai > LAST_US).any():
        raise ValueError("epoch lies in the year 10000 of TAI")
    return tai


def utc_us(tai_us: Microseconds) -> Microseconds:
    """Return (n,) microseconds of UTC since 1970-01-01 in days of 86400 s, for show.

    No timestamp can hold a leap second: what lies in one becomes the last microsecond before it ends the day,
    23:59:59.999999.
    """
    day, time_us = utc_day_and_time_us(tai_us)
    label_us: Microseconds = day * DAY_US + np.minimum(time_us, DAY_US - 1)
    return label_us


def tai_us_of(text: str, time_system: str) -> int:
    """Return one epoch as microseconds of TAI's clock since 1970-01-01. Raises ValueError: see `parse`, `tai_us`."""
    return int(tai_us(Moments.of([parse(text)]), time_system)[0])


def utc_us_of(tai_us: int) -> int:
    """Return one instant as microseconds of UTC since 1970-01-01, as `utc_us` does."""
    return int(utc_us(np.array([tai_us]))[0])


def as_datetime(microseconds_utc: int) -> datetime:
    """Return a count of microseconds since 1970-01-01 as a datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds_utc))


def utc_of(tai_us: int) -> datetime:
    """Return one instant as a datetime in UTC."""
    return as_datetime(utc_us_of(tai_us))


def utc_or_none(tai_us: int | None) -> datetime | None:
    """Return one instant as a datetime in UTC, None where there is none."""
    return None if tai_us is None else utc_of(tai_us)


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
