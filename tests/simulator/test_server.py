"""The simulator over real HTTP: both upstreams, conditional requests, every fault, and recordings."""

import hashlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from orbitlake.simulator.faults import Fault, FaultKind
from orbitlake.simulator.replay import RECORDED_OEM, Replay, read_oem
from orbitlake.simulator.server import OEM_PATH, OPEN_NOTIFY_PATH, WHERE_THE_ISS_PATH, create_app, serve

START = datetime(2026, 11, 20, 23, 58, tzinfo=UTC)
LONG_S = 10.0


class Ticks:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def url(ticks: Ticks) -> Iterator[str]:
    with serve(create_app(start=START, ticks=ticks)) as address:
        yield address


def get(url: str, path: str = OPEN_NOTIFY_PATH, **options) -> requests.Response:
    return requests.get(url + path, **{"timeout": LONG_S, **options})


def order(url: str, kind: FaultKind, **settings) -> None:
    requests.put(f"{url}/faults", json=[{"kind": kind, **settings}], timeout=LONG_S).raise_for_status()


def test_the_feed_answers_with_the_simulated_second(url: str, ticks: Ticks):
    ticks.now = 1.999
    answer = get(url)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["timestamp"] == START.timestamp() + 1
    assert get(url, WHERE_THE_ISS_PATH).json()["timestamp"] == START.timestamp() + 1


def test_the_same_arguments_give_the_same_bytes(url: str):
    with serve(create_app(start=START, ticks=lambda: 0.0)) as other:
        for path in (OPEN_NOTIFY_PATH, WHERE_THE_ISS_PATH, f"{OEM_PATH}.txt", f"{OEM_PATH}.xml", "/issues"):
            assert get(url, path).content == get(other, path).content


def test_without_an_app_the_simulator_starts_now():
    with serve() as address:
        assert abs(get(address).json()["timestamp"] - time.time()) < 5


def test_the_newest_issue_carries_the_headers_of_nasas_store(url: str):
    answer = get(url, f"{OEM_PATH}.txt")

    assert answer.headers["etag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'
    assert answer.headers["last-modified"] == "Fri, 20 Nov 2026 16:08:00 GMT"
    assert answer.headers["content-type"] == "binary/octet-stream"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert requests.head(f"{url}{OEM_PATH}.txt", timeout=LONG_S).headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"If-None-Match": "{etag}"}, 304),
        ({"If-None-Match": '"other", W/{etag}'}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": "{modified}"}, 304),
        ({"If-Modified-Since": "Thu, 19 Nov 2026 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "not a date"}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": "{modified}"}, 200),
    ],
)
@pytest.mark.parametrize("suffix", ["txt", "xml"])
def test_a_file_that_the_client_holds_is_not_sent_again(url: str, condition: dict, status: int, suffix: str):
    first = get(url, f"{OEM_PATH}.{suffix}")
    known = {"etag": first.headers["etag"], "modified": first.headers["last-modified"]}

    again = get(url, f"{OEM_PATH}.{suffix}", headers={name: text.format(**known) for name, text in condition.items()})

    assert again.status_code == status
    assert bool(again.content) == (status == 200)


def test_a_new_issue_replaces_the_old_one_which_stays_under_its_name(url: str, ticks: Ticks):
    old = get(url, f"{OEM_PATH}.txt")
    ticks.now = 3 * 86_400.0

    assert get(url, f"{OEM_PATH}.txt", headers={"If-None-Match": old.headers["etag"]}).status_code == 200
    assert get(url, "/issues/ISS.OEM_J2K_EPH.2026-11-20.txt").content == old.content
    assert get(url, "/issues").json()[0] == "ISS.OEM_J2K_EPH.2026-11-23.txt"


@pytest.mark.parametrize("name", ["2026-11-23.txt", "2026-11-19.txt", "2026-11-99.txt", "2026-11-20.zip"])
def test_an_issue_that_is_not_there_yet_or_never_is_not_served(url: str, name: str):
    assert get(url, f"/issues/ISS.OEM_J2K_EPH.{name}").status_code in (404, 422)


def test_a_rate_limit_says_when_to_come_back(url: str):
    order(url, FaultKind.RATE_LIMITED, requests=1, seconds=7)

    answer = get(url)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert get(url).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        (FaultKind.SERVER_ERROR_XML, 500, "application/xml"),
        (FaultKind.BAD_GATEWAY_HTML, 502, "text/html"),
        (FaultKind.HTML_OK, 200, "text/html"),
    ],
)
@pytest.mark.parametrize("path", [OPEN_NOTIFY_PATH, f"{OEM_PATH}.xml"])
def test_an_error_page_comes_with_its_status_and_type(
    url: str, kind: FaultKind, status: int, content_type: str, path: str
):
    order(url, kind)

    answer = get(url, path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.text.startswith("<")


def test_a_hanging_server_runs_into_the_clients_time_limit(url: str):
    order(url, FaultKind.TIMEOUT, requests=1, seconds=30)

    with pytest.raises(requests.ReadTimeout):
        get(url, timeout=0.2)
    assert get(url).status_code == 200


def test_a_slow_server_answers_in_the_end(url: str):
    order(url, FaultKind.TIMEOUT, requests=1, seconds=0.3)
    begun = time.monotonic()

    assert get(url).json()["message"] == "success"
    assert time.monotonic() - begun >= 0.3


def test_a_hanging_request_does_not_keep_the_server_from_stopping():
    app = create_app(start=START, faults=[Fault(kind=FaultKind.TIMEOUT, seconds=60)])
    begun = time.monotonic()
    with socket.socket() as client, serve(app) as url:
        host, port = url.removeprefix("http://").split(":")
        client.connect((host, int(port)))
        client.sendall(b"GET /iss-now.json HTTP/1.1\r\nHost: here\r\n\r\n")
        time.sleep(0.2)

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("path", [OPEN_NOTIFY_PATH, f"{OEM_PATH}.txt"])
def test_a_truncated_body_is_shorter_than_its_content_length(url: str, path: str):
    whole = get(url, path).content
    order(url, FaultKind.TRUNCATED_BODY, requests=1)

    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=LONG_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    connection.close()
    received = cut.value.partial

    assert int(answer.headers["content-length"]) == len(whole)
    assert len(received) == len(whole) // 2
    assert whole.startswith(received)
    assert get(url, path).content == whole


def test_a_frozen_position_stands_while_its_timestamp_goes_on(url: str, ticks: Ticks):
    order(url, FaultKind.FROZEN_POSITION)
    first = get(url).json()
    ticks.now = 600.0
    later = get(url).json()

    assert later["iss_position"] == first["iss_position"]
    assert later["timestamp"] == first["timestamp"] + 600


def test_a_stale_orbit_shows_where_the_station_was(url: str, ticks: Ticks):
    earlier = get(url).json()
    ticks.now = 30.0
    order(url, FaultKind.STALE_ORBIT, seconds=30)
    stale = get(url).json()

    assert stale["iss_position"] == earlier["iss_position"]
    assert stale["timestamp"] == earlier["timestamp"] + 30


def test_a_skewed_clock_moves_the_timestamp_alone(url: str):
    right = get(url).json()
    order(url, FaultKind.CLOCK_SKEW, seconds=-120)
    skewed = get(url).json()

    assert skewed["iss_position"] == right["iss_position"]
    assert skewed["timestamp"] == right["timestamp"] - 120


def test_faults_are_listed_added_and_cleared_and_leave_the_simulators_own_pages_alone(url: str):
    order(url, FaultKind.BAD_GATEWAY_HTML, path=OPEN_NOTIFY_PATH)
    added = requests.post(f"{url}/faults", json={"kind": "html_ok", "requests": 5}, timeout=LONG_S)

    assert added.status_code == 201
    assert [fault["kind"] for fault in get(url, "/faults").json()] == ["bad_gateway_html", "html_ok"]
    assert get(url, "/health").json()["status"] == "ok"
    assert "simulated_time" in requests.put(f"{url}/clock", json={"now": "2026-11-20T12:00:00Z"}, timeout=LONG_S).json()
    assert requests.delete(f"{url}/faults", timeout=LONG_S).json() == []
    assert get(url).json()["message"] == "success"


@pytest.mark.parametrize("body", [b"", b"{}", b'[{"kind": "unheard_of"}]', b'[{"kind": "html_ok", "requests": -1}]'])
def test_faults_that_make_no_sense_are_refused_and_change_nothing(url: str, body: bytes):
    order(url, FaultKind.HTML_OK)

    answer = requests.put(f"{url}/faults", data=body, headers={"content-type": "application/json"}, timeout=LONG_S)
    assert answer.status_code == 422
    assert [fault["kind"] for fault in get(url, "/faults").json()] == ["html_ok"]


def test_a_recording_is_served_row_by_row_and_then_ends():
    whole, torn = b'{"message": "success", "timestamp": 1}', b'{"message": "success", "timestamp": .9157'
    with serve(create_app(replay=Replay([whole, torn]))) as url:
        assert get(url, "/replay").json() == {"served": 0, "total": 2}
        assert [get(url).content for _ in range(2)] == [whole, torn]
        assert get(url, "/replay").json() == {"served": 2, "total": 2}
        ended = get(url)
        assert (ended.status_code, ended.json()["reason"]) == (503, "recording ended")
        assert get(url, f"{OEM_PATH}.txt").status_code == 404


@pytest.mark.real
def test_a_recorded_ephemeris_is_served_unpacked_and_conditionally(real_data: Path):
    oem = read_oem(real_data / RECORDED_OEM)
    with serve(create_app(replay=Replay([], oem))) as url:
        answer = get(url, f"{OEM_PATH}.txt")
        assert answer.content == oem.content
        assert answer.headers["last-modified"] == "Fri, 24 Mar 2023 22:55:31 GMT"
        known = {"If-None-Match": answer.headers["etag"]}
        assert get(url, f"{OEM_PATH}.txt", headers=known).status_code == 304
        assert get(url, f"{OEM_PATH}.xml").status_code == 404


def test_faults_of_position_are_refused_for_a_recording():
    with serve(create_app(replay=Replay([]))) as url:
        answer = requests.post(f"{url}/faults", json={"kind": "clock_skew"}, timeout=LONG_S)

    assert answer.status_code == 422
    assert "as it is" in json.dumps(answer.json())


def test_clock_can_be_set_and_what_it_cannot_be_is_refused():
    with serve(create_app()) as url:
        answer = requests.put(f"{url}/clock", json={"now": "2026-11-19T23:59:20Z"}, timeout=5)
        refused = requests.put(f"{url}/clock", json={"now": "1998-11-20T00:00:00Z"}, timeout=5)
        timestamp = requests.get(f"{url}/iss-now.json", timeout=5).json()["timestamp"]

    assert answer.status_code == 200
    assert refused.status_code == 422
    assert 0 <= timestamp - datetime(2026, 11, 19, 23, 59, 20, tzinfo=UTC).timestamp() <= 5
