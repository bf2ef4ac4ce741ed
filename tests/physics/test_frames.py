"""Frames: astropy as the independent authority, NASA's own node longitudes as the observed one."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import GCRS, ITRS, TEME, CartesianRepresentation, PrecessedGeocentric
from astropy.time import Time
from astropy.utils import iers
from tests.oem.real_issues import read_once

from orbitlake.physics.frames import earth_orientation, itrs_from, itrs_from_tai, rotation_to_itrs
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.leap_seconds import tai_from_utc, tai_minus_utc_s, utc_day_and_time_us

ONE_METRE_KM = 1e-3
TEN_CENTIMETRES_KM = 1e-4
NODE_KM = 0.060
"""NASA's node line takes UT1 = UTC, which the real UT1 - UTC misses by up to 48 m at the equator."""
NODE_WITH_UTC_KM = 0.005
"""The line prints milliseconds, 2.4 m of ground, and 1e-5 degrees, 1.1 m."""
EQUATORIAL_RADIUS_KM = 6378.137
FRAME_BIAS_KM = 6800 * np.deg2rad(0.0232 / 3600)
"""GCRF to EME2000: 17 and 7 mas of the pole, 15 mas of the origin (IERS Conventions 2010, 5.4.4)."""


@pytest.fixture(scope="module", autouse=True)
def _offline():
    """astropy with its bundled table, however long ago the installed version came out: states here lie before 2027."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


@pytest.fixture(scope="module")
def states():
    """2,000 random epochs from 2021 to 2026 and positions in low orbit."""
    rng = np.random.default_rng(3)
    seconds = np.sort(rng.uniform(0, 6 * 365.25 * 86_400, 2000))
    epoch_utc = np.datetime64("2021-01-01", "us") + (seconds * 1e6).astype("timedelta64[us]")
    directions = rng.normal(size=(2000, 3))
    return epoch_utc, 6790 * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def distance_km(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.linalg.norm(first - second, axis=1)


def by_astropy(frame, epoch_utc, position_km):
    time = Time(np.datetime_as_string(epoch_utc), scale="utc")
    coordinate = frame(CartesianRepresentation(position_km.T * units.km), obstime=time)
    return coordinate.transform_to(ITRS(obstime=time)).cartesian.xyz.to_value(units.km).T


@pytest.mark.parametrize(("name", "frame"), [("GCRF", GCRS), ("ICRF", GCRS), ("TEME", TEME)])
def test_positions_are_where_astropy_puts_them(states, name, frame):
    epoch_utc, position_km = states

    assert distance_km(itrs_from(name, epoch_utc, position_km), by_astropy(frame, *states)).max() < TEN_CENTIMETRES_KM


def test_eme2000_is_the_mean_equator_and_equinox_of_j2000(states):
    epoch_utc, position_km = states
    j2000 = Time("J2000", scale="tt")
    mean_of_j2000 = PrecessedGeocentric(CartesianRepresentation(position_km.T * units.km), equinox=j2000, obstime=j2000)
    gcrf_km = mean_of_j2000.transform_to(GCRS(obstime=j2000)).cartesian.xyz.to_value(units.km).T
    itrs_km = itrs_from("EME2000", epoch_utc, position_km)

    assert distance_km(itrs_km, itrs_from("GCRF", epoch_utc, gcrf_km)).max() < ONE_METRE_KM / 100
    bias_km = distance_km(itrs_km, itrs_from("GCRF", epoch_utc, position_km))
    assert 0.3 * FRAME_BIAS_KM < bias_km.max() < 1.1 * FRAME_BIAS_KM


def test_many_states_of_one_issue_are_turned_as_exactly_as_few():
    epoch_utc = np.datetime64("2023-03-24T18:41:29", "us") + np.arange(0, 15 * 86_400, 240) * np.timedelta64(1, "s")
    position_km = np.tile([4482.28542, -1945.87905, -4735.454317], (epoch_utc.size, 1))
    together = itrs_from("EME2000", epoch_utc, position_km)
    apart = np.concatenate([itrs_from("EME2000", epoch_utc[i : i + 1], position_km[:1]) for i in range(0, 5400, 100)])

    assert distance_km(together[::100], apart).max() < ONE_METRE_KM / 1e4


@pytest.mark.parametrize("name", ["ITRF", "ITRF2000", "ITRF-97", "ITRF2014", "itrf2020"])
def test_every_realisation_of_itrf_is_itrs(states, name):
    epoch_utc, position_km = states

    assert np.array_equal(itrs_from(name, epoch_utc, position_km), position_km)


@pytest.mark.parametrize("name", ["MCI", "TOD", "ITRFX", "RTN", ""])
def test_a_frame_that_is_not_known_is_not_turned(states, name):
    assert itrs_from(name, *states) is None


def test_before_the_table_nothing_is_turned_and_after_it_the_last_day_holds():
    position_km = np.array([[6790.0, 0, 0]])
    last_day = np.datetime64(int(earth_orientation().mjd_utc[-1]) - 40_587, "D")
    far = np.array([last_day + np.timedelta64(400, "D")], dtype="datetime64[us]")

    assert itrs_from("EME2000", np.array(["1973-01-01T23:59:59"], "datetime64[us]"), position_km) is None
    assert itrs_from("EME2000", np.array(["1973-01-02T00:00:00"], "datetime64[us]"), position_km) is not None
    assert np.linalg.norm(itrs_from("EME2000", far, position_km)) == pytest.approx(6790)


def test_every_matrix_is_a_rotation_and_no_state_gives_none():
    epoch_utc = np.array(["2016-12-31T23:59:59.999999", "2017-01-01T00:00:00"], "datetime64[us]")
    rotation = rotation_to_itrs("EME2000", epoch_utc)

    assert rotation @ rotation.transpose(0, 2, 1) == pytest.approx(np.broadcast_to(np.eye(3), (2, 3, 3)), abs=1e-14)
    assert np.linalg.det(rotation) == pytest.approx([1, 1])
    assert rotation_to_itrs("EME2000", epoch_utc[:0]).shape == (0, 3, 3)


def test_teme_of_a_fixed_epoch_stands_still_as_astropy_has_it(states):
    """astropy turns TEME at its own epoch to GCRS, and GCRS to ITRS at the epoch of the state."""
    epoch_utc, position_km = states
    then = np.datetime64("2000-01-01T12:00:00", "us")
    at_epoch = Time(str(then), scale="utc")
    teme = TEME(CartesianRepresentation(position_km.T * units.km), obstime=at_epoch)
    gcrf_km = teme.transform_to(GCRS(obstime=at_epoch)).cartesian.xyz.to_value(units.km).T

    turned_km = itrs_from_tai(
        "TEME", tai_from_utc(epoch_utc), position_km, frame_epoch_tai=tai_from_utc(np.array([then]))[0]
    )

    assert distance_km(turned_km, by_astropy(GCRS, epoch_utc, gcrf_km)).max() < TEN_CENTIMETRES_KM
    assert distance_km(turned_km, itrs_from("TEME", epoch_utc, position_km)).max() > 20


@pytest.mark.parametrize("name", ["EME2000", "J2000", "ICRF", "GCRF"])
def test_an_epoch_moves_no_frame_whose_axes_are_fixed(states, name):
    epoch_tai = tai_from_utc(states[0])
    then = np.datetime64("2010-06-01", "us")

    assert np.array_equal(
        itrs_from_tai(name, epoch_tai, states[1], frame_epoch_tai=then), itrs_from_tai(name, epoch_tai, states[1])
    )


@pytest.mark.parametrize(
    ("name", "then"), [("ITRF2014", "2010-01-01"), ("TEME", "1950-01-01"), ("TEME", "NaT"), ("TOD", "2010-01-01")]
)
def test_an_epoch_that_leaves_a_frame_unclear_turns_nothing(states, name, then):
    assert itrs_from_tai(name, tai_from_utc(states[0]), states[1], frame_epoch_tai=np.datetime64(then, "us")) is None


def test_within_a_leap_second_the_earth_turns_on_as_astropy_has_it():
    """The readings 23:59:59.5, 23:59:60.5 and 00:00:00 of 2016-12-31, in TAI."""
    texts = ["2016-12-31T23:59:59.5", "2016-12-31T23:59:60.5", "2017-01-01T00:00:00"]
    epoch_tai = np.array(["2017-01-01T00:00:35.5", "2017-01-01T00:00:36.5", "2017-01-01T00:00:37"], "datetime64[us]")
    position_km = np.broadcast_to([6778.0, 0.0, 0.0], (3, 3))
    time = Time(texts, scale="utc")
    authority = GCRS(CartesianRepresentation(position_km.T * units.km), obstime=time).transform_to(ITRS(obstime=time))

    turned_km = itrs_from_tai("GCRF", epoch_tai, position_km)

    assert distance_km(turned_km, authority.cartesian.xyz.to_value(units.km).T).max() < TEN_CENTIMETRES_KM


def test_tai_and_utc_are_one_another_s_inverse_and_a_leap_second_lengthens_its_day():
    epoch_utc = np.array(
        ["2016-12-31T23:59:59.999999", "2017-01-01", "1972-01-01", "2026-07-01T12:00"], "datetime64[us]"
    )
    day, time_us = utc_day_and_time_us(tai_from_utc(epoch_utc).astype(np.int64))

    assert (day * 86_400_000_000 + time_us).tolist() == epoch_utc.astype(np.int64).tolist()
    in_leap_second = np.array(["2017-01-01T00:00:36.25"], "datetime64[us]").astype(np.int64)
    assert utc_day_and_time_us(in_leap_second)[1].tolist() == [86_400_250_000]


def test_leap_seconds_count_from_the_day_they_begin():
    """IERS Bulletin C 52: TAI - UTC is 37 s since 2017-01-01."""
    days = np.array(["1971-12-31", "1972-01-01", "2016-12-31", "2017-01-01"], "datetime64[D]").astype(np.int64)

    assert tai_minus_utc_s(days).tolist() == [10, 10, 36, 37]


def nodes_of(issue):
    facts = issue.facts
    for time, longitude in (
        (facts.first_node_time, facts.first_node_longitude_deg),
        (facts.last_node_time, facts.last_node_longitude_deg),
    ):
        if time is not None:
            yield np.datetime64(time.replace(tzinfo=None), "us"), longitude


def state_at(states, epoch_utc):
    """Hermite interpolation through two states on either side; None where the node is not inside a coast."""
    epoch = states.column("epoch").to_numpy().astype("datetime64[us]")
    after = int(np.searchsorted(epoch, epoch_utc))
    rows = slice(after - 2, after + 2)
    step_s = np.diff(epoch[rows]).astype(np.int64) / 1e6
    if after < 2 or step_s.size != 3 or np.abs(step_s - 240).max() > 0.01:
        return None
    t = (epoch[rows] - epoch_utc).astype(np.int64) / 1e6
    position = np.column_stack([states.column(name).to_numpy()[rows] for name in ("x_km", "y_km", "z_km")])
    velocity = np.column_stack([states.column(name).to_numpy()[rows] for name in ("vx_km_s", "vy_km_s", "vz_km_s")])
    scale_s = 240.0
    powers = np.arange(8)
    values = (t[:, np.newaxis] / scale_s) ** powers
    slopes = powers * (t[:, np.newaxis] / scale_s) ** np.maximum(powers - 1, 0) / scale_s
    return np.linalg.solve(np.vstack((values, slopes)), np.vstack((position, velocity)))[0]


@pytest.mark.real
def test_nasas_node_longitudes_are_met_by_every_issue(real_data):
    misses = {"observed": [], "utc": []}
    seen = 0
    for path in sorted((real_data / "oem" / "iss").iterdir()):
        issue = read_once(path)
        for epoch_utc, longitude_deg in nodes_of(issue):
            seen += 1
            position_km = state_at(issue.states, epoch_utc)
            if position_km is None:
                continue
            for ut1, found in misses.items():
                itrs_km = itrs_from("EME2000", np.array([epoch_utc]), position_km[np.newaxis], ut1=ut1)
                _, ours_deg, _ = geodetic_from_itrs(itrs_km)
                found.append(np.deg2rad((ours_deg[0] - longitude_deg + 180) % 360 - 180) * EQUATORIAL_RADIUS_KM)

    assert seen > 130
    assert len(misses["utc"]) > 0.9 * seen
    assert np.abs(misses["observed"]).max() < NODE_KM
    assert np.abs(misses["utc"]).max() < NODE_WITH_UTC_KM
