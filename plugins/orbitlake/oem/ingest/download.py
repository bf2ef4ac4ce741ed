"""Fetches a URL once: the body is kept beside the raw files and asked for again only if the server has another."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import requests
import urllib3
from urllib3.util import Retry

from orbitlake.bounded_http import BoundedAdapter, RefusedError, bounded_session, status_text
from orbitlake.destinations import DestinationError, Destinations, endpoint_of
from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.oem.ingest.delivery import Delivery, DeliveryError, PermanentDeliveryError, without_password
from orbitlake.settings import Settings

CONNECT_TIMEOUT_S: Final = 10.0
TOTAL_TIMEOUT_S: Final = 300.0
LONGEST_RETRY_AFTER_S: Final = 120
BODY_ATTEMPTS: Final = 3
CHUNK_BYTES: Final = 64 * 1024
MAY_GET_BETTER: Final = frozenset({408, 425, 429, *range(500, 600)})
"""Statuses of a server that is busy or down; any other but 200 and 304 says that the URL is wrong."""
RETRY: Final = Retry(
    total=4,
    backoff_factor=1.0,
    backoff_jitter=1.0,
    backoff_max=60.0,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET",),
    respect_retry_after_header=True,
    retry_after_max=LONGEST_RETRY_AFTER_S,
)
HEADERS: Final = {
    # Identity: Content-Length then counts the very bytes that are kept.
    "Accept-Encoding": "identity",
    "User-Agent": "orbitlake",
}
VALIDATOR: Final = re.compile(r"[\x20-\x7e]{1,256}")
"""An ETag or Last-Modified that can be sent back: one that begins with a vertical tab would break every request."""
LENGTH: Final = re.compile(r"[0-9]{1,18}")
OWN_WORDS: Final = (
    RefusedError,
    requests.Timeout,
    requests.TooManyRedirects,
    urllib3.exceptions.TimeoutError,
    urllib3.exceptions.IncompleteRead,
    urllib3.exceptions.ResponseError,
)
"""Errors whose text quotes nothing that a server sent."""
LONGEST_CAUSE: Final = 200


class DownloadError(DeliveryError):
    """A URL that gave no whole body; nothing was kept."""


class PermanentDownloadError(DownloadError, PermanentDeliveryError):
    """A URL that is wrong: its host is refused, it answers 404 or the like, or its body is too large."""


class _CutShortError(DownloadError):
    """A body that ended early: worth another attempt."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of the last whole body of a URL; `body` is its file's name."""

    url: str
    etag: str | None
    last_modified: str | None
    retrieved_at: str
    sha256: str
    body: str


def fetch(url: str, lake: Lake, settings: Settings) -> Delivery:
    """Return the newest body of a URL as a delivery; where the server says 304, the body kept from last time.

    Handing the same body on again is harmless (its issue is `unchanged`) and completes what a crash left undone.
    Raises DownloadError where no whole body came: other scheme, a host that is neither public nor named by the
    settings, error status, time or size limit, cut short. What it says quotes nothing of the answer.
    """
    name = without_password(url)
    if endpoint_of(url) is None:
        raise PermanentDownloadError(f"{name[:200]!r} is not an http or https URL")
    folder = lake.raw_oem_root / "_http"
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    note = folder / f"{key}.json"
    known = _load(note)
    fetched = _newer(url, name, known, folder, key, lake, settings) or known
    if fetched is None:
        raise DownloadError(f"{name}: the server says not modified, but nothing was fetched before")
    if fetched is not known:
        write_file(note, json.dumps(asdict(fetched), indent=2).encode(), lake.staging)
        # The body before this one stays for a reader that still has it open; older ones go.
        for body in folder.glob(f"{key}-*"):
            if body.name not in (fetched.body, known.body if known else None):
                body.unlink(missing_ok=True)
    return Delivery(source=name, path=str(folder / fetched.body), source_url=name, retrieved_at=fetched.retrieved_at)


def _load(note: Path) -> Fetched | None:
    """Return the note of an earlier fetch where note and body are whole and belong together."""
    try:
        fetched = Fetched(**json.loads(note.read_bytes()))
        body = (note.parent / fetched.body).read_bytes()
    except (OSError, ValueError, TypeError):
        return None
    return fetched if hashlib.sha256(body).hexdigest() == fetched.sha256 else None


def _newer(
    url: str, name: str, known: Fetched | None, folder: Path, key: str, lake: Lake, settings: Settings
) -> Fetched | None:
    """Fetch and keep a body unless the server still has the known one: then None."""
    conditions = dict(HEADERS)
    if known and known.etag:
        conditions["If-None-Match"] = known.etag
    if known and known.last_modified:
        conditions["If-Modified-Since"] = known.last_modified
    adapter = BoundedAdapter(Destinations.of_settings(settings), max_retries=RETRY)
    with bounded_session(adapter) as session:
        try:
            with adapter.ends_within(TOTAL_TIMEOUT_S):
                response, content = _until_whole(partial(_ask, session, url, conditions, name, settings))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            is_refused = isinstance(_innermost(error), DestinationError | RefusedError)
            kind = PermanentDownloadError if is_refused else DownloadError
            raise kind(f"{name}: {_cause(error)}") from error
    if response.status_code == requests.codes.not_modified:
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    body = f"{key}-{sha256[:12]}"
    write_file(folder / body, content, lake.staging)
    return Fetched(
        url=name,
        etag=_validator(response, "ETag"),
        last_modified=_validator(response, "Last-Modified"),
        retrieved_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        sha256=sha256,
        body=body,
    )


def _validator(response: requests.Response, header: str) -> str | None:
    """Return what a server says by which it knows this body again; None where it cannot be sent back."""
    value = response.headers.get(header, "")
    return value if VALIDATOR.fullmatch(value) else None


def _until_whole(ask: Callable[[], tuple[requests.Response, bytes]]) -> tuple[requests.Response, bytes]:
    """Ask again, a few times, while bodies are cut short."""
    for attempt in range(1, BODY_ATTEMPTS):
        with suppress(_CutShortError):
            return ask()
        time.sleep(RETRY.backoff_factor * 2**attempt)
    return ask()


def _ask(
    session: requests.Session, url: str, conditions: dict[str, str], name: str, settings: Settings
) -> tuple[requests.Response, bytes]:
    """Return a 200 and its body, or a 304 and nothing. Raises DownloadError, requests' errors and urllib3's."""
    patience_s = (CONNECT_TIMEOUT_S, settings.http_timeout_s)
    with session.get(url, headers=conditions, stream=True, timeout=patience_s) as response:
        if response.status_code == requests.codes.not_modified:
            return response, b""
        if response.status_code != requests.codes.ok:
            kind = DownloadError if response.status_code in MAY_GET_BETTER else PermanentDownloadError
            raise kind(f"{name}: status {status_text(response.status_code)}")
        return response, b"".join(_chunks(response, name, settings.max_download_bytes))


def _chunks(response: requests.Response, name: str, limit_bytes: int) -> Iterator[bytes]:
    """Yield the body as it was sent, held to size and Content-Length."""
    announced = response.headers.get("Content-Length", "")
    if LENGTH.fullmatch(announced) and int(announced) > limit_bytes:
        raise PermanentDownloadError(f"{name}: {announced} bytes announced, more than the limit of {limit_bytes}")
    received = 0
    while True:
        try:
            chunk = response.raw.read(CHUNK_BYTES, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            # urllib3 also holds the body to its Content-Length.
            raise _CutShortError(f"{name}: cut short after {received} bytes: {_cause(error)}") from error
        if not chunk:
            break
        received += len(chunk)
        if received > limit_bytes:
            raise PermanentDownloadError(f"{name}: larger than the limit of {limit_bytes} bytes")
        yield chunk


def _innermost(error: BaseException) -> BaseException:
    """Return the error that all others were raised from."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    return error


def _cause(error: BaseException) -> str:
    """Return the innermost reason of an error, which is the one that says something, without any byte of an answer.

    Where its text may quote the server, such as a line that is no HTTP, only the kind of error is named.
    """
    error = _innermost(error)
    is_of_system = isinstance(error, OSError) and not isinstance(error, requests.RequestException)
    if isinstance(error, OWN_WORDS) or is_of_system:
        return str(error)[:LONGEST_CAUSE] or type(error).__name__
    return f"not understood ({type(error).__name__})"
