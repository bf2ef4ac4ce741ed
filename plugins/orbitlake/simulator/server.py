"""The HTTP face of the simulator: the two position feeds, NASA's ephemeris files, faults, replay and health."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Annotated, Final

import numpy as np
import uvicorn
from fastapi import Body, FastAPI, HTTPException, Request, Response

from orbitlake.simulator.clock import SimulatedClock
from orbitlake.simulator.faults import POSITION_FAULTS, ActiveFault, Fault, FaultBoard, FaultKind
from orbitlake.simulator.feeds import Moment, open_notify, where_the_iss
from orbitlake.simulator.gate import POSITION_FAULTS_KEY, FaultGate
from orbitlake.simulator.issues import Issue, issue_of, newest_issue, newest_issues
from orbitlake.simulator.nasa_layout import OemFormat, file_name, write_issue
from orbitlake.simulator.replay import Replay
from orbitlake.simulator.station import Station, station

OPEN_NOTIFY_PATH: Final = "/iss-now.json"
WHERE_THE_ISS_PATH: Final = "/v1/satellites/25544"
OEM_PATH: Final = "/ISS.OEM_J2K_EPH"
OWN_PATHS: Final = frozenset({"/health", "/clock", "/faults", "/replay"})
"""What the simulator says of itself; no fault touches it."""
ISSUES_LISTED: Final = 12
START_LIMIT_S: Final = 10.0


def create_app(
    *,
    start: datetime | None = None,
    rate: float = 1.0,
    replay: Replay | None = None,
    faults: Sequence[Fault] = (),
    ticks: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the app. Simulated time begins at `start` (default: now) and runs at `rate`; ValueError where it cannot.

    With `replay`, recordings take the place of the orbit on the paths that they have an answer for.
    """
    clock = SimulatedClock(start or datetime.now(UTC), rate, ticks)
    board = FaultBoard()
    app = FastAPI(title="orbitlake simulator", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(FaultGate, board=board, untouched=OWN_PATHS)
    if replay is None:
        orbit = station()
        _serve_positions(app, orbit, clock)
        _serve_issues(app, orbit, clock)
    else:
        _serve_recordings(app, replay)
    _serve_faults(app, board, orbit_flies=replay is None)
    board.replace([_possible(fault, replay is None) for fault in faults])

    @app.put("/clock")
    async def set_clock(now: Annotated[datetime, Body(embed=True)]) -> dict[str, str]:
        try:
            clock.set(now)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return {"simulated_time": f"{clock.now_utc()}Z"}

    @app.get("/health")
    async def health() -> dict[str, object]:
        return {
            "status": "ok",
            "mode": "simulated" if replay is None else "replay",
            "simulated_time": f"{clock.now_utc()}Z",
            "rate": rate,
        }

    return app


@contextmanager
def serve(app: FastAPI | None = None, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app`, or one that starts now, from a thread; yield its URL. Port 0 takes a free one.

    Raises OSError for a port in use.
    """
    with listen(host, port) as listener:
        server = uvicorn.Server(uvicorn_config(app or create_app()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="simulator", daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not server.started:
                if not thread.is_alive() or time.monotonic() > deadline:
                    raise RuntimeError("the simulator did not start")
                time.sleep(0.005)
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_LIMIT_S)


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket. Raises OSError for a port in use."""
    return socket.create_server((host, port), backlog=128)


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """Return the settings of a quiet server that stops within a second, whatever hangs."""
    return uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1, server_header=False)


def _serve_positions(app: FastAPI, orbit: Station, clock: SimulatedClock) -> None:
    @app.get(OPEN_NOTIFY_PATH)
    async def iss_now(request: Request) -> Response:
        return Response(open_notify(orbit, _moment(request, clock)), media_type="application/json")

    @app.get(WHERE_THE_ISS_PATH)
    async def satellite(request: Request) -> Response:
        return Response(where_the_iss(orbit, _moment(request, clock)), media_type="application/json")


def _serve_issues(app: FastAPI, orbit: Station, clock: SimulatedClock) -> None:
    lock = threading.Lock()

    @lru_cache(maxsize=8)
    def file_of(issue_day: date, form: OemFormat) -> bytes:
        issue = issue_of(orbit, issue_day)
        if issue is None:
            raise LookupError(issue_day)
        return write_issue(issue, form)

    def answer(request: Request, issue: Issue, form: OemFormat) -> Response:
        with lock:
            content = file_of(_day(issue.creation_utc), form)
        return conditional(request, content, issue.creation_utc.astype("datetime64[s]").item().replace(tzinfo=UTC))

    @app.api_route(f"{OEM_PATH}.{{suffix}}", methods=["GET", "HEAD"])
    def current(request: Request, suffix: OemFormat) -> Response:
        return answer(request, newest_issue(orbit, clock.now_utc()), suffix)

    @app.get("/issues")
    def names() -> list[str]:
        return [
            file_name(issue, form)
            for issue in newest_issues(orbit, clock.now_utc(), ISSUES_LISTED)
            for form in OemFormat
        ]

    @app.api_route("/issues/ISS.OEM_J2K_EPH.{day}.{suffix}", methods=["GET", "HEAD"])
    def by_name(request: Request, day: date, suffix: OemFormat) -> Response:
        issue = issue_of(orbit, day)
        if issue is None or issue.creation_utc > clock.now_utc():
            raise HTTPException(404, f"no issue of {day} has been published")
        return answer(request, issue, suffix)


def _serve_recordings(app: FastAPI, replay: Replay) -> None:
    @app.get(OPEN_NOTIFY_PATH)
    async def recorded_poll() -> Response:
        body = replay.next_body()
        if body is None:
            # Whoever polls is to rest: no more will come.
            content = '{"message": "failure", "reason": "recording ended"}'
            return Response(content, 503, {"Retry-After": "3600"}, "application/json")
        return Response(body, media_type="application/json")

    @app.get("/replay")
    async def progress() -> dict[str, int]:
        return {"served": replay.served, "total": replay.total}

    @app.api_route(f"{OEM_PATH}.{{suffix}}", methods=["GET", "HEAD"])
    def recorded_issue(request: Request, suffix: OemFormat) -> Response:
        if replay.oem is None or replay.oem.suffix != suffix:
            raise HTTPException(404, f"no {suffix} ephemeris was recorded")
        return conditional(request, replay.oem.content, replay.oem.created)


def _serve_faults(app: FastAPI, board: FaultBoard, *, orbit_flies: bool) -> None:
    @app.get("/faults")
    async def listed() -> list[dict[str, object]]:
        return board.report()

    @app.put("/faults")
    async def replaced(faults: Annotated[list[Fault], Body()]) -> list[dict[str, object]]:
        board.replace([_possible_here(fault, orbit_flies) for fault in faults])
        return board.report()

    @app.post("/faults", status_code=201)
    async def added(fault: Fault) -> list[dict[str, object]]:
        board.add(_possible_here(fault, orbit_flies))
        return board.report()

    @app.delete("/faults")
    async def cleared() -> list[dict[str, object]]:
        board.replace([])
        return board.report()


def conditional(request: Request, content: bytes, modified: datetime | None) -> Response:
    """Return the file as NASA's store does, with ETag (MD5 of the body) and Last-Modified, or 304 where it is known."""
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    headers = {"ETag": etag, "Accept-Ranges": "none"}
    if modified is not None:
        headers["Last-Modified"] = format_datetime(modified, usegmt=True)
    if _is_known(request, etag, modified):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="binary/octet-stream")


def _is_known(request: Request, etag: str, modified: datetime | None) -> bool:
    """Say whether the client holds this file: If-None-Match decides where it is sent (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))
    since = request.headers.get("if-modified-since")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(since).astimezone(UTC) >= modified
    except ValueError:
        return False


def _moment(request: Request, clock: SimulatedClock) -> Moment:
    now = clock.now_utc()
    computed = stamped = now
    faults: list[ActiveFault] = request.scope.get(POSITION_FAULTS_KEY, [])
    for active in faults:
        shift = np.timedelta64(round(active.fault.lasting_s * 1e6), "us")
        match active.fault.kind:
            case FaultKind.FROZEN_POSITION:
                active.frozen_utc = active.frozen_utc or now
                computed = active.frozen_utc
            case FaultKind.STALE_ORBIT:
                computed -= shift
            case FaultKind.CLOCK_SKEW:
                stamped += shift
            case _:
                pass
    return Moment(computed, stamped)


def _possible(fault: Fault, orbit_flies: bool) -> Fault:
    if fault.kind in POSITION_FAULTS and not orbit_flies:
        raise ValueError(f"{fault.kind} needs the simulated orbit: a recording is served as it is")
    return fault


def _possible_here(fault: Fault, orbit_flies: bool) -> Fault:
    try:
        return _possible(fault, orbit_flies)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


def _day(epoch_utc: np.datetime64) -> date:
    day: date = epoch_utc.astype("datetime64[D]").item()
    return day
