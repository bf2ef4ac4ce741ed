"""Epochs: what a file writes becomes exactly that instant, in any time system that can be converted."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.time import Time, TimeDelta
from hypothesis import given
from hypothesis import strategies as st

from orbitlake.oem.reader import epochs
from orbitlake.oem.reader.epochs import Moment, Moments

ONE_MICROSECOND_S = 1e-6
"""Ours are whole microseconds: the authority's sub-microsecond part is rounded."""


def column(texts: list[str]) -> list[Moment] | None:
    joined = "".join(texts).encode()
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    read = epochs.parse_column(np.frombuffer(joined, dtype=np.uint8), offsets)
    if read is None:
        return None
    parts = (read.label_us, read.in_leap_second, read.remainder_as)
    return [Moment(*moment) for moment in zip(*(part.tolist() for part in parts), strict=True)]


def moments(*texts: str) -> Moments:
    return Moments.of([epochs.parse(text) for text in texts])


def as_utc(text: str, time_system: str) -> datetime:
    return epochs.utc_of(epochs.tai_us_of(text, time_system))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-03-24T18:41:29.004", datetime(2023, 3, 24, 18, 41, 29, 4000, UTC)),
        ("2023-083T18:41:29.004Z", datetime(2023, 3, 24, 18, 41, 29, 4000, UTC)),
        ("2024-366T00:00:00", datetime(2024, 12, 31, tzinfo=UTC)),
        ("2024-02-29T23:59:59.9", datetime(2024, 2, 29, 23, 59, 59, 900_000, UTC)),
        ("2017-04-11T22:31:43.121856000000", datetime(2017, 4, 11, 22, 31, 43, 121_856, UTC)),
        ("1969-12-31T23:59:59.999999", datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
    ],
)
def test_both_forms_with_and_without_z_are_one_instant(text, expected):
    moment = epochs.parse(text)

    assert epochs.as_datetime(moment.label_us) == expected
    assert not moment.in_leap_second
    assert column([text]) == [moment]


@pytest.mark.parametrize(
    ("fraction", "microsecond"), [("0000005", 1), ("00000049", 0), ("1234565", 123_457), ("12345649999", 123_456)]
)
def test_digits_past_the_microsecond_are_rounded_half_up(fraction, microsecond):
    text = f"2023-03-24T18:41:29.{fraction}"

    assert epochs.parse(text).label_us % epochs.SECOND_US == microsecond
    assert column([text]) == [epochs.parse(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-03-24",
        "2023-03-24T18:41",
        "2023-03-24 18:41:29",
        "2023-03-24T18:41:29.",
        "2023-03-24T18:41:29+00:00",
        "2023-3-24T18:41:29",
        "2023-02-29T18:41:29",
        "2023-13-01T18:41:29",
        "2023-00-01T18:41:29",
        "2023-366T18:41:29",
        "2023-000T18:41:29",
        "0000-01-01T00:00:00",
        "2023-03-24T24:00:00",
        "2023-03-24T18:60:29",
        "2023-03-24T18:41:60",
        "2023-03-24T18:41:2٩",
    ],
)
def test_what_no_calendar_has_is_refused(text):
    with pytest.raises(ValueError, match=r"epoch|calendar"):
        epochs.parse(text)

    assert column([text]) is None


DATES = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31))  # noqa: DTZ001


@given(st.lists(DATES, min_size=1, max_size=20), st.integers(0, 24), st.booleans(), st.sampled_from(["", "Z"]))
def test_a_column_reads_as_its_epochs_do_one_by_one(dates, digits, day_of_year, zone):
    def text(date: datetime) -> str:
        day = f"{date:%j}" if day_of_year else f"{date:%m-%d}"
        fraction = f".{date.microsecond:06}789{date.second:02}{date.second:013}"[: digits + 1] if digits else ""
        return f"{date.year:04}-{day}T{date:%H:%M:%S}{fraction}{zone}"

    texts = [text(date) for date in dates]

    assert column(texts) == [epochs.parse(text) for text in texts]


@given(st.text("0123456789-T:.Z", min_size=19, max_size=24))
def test_a_column_never_reads_what_a_single_epoch_may_not_be(text):
    read = column([text])

    assert read is None or read == [epochs.parse(text)]


def test_a_column_of_several_forms_is_left_to_the_careful_way():
    assert column(["2023-03-24T18:41:29.004", "2023-083T18:41:29.0040"]) is None
    assert column(["2023-03-24T18:41:29.004", "2023-03-24T18:41:29"]) is None


@pytest.mark.parametrize("time_system", ["TAI", "TT", "TDB", "GPS", "TCG", "TCB"])
@pytest.mark.parametrize("text", ["1972-07-15T00:00:00.5", "1998-12-31T12:00:00.123456", "2024-02-16T13:25:17.840"])
def test_every_time_system_becomes_utc_as_astropy_has_it(time_system, text):
    scale, before = ("tai", 19.0) if time_system == "GPS" else (time_system.lower(), 0.0)
    authority = (Time(text, scale=scale, format="isot") + TimeDelta(before, format="sec")).utc
    ours = Time(as_utc(text, time_system).replace(tzinfo=None), scale="utc")

    assert abs((ours - authority).sec) <= ONE_MICROSECOND_S


def test_tai_counts_the_leap_second_of_2016():
    assert as_utc("2017-01-01T00:00:35.5", "TAI") == datetime(2016, 12, 31, 23, 59, 59, 500_000, UTC)
    assert as_utc("2017-01-01T00:00:37", "TAI") == datetime(2017, 1, 1, tzinfo=UTC)


def test_a_leap_second_is_held_at_the_last_microsecond_of_its_day():
    last = datetime(2017, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)

    assert as_utc("2016-12-31T23:59:60.25", "UTC") == last
    assert as_utc("2017-01-01T00:00:36.25", "TAI") == last


def test_steps_are_exact_across_a_leap_second():
    around = moments("2016-12-31T23:59:59", "2016-12-31T23:59:60", "2017-01-01T00:00:00", "2017-01-01T00:00:01")

    assert np.diff(epochs.tai_us(around, "UTC")).tolist() == [epochs.SECOND_US] * 3


@pytest.mark.parametrize(
    ("text", "time_system"),
    [("2015-12-31T23:59:60", "UTC"), ("2016-12-31T23:59:60", "TAI"), ("2016-366T23:59:60", "TT")],
)
def test_a_second_60_that_never_was_is_refused(text, time_system):
    with pytest.raises(ValueError, match="second"):
        epochs.tai_us(moments(text), time_system)


def test_other_systems_are_refused_where_utc_had_no_whole_leap_seconds():
    with pytest.raises(ValueError, match="1972"):
        epochs.tai_us_of("1969-07-20T20:17:40", "TDB")

    assert as_utc("1969-07-20T20:17:40", "UTC") == datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC)
