"""CZML that a schema accepts, and positions that are those of the issue in Cesium's frames, between samples too."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from czml3.core import Document
from tests.exports.flown import flown, simulated
from tests.oem.sample_oem import METADATA, STATES, kvn, segment

from orbitlake.exports import Ephemeris, to_czml
from orbitlake.exports.czml import DEGREE, FIXED, FRAMES
from orbitlake.physics.geodesy import geodetic_from_itrs

START = datetime(2026, 11, 20, 18, tzinfo=UTC)
STOP = START + timedelta(hours=3)
FRAME_BIAS_M = 1.0
"""EME2000 is turned against ICRF by 23 mas: 0.8 m in low orbit."""
ONE_METRE_DEG = 1e-5
BETWEEN_SAMPLES_M = 0.1


def packets(ephemeris: Ephemeris | None = None, **wanted: Any) -> list[dict[str, Any]]:
    return json.loads(bytes(to_czml(ephemeris or flown(), **wanted)))


def samples(position: dict[str, Any]) -> np.ndarray:
    return np.array(position["cartesian"]).reshape(-1, 4)


def as_cesium(samples: np.ndarray, at_s: float) -> np.ndarray:
    """Return a position as Cesium interpolates it: Lagrange through DEGREE + 1 samples about the instant."""
    last = int(np.clip(np.searchsorted(samples[:, 0], at_s) + DEGREE // 2, DEGREE, len(samples) - 1))
    near = samples[last - DEGREE : last + 1]
    weights = [
        np.prod([(at_s - other) / (time - other) for other in near[:, 0] if other != time]) for time in near[:, 0]
    ]
    return np.array(weights) @ near[:, 1:]


@pytest.mark.parametrize("frame", FRAMES)
def test_document_is_one_to_an_independent_schema(frame: str):
    document = Document.model_validate(packets(start=START, stop=STOP, frame=frame))

    head, station = document.packets
    assert head.clock is not None
    assert station.position.referenceFrame == frame
    assert station.label.text == "ISS"
    assert station.path is not None
    assert str(station.availability).count("/") == 1


def test_inertial_positions_are_those_of_the_ephemeris():
    _, station = packets()
    states = flown().issue.states
    x_y_z_m = np.column_stack([states.column(name).to_numpy() for name in ("x_km", "y_km", "z_km")]) * 1000
    since_s = (states.column("epoch").to_numpy() - states.column("epoch").to_numpy()[0]) / np.timedelta64(1, "s")
    on_minutes = np.flatnonzero(since_s % 60 == 0)
    found = samples(station["position"])

    assert len(on_minutes) > 500
    rows = found[(since_s[on_minutes] / 60).astype(int)]
    assert np.array_equal(rows[:, 0], since_s[on_minutes])
    assert np.abs(rows[:, 1:] - x_y_z_m[on_minutes]).max() < FRAME_BIAS_M


def test_fixed_positions_stand_over_the_places_of_the_ephemeris():
    _, station = packets(frame=FIXED)
    latitude_deg, longitude_deg, altitude_km = geodetic_from_itrs(samples(station["position"])[::4, 1:] / 1000)
    states = flown().issue.states.slice(0, 300)

    for name, found in (("latitude_deg", latitude_deg), ("longitude_deg", longitude_deg), ("altitude_km", altitude_km)):
        np.testing.assert_allclose(states.column(name).to_numpy(), found[:300], atol=ONE_METRE_DEG)


@pytest.mark.parametrize("frame", FRAMES)
def test_cesium_finds_the_path_between_samples(frame: str):
    _, sparse = packets(start=START, stop=STOP, frame=frame)
    _, dense = packets(start=START, stop=STOP, frame=frame, step_s=10)
    sparse_m, dense_m = samples(sparse["position"]), samples(dense["position"])

    off_m = [np.linalg.norm(as_cesium(sparse_m, row[0]) - row[1:]) for row in dense_m[30:-30]]
    assert max(off_m) < BETWEEN_SAMPLES_M


def test_span_ends_where_it_is_asked_to_whatever_the_step():
    _, station = packets(start=START, stop=STOP, step_s=7000)
    found = samples(station["position"])

    assert station["availability"] == "2026-11-20T18:00:00.000000Z/2026-11-20T21:00:00.000000Z"
    assert found[:, 0].tolist() == [0.0, 7000.0, 10800.0]
    assert "interval" not in station["position"]


def test_segments_are_intervals_of_their_own_each_of_which_the_schema_takes():
    later = [state.replace("T18:", "T19:") for state in STATES]
    span = {name: METADATA[name].replace("T18:", "T19:") for name in ("START_TIME", "STOP_TIME")}
    two = Ephemeris.of_bytes(kvn(after=segment(span, states=later)), "two")
    document, station = packets(two)

    assert len(station["availability"]) == len(station["position"]) == 2
    assert document["clock"]["interval"].split("/")[1] == station["availability"][1].split("/")[1]
    for position, interval in zip(station["position"], station["availability"], strict=True):
        assert position.pop("interval") == interval
        Document.model_validate([document, station | {"availability": interval, "position": position}])


def test_what_cannot_be_drawn_says_why():
    moon = Ephemeris.of_bytes(simulated().replace(b"= Earth", b"= Moon"), "moon")
    odd = Ephemeris.of_bytes(simulated().replace(b"= EME2000", b"= RTN"), "odd")

    for ephemeris, wanted, reason in (
        (moon, {}, "covers nothing of that span about Earth"),
        (flown(), {"start": datetime(2030, 1, 1, tzinfo=UTC)}, "covers nothing of that span"),
        (odd, {}, "RTN cannot be turned to the frames of CZML"),
        (flown(), {"frame": "TEME"}, "expected INERTIAL or FIXED"),
        (flown(), {"step_s": 0}, "a millisecond or more"),
        (flown(), {"step_s": float("nan")}, "a millisecond or more"),
    ):
        with pytest.raises(ValueError, match=reason):
            to_czml(ephemeris, **wanted)
