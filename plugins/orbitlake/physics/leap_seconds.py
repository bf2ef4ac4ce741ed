"""TAI and UTC, which differ by whole seconds since 1972: what an instant is called on each, leap seconds included."""

from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US


def tai_minus_utc_s(unix_day: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return TAI - UTC (s) on days counted from 1970-01-01, from 1972 on; earlier days take the first value, 10 s."""
    leaps = erfa.leap_seconds.get()
    whole = leaps[leaps["year"] >= 1972]
    months = (whole["year"] - 1970) * 12 + whole["month"] - 1
    since = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    offsets: NDArray[np.float64] = whole["tai_utc"][np.maximum(np.searchsorted(since, unix_day, side="right") - 1, 0)]
    return offsets


def tai_from_utc(epoch_utc: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return the TAI of instants given in UTC, both as clock readings: (n,) -> (n,). No reading tells a leap second."""
    utc_us = np.asarray(epoch_utc).astype("datetime64[us]").astype(np.int64)
    tai_us: NDArray[np.int64] = utc_us + _offset_us(utc_us // DAY_US)
    return tai_us.astype("datetime64[us]")


def utc_day_and_time_us(tai_us: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the UTC day, counted from 1970-01-01, and the time of day (us) of instants in TAI: (n,) -> two (n,).

    `tai_us` counts TAI's clock from 1970-01-01. Within a leap second the time of day is past 86,400 s.
    """
    # Within half a minute before midnight TAI is already on the next day, which may have the next offset.
    ahead_us = tai_us - _offset_us(tai_us // DAY_US)
    day = ahead_us // DAY_US
    return day, tai_us - _offset_us(day) - day * DAY_US


def _offset_us(unix_day: NDArray[np.int64]) -> NDArray[np.int64]:
    offset_us: NDArray[np.int64] = tai_minus_utc_s(unix_day).astype(np.int64) * SECOND_US
    return offset_us
