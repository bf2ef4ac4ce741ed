"""What Open Notify answers, on good days and bad ones."""

import json

import pytest

from orbitlake.positions.feeds import AnswerError, open_notify

GOOD = {"message": "success", "timestamp": 1766320531, "iss_position": {"latitude": "47.6153", "longitude": "-60.4797"}}


def body(**changes):
    return json.dumps(GOOD | changes).encode()


def test_a_good_answer_becomes_numbers():
    position = open_notify(body())

    assert (position.latitude, position.longitude, position.timestamp) == (47.6153, -60.4797, 1766320531)
    assert isinstance(position.timestamp, int)
    assert position.altitude_km is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"<html>502 Bad Gateway</html>", "HTML"),
        (b"\n<?xml version='1.0'?><error/>", "HTML"),
        (body()[:50], "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "wrong JSON"),
        (body(message="failure"), "wrong JSON"),
        (body(iss_position=None), "wrong JSON"),
        (body(iss_position={"latitude": "north", "longitude": "1"}), "wrong JSON"),
        (body(timestamp="soon"), "wrong JSON"),
        (body(timestamp=-5), "wrong JSON"),
        (body(iss_position={"latitude": "90.1", "longitude": "1"}), "out of range"),
        (body(iss_position={"latitude": "9", "longitude": "180.1"}), "out of range"),
        (body(iss_position={"latitude": "NaN", "longitude": "1"}), "wrong JSON"),
    ],
)
def test_an_answer_that_is_no_fix_has_a_kind(answer, kind):
    with pytest.raises(AnswerError) as failure:
        open_notify(answer)

    assert failure.value.kind == kind


@pytest.mark.real
def test_recorded_answers_are_read(real_data):
    answers = sorted((real_data / "open_notify" / "iss_now").glob("*.json"))

    assert answers
    for answer in answers:
        assert -90 <= open_notify(answer.read_bytes()).latitude <= 90
