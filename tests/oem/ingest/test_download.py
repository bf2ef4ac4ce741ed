"""Fetching: a whole body or none, asked for once, from servers that misbehave in every way seen in the wild."""

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orbitlake.oem.ingest import batch, download
from orbitlake.oem.ingest.delivery import DeliveryError, PermanentDeliveryError
from orbitlake.oem.ingest.download import DownloadError, fetch
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment

BODY = b"CCSDS_OEM_VERS = 2.0\r\n" * 100
ETAG = f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'
LAST_MODIFIED = "Fri, 24 Mar 2023 22:55:31 GMT"
AS_SHIPPED = download.RETRY
Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(handler: BaseHTTPRequestHandler) -> None:
    """Answer as NASA's server does."""
    if handler.headers["If-None-Match"] == ETAG:
        return reply(304)(handler)
    return reply(200, BODY, {"ETag": ETAG, "Last-Modified": LAST_MODIFIED})(handler)


def reply(status: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send for as long as anybody listens, and say nothing of a length."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(BODY)


def broken_chunks(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(f"{len(BODY):x}\r\n".encode() + BODY[:500])


@contextmanager
def serving(*answers: Answer) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve the answers in turn, the last for ever; give the URL and the headers of every request."""
    requests: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(dict(self.headers))
            with suppress(BrokenPipeError, ConnectionResetError):
                answers[min(len(requests), len(answers)) - 1](self)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ISS.OEM_J2K_EPH.txt", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    quick = download.RETRY.new(backoff_factor=0.01, backoff_jitter=0.0)
    monkeypatch.setattr(download, "RETRY", quick)


@pytest.fixture
def settings(tmp_path: Path):
    environment = {"ORBITLAKE_DATA": str(tmp_path / "data"), "ORBITLAKE_ALLOWED_HOSTS": "127.0.0.1"}
    return replace(from_environment(environment), http_timeout_s=0.5)


def kept(lake) -> list[Path]:
    return sorted((lake.root / "raw" / "oem" / "_http").glob("*"))


def test_a_body_is_kept_whole_with_what_the_server_said_of_it(lake, settings):
    with serving(whole) as (url, requests):
        delivery = fetch(url, lake, settings)

    assert Path(delivery["path"]).read_bytes() == BODY
    assert delivery["source"] == delivery["source_url"] == url
    note = json.loads(next(path for path in kept(lake) if path.suffix == ".json").read_text())
    assert (note["etag"], note["last_modified"], note["sha256"]) == (
        ETAG,
        LAST_MODIFIED,
        hashlib.sha256(BODY).hexdigest(),
    )
    assert requests[0]["Accept-Encoding"] == "identity"
    assert "If-None-Match" not in requests[0]


def test_the_second_fetch_asks_conditionally_and_hands_on_the_same_body(lake, settings):
    with serving(whole) as (url, requests):
        first, second = fetch(url, lake, settings), fetch(url, lake, settings)

    assert second == first
    assert (requests[1]["If-None-Match"], requests[1]["If-Modified-Since"]) == (ETAG, LAST_MODIFIED)


def test_a_body_lost_or_damaged_on_disk_is_fetched_again_unconditionally(lake, settings):
    with serving(whole) as (url, requests):
        Path(fetch(url, lake, settings)["path"]).write_bytes(BODY[:10])
        again = fetch(url, lake, settings)

    assert "If-None-Match" not in requests[1]
    assert Path(again["path"]).read_bytes() == BODY


def test_only_the_newest_body_and_the_one_before_it_are_kept(lake, settings):
    bodies = [BODY + str(number).encode() for number in range(4)]
    with serving(*(reply(200, body) for body in bodies)) as (url, _):
        for body in bodies:
            assert Path(fetch(url, lake, settings)["path"]).read_bytes() == body

    assert len(kept(lake)) == 3


def test_not_modified_for_a_body_never_had_is_an_error(lake, settings):
    with serving(reply(304)) as (url, _), pytest.raises(DownloadError, match="nothing was fetched before"):
        fetch(url, lake, settings)


@pytest.mark.parametrize("answer", [reply(200, BODY[:1000], length=len(BODY)), broken_chunks])
def test_a_body_cut_short_is_tried_again_and_never_kept(lake, settings, answer):
    with serving(answer) as (url, requests), pytest.raises(DownloadError, match="cut short"):
        fetch(url, lake, settings)

    assert len(requests) == download.BODY_ATTEMPTS
    assert kept(lake) == []


def test_a_body_cut_short_once_is_had_whole_the_next_time(lake, settings):
    with serving(reply(200, BODY[:1000], length=len(BODY)), whole) as (url, _):
        assert Path(fetch(url, lake, settings)["path"]).read_bytes() == BODY


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(lake, settings, status):
    with serving(reply(status, b"<html>"), reply(status), whole) as (url, requests):
        delivery = fetch(url, lake, settings)

    assert len(requests) == 3
    assert Path(delivery["path"]).read_bytes() == BODY


def test_a_lasting_failure_is_named_and_nothing_is_kept(lake, settings):
    with serving(reply(503)) as (url, requests), pytest.raises(DownloadError, match="503"):
        fetch(url, lake, settings)

    assert len(requests) == 5
    assert kept(lake) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_tried_again(lake, settings, status):
    with serving(reply(status)) as (url, requests), pytest.raises(DownloadError, match=str(status)):
        fetch(url, lake, settings)

    assert len(requests) == 1


def test_retry_after_is_honoured_up_to_a_limit(lake, settings, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    with serving(reply(429, headers={"Retry-After": "7"}), reply(503, headers={"Retry-After": "999999"}), whole) as (
        url,
        _,
    ):
        fetch(url, lake, settings)

    assert waits == [7, download.LONGEST_RETRY_AFTER_S]


def test_waits_grow_and_are_jittered():
    retry = AS_SHIPPED
    for _ in range(4):
        retry = retry.increment("GET", "/", error=ConnectionError())
    waits = {retry.get_backoff_time() for _ in range(50)}

    assert 8 <= min(waits) <= max(waits) <= 9
    assert len(waits) > 1


@pytest.mark.parametrize("answer", [reply(200, BODY * 100), reply(200, gzip.compress(BODY), length=10**12), endless])
def test_a_body_past_the_size_limit_is_refused(lake, settings, answer):
    with serving(answer) as (url, _), pytest.raises(DownloadError, match="limit"):
        fetch(url, lake, replace(settings, max_download_bytes=100_000))

    assert kept(lake) == []


def test_a_server_that_falls_silent_is_given_up(lake, settings):
    def silent(handler: BaseHTTPRequestHandler) -> None:
        reply(200, BODY[:100], length=len(BODY))(handler)
        handler.wfile.flush()
        threading.Event().wait(1.0)

    with serving(silent) as (url, _), pytest.raises(DownloadError, match=r"(?i)cut short.*timed out"):
        fetch(url, lake, settings)


def test_a_body_that_drips_past_the_time_limit_is_given_up(lake, settings, monkeypatch):
    monkeypatch.setattr(download, "TOTAL_TIMEOUT_S", 0.5)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        reply(200, b"", length=len(BODY))(handler)
        for byte in BODY:
            handler.wfile.write(bytes([byte]))
            threading.Event().wait(0.05)

    with serving(dripping) as (url, _), pytest.raises(DownloadError, match="not finished"):
        fetch(url, lake, settings)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "http://", "gopher://x/", "https:///path"])
def test_only_http_and_https_are_fetched(lake, settings, url):
    with pytest.raises(DownloadError, match="not an http or https URL"):
        fetch(url, lake, settings)


def test_a_redirect_out_of_http_is_refused(lake, settings):
    with serving(reply(302, headers={"Location": "file:///etc/passwd"})) as (url, _), pytest.raises(DownloadError):
        fetch(url, lake, settings)


def test_a_password_in_the_url_goes_to_the_server_alone(lake, settings):
    with serving(whole) as (url, requests):
        delivery = fetch(url.replace("http://", "http://user:secret@"), lake, settings)

    assert requests[0]["Authorization"].startswith("Basic ")
    assert delivery["source"] == url
    assert not any(b"secret" in path.read_bytes() for path in kept(lake))


def test_nobody_at_home_is_an_error_with_a_cause(lake, settings):
    with serving(whole) as (url, _):
        pass
    with pytest.raises(DownloadError, match="refused"):
        fetch(url, lake, settings)


def test_a_host_that_is_not_public_is_refused_at_once_without_a_word_to_it(lake, settings):
    with serving(whole) as (url, requests), pytest.raises(DownloadError, match=r"127\.0\.0\.1 is not a public host"):
        fetch(url, lake, replace(settings, allowed_hosts=()))

    assert requests == []
    assert kept(lake) == []


def test_the_configured_url_is_fetched_wherever_it_is(lake, settings):
    with serving(whole) as (url, _):
        delivery = fetch(url, lake, replace(settings, allowed_hosts=(), oem_url=url))

    assert Path(delivery["path"]).read_bytes() == BODY


def test_a_redirect_to_a_host_that_is_not_public_is_refused(lake, settings):
    with serving(whole) as (inner, asked), serving(reply(302, headers={"Location": inner})) as (url, _):
        strict = replace(settings, allowed_hosts=(), oem_url=url)
        with pytest.raises(DownloadError, match="is not a public host"):
            fetch(url, lake, strict)

    assert asked == []


SECRET = "SECRET-OF-AN-INNER-SERVICE"


def says(content: str) -> Answer:
    """Answer with these very bytes, HTTP or not."""
    return lambda handler: handler.wfile.write(content.encode("latin-1"))


@pytest.mark.parametrize(
    "answer",
    [
        reply(403, SECRET.encode(), {"X-Secret": SECRET}),
        says(f"HTTP/1.1 404 {SECRET}\r\nContent-Length: 0\r\n\r\n"),
        says(f"SSH-2.0-{SECRET}\r\n"),
        says(f"-ERR {SECRET}\r\n"),
        says(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n"),
        says(f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n"),
        says("HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n"),
        says(f"HTTP/1.1 302 Found\r\nLocation: secret:{SECRET}\r\n\r\n"),
        says(f"HTTP/1.1 302 Found\r\nLocation: http://[{SECRET}\r\n\r\n"),
        says(f"HTTP/1.1 302 Found\r\nLocation: http://a:{SECRET}/\r\n\r\n"),
        says(f"HTTP/1.1 302 Found\r\nLocation: http://a/\xff{SECRET}\r\n\r\n"),
        says(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?token={SECRET}\r\n\r\n"),
    ],
    ids=[
        "body", "reason", "banner", "reply", "chunk", "length", "length no number", "scheme", "location", "port",
        "not UTF-8", "elsewhere",
    ],
)  # fmt: skip
def test_an_error_quotes_nothing_of_an_answer(lake, settings, answer):
    with serving(answer) as (url, _):
        told = json.dumps(ingest_source(url, lake, settings))

    assert '"rejected"' in told
    assert SECRET not in told
    assert len(told) < 600


def test_what_is_no_oem_is_rejected_without_a_word_of_it(lake, settings):
    bodies = [SECRET.encode(), f"<html>{SECRET}</html>".encode(), f'{{"key": "{SECRET}"}}'.encode(), b"\xfe\x00" * 9]
    for body in bodies:
        with serving(reply(200, body)) as (url, _):
            (outcome,) = ingest_source(url, lake, settings)

        assert outcome["outcome"] == "rejected"
        assert outcome["reason"] == f"{url}: is no OEM: CCSDS_OEM_VERS is not near its beginning"


def test_a_validator_that_cannot_be_sent_back_is_forgotten(lake, settings):
    odd = says(f"HTTP/1.1 200 OK\r\nETag: \x0bone\r\nLast-Modified: {'x' * 300}\r\n\r\n{BODY.decode()}")
    with serving(odd, whole) as (url, requests):
        fetch(url, lake, settings)
        fetch(url, lake, settings)

    assert not {"If-None-Match", "If-Modified-Since"} & set(requests[1])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:secret@host/a",
        "http://user:secret@",
        "http://user:secret@[::1/",
        "http://user:secret@host:port/",
        "http://user:se/secret@host/",
        "http://user:secret@127.0.0.1:1/",
        "https://user:secret@host.invalid/",
    ],
)
def test_a_password_is_in_no_outcome_and_no_error(lake, settings, url, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    (outcome,) = ingest_source(url, lake, settings)
    try:
        told = json.dumps(batch.download(url, is_last_try=False))
    except DeliveryError as failed:
        told = str(failed)

    assert outcome["outcome"] == "rejected"
    assert "secret" not in json.dumps([outcome, told, batch.download(url, is_last_try=True)])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_trying_again_cannot_mend_is_rejected_at_once(lake, monkeypatch, status):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    monkeypatch.setenv("ORBITLAKE_ALLOWED_HOSTS", "127.0.0.1")
    with serving(reply(status)) as (url, requests):
        (outcome,) = batch.download(url, is_last_try=False)

    assert outcome["outcome"] == "rejected"
    assert f"status {status}" in outcome["reason"]
    assert len(requests) == 1


def test_what_trying_again_may_mend_is_tried_again(lake, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    monkeypatch.setenv("ORBITLAKE_ALLOWED_HOSTS", "127.0.0.1")

    with serving(reply(503)) as (url, _), pytest.raises(DeliveryError, match="503"):
        batch.download(url, is_last_try=False)


def test_a_name_that_is_not_in_the_inbox_is_a_permanent_failure(lake, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))

    with pytest.raises(PermanentDeliveryError, match="which holds nothing"):
        batch.download("typo.txt", is_last_try=False)


def test_a_reason_is_short_however_long_the_value_at_fault(lake, settings):
    body = b'<ndm><oem id="CCSDS_OEM_VERS ' + b"x" * 1_000_000 + b'" version="2.0"></oem></ndm>'
    with serving(reply(200, body)) as (url, _):
        (outcome,) = ingest_source(url, lake, settings)

    assert "<oem> has id" in outcome["reason"]
    assert len(outcome["reason"]) <= 2000
