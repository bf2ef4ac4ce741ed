"""What Open Notify answers, on good days and bad ones."""

import json
import re

import pytest
import requests

from orbitlake.positions.collect.feeds import FEEDS, AnswerError, open_notify, wheretheiss
from orbitlake.settings import FALLBACKS, OFF, from_environment

URL = "http://api.open-notify.org/iss-now.json"
SATELLITE_URL = "https://api.wheretheiss.at/v1/satellites/25544?units=kilometers"
GOOD = {"message": "success", "timestamp": 1766320531, "iss_position": {"latitude": "47.6153", "longitude": "-60.4797"}}

SATELLITE = {
    "name": "iss", "id": 25544, "latitude": 50.11496269845, "longitude": 118.07900427317, "altitude": 408.05526028199,
    "velocity": 27635.971970874, "visibility": "daylight", "footprint": 4446.1877699772, "timestamp": 1364069476,
    "daynum": 2456375.3411574, "solar_lat": 1.3327003598631, "solar_lon": 238.78610691196, "units": "kilometers",
}  # fmt: skip


def body(**changes):
    return json.dumps(GOOD | changes).encode()


def satellite(**changes):
    return json.dumps(SATELLITE | changes).encode()


def test_a_good_answer_becomes_numbers():
    position = open_notify(body(), URL)

    assert position == {"latitude": 47.6153, "longitude": -60.4797, "timestamp": 1766320531}
    assert isinstance(position["timestamp"], int)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"<html>502 Bad Gateway</html>", "HTML"),
        (b"\n<?xml version='1.0'?><error/>", "HTML"),
        (body()[:50], "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "wrong JSON"),
        (b"[]", "wrong JSON"),
        (body(message="failure"), "wrong JSON"),
        (body(iss_position=None), "wrong JSON"),
        (body(iss_position={"latitude": "north", "longitude": "1"}), "wrong JSON"),
        (body(timestamp="soon"), "wrong JSON"),
        (body(timestamp=-5), "wrong JSON"),
        (body(iss_position={"latitude": "90.1", "longitude": "1"}), "out of range"),
        (body(iss_position={"latitude": "9", "longitude": "180.1"}), "out of range"),
        (body(iss_position={"latitude": "NaN", "longitude": "1"}), "out of range"),
    ],
)
def test_an_answer_that_is_no_fix_has_a_kind(answer, kind):
    with pytest.raises(AnswerError) as failure:
        open_notify(answer, URL)

    assert failure.value.kind == kind


def test_an_answer_of_wheretheiss_brings_an_altitude():
    position = wheretheiss(satellite(), SATELLITE_URL)

    assert position == {
        "latitude": 50.11496269845, "longitude": 118.07900427317, "timestamp": 1364069476,
        "altitude_km": 408.05526028199,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"units": "miles"}, "wrong JSON: Invalid enum value 'miles' - at `$.units`"),
        ({"units": None}, "wrong JSON: Expected `str`, got `null` - at `$.units`"),
        ({"id": 49044}, "wrong JSON: id 49044, the URL asks for '25544'"),
        ({"altitude": None}, "wrong JSON: Expected `float`, got `null` - at `$.altitude`"),
        ({"timestamp": "soon"}, "wrong JSON: Expected `float`, got `str` - at `$.timestamp`"),
        ({"longitude": 238.8}, "out of range: Expected `float` <= 180.0 - at `$.longitude`"),
    ],
)
def test_an_answer_of_wheretheiss_that_is_no_fix_says_why(changes, reason):
    with pytest.raises(AnswerError, match=re.escape(reason)):
        wheretheiss(satellite(**changes), SATELLITE_URL)


def test_what_the_simulator_serves_is_read():
    from orbitlake.simulator import serve

    with serve() as url:
        body = requests.get(f"{url}/v1/satellites/25544", timeout=10).content

    assert 400 < wheretheiss(body, f"{url}/v1/satellites/25544")["altitude_km"] < 450


def test_every_fallback_of_the_settings_is_a_feed_with_a_url():
    assert set(FALLBACKS) - {OFF} <= set(FEEDS) == set(from_environment({}).feed_urls)


@pytest.mark.real
def test_recorded_answers_are_read(real_data):
    answers = sorted((real_data / "open_notify" / "iss_now").glob("*.json"))

    assert answers
    for answer in answers:
        assert -90 <= open_notify(answer.read_bytes(), URL)["latitude"] <= 90
