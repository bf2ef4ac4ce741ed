"""The page's web application: one HTML page, its files, and the API that feeds it, all behind one guard."""

import importlib.util
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse

from orbitlake.lake import Lake
from orbitlake.page import questions
from orbitlake.page.answers import (
    Answer,
    Burn,
    Day,
    Fix,
    Freshness,
    FreshnessAnswer,
    Issue,
    LatestFix,
    OrbitAltitude,
    Page,
    Track,
    Window,
)
from orbitlake.page.desk import Desk
from orbitlake.page.liveness import age_of_stream_s, why_silent
from orbitlake.page.newest import newest_day, newest_issue
from orbitlake.page.track import ground_track, steps
from orbitlake.settings import from_environment
from orbitlake.tables import POSITIONS

STATIC: Final = Path(__file__).parent / "static"
CHART_LIBRARY_MAX_AGE_S: Final = 86_400
TRACK_STEP_S: Final = 30
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""Nothing from elsewhere; the chart library sets styles in the page, Airflow shows the page in a frame."""


class OwnFile(StrEnum):
    """The files of the page; a name that is not here is refused before any path is made of it."""

    STYLE = "page.css"
    PAGE = "page.js"
    MAP = "map.js"
    CHARTS = "charts.js"
    FORMAT = "format.js"
    PANELS = "panels.js"
    COASTLINE = "coastline.json"


Hours = Annotated[int, Query(ge=1, le=24, description="how many hours back from now")]
Limit = Annotated[int, Query(ge=1, le=5000, description="most rows of one page")]
FewLimit = Annotated[int, Query(ge=1, le=100, description="most rows of one page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="rows to skip: next_offset of the page before")]
Days = Annotated[int, Query(ge=1, le=60, description="how many UTC days, today included")]
PastMinutes = Annotated[int, Query(ge=0, le=1440, description="minutes of track before now")]
NextMinutes = Annotated[int, Query(ge=0, le=1440, description="minutes of track after now")]
IssueName = Annotated[
    str | None,
    Query(pattern="^[0-9]{8}T[0-9]{6}Z$", description="an issue, such as 20230324T225531Z; without it the newest"),
]


def utc_now() -> datetime:
    """The clock that requests are answered by."""
    return datetime.now(UTC)


def create_app(guard: Callable[..., Any], data: Path | None = None, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """Return the application; `guard` is a dependency that raises HTTPException for whoever may not read.

    `data` is the root of the lake, by default that of the settings; `clock` gives the moment that counts as now.
    """
    settings = from_environment()
    desk = Desk(Lake(data or settings.data))
    app = FastAPI(
        title="orbitlake position page",
        summary="What the published tables say about the spacecraft now.",
        description="Read only. Every answer carries the query that gave it, for `orbitlake.query.connect()`.",
        version="1",
        # The generated documentation would stand open, and load its parts from elsewhere: openapi.json is below.
        openapi_url=None,
        dependencies=[Depends(guard)],
        responses={401: {"description": "not logged in"}, 403: {"description": "not allowed"}},
    )
    app.state.desk = desk
    app.include_router(page_routes())
    app.include_router(position_routes(desk, settings.object_id, clock))
    app.include_router(ephemeris_routes(desk, settings.object_id, clock))

    @app.get("/api/openapi.json", tags=["page"], summary="This API as OpenAPI")
    def openapi(request: Request) -> JSONResponse:
        return JSONResponse(app.openapi() | {"servers": [{"url": request.scope.get("root_path") or "/"}]})

    @app.middleware("http")
    async def add_security_headers(request: Request, call_next: Callable[..., Any]) -> Any:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return app


def page_routes() -> APIRouter:
    """The page itself and what a browser loads with it."""
    routes = APIRouter(tags=["page"], default_response_class=FileResponse)

    @routes.get("/", summary="The page")
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @routes.get("/static/{name}", summary="A file of the page")
    def own_file(name: OwnFile) -> FileResponse:
        return FileResponse(STATIC / name.value)

    @routes.get("/library/plotly.min.js", summary="The chart library, from the installed package plotly")
    def chart_library() -> FileResponse:
        headers = {"Cache-Control": f"private, max-age={CHART_LIBRARY_MAX_AGE_S}"}
        return FileResponse(plotly_js(), media_type="text/javascript", headers=headers)

    return routes


def position_routes(desk: Desk, object_id: str, clock: Callable[[], datetime]) -> APIRouter:
    """What the live feed says: fixes, minutes, days, freshness."""
    routes = APIRouter(prefix="/api", tags=["positions"])

    @routes.get("/latest", summary="The latest fix")
    def latest() -> Answer[LatestFix]:
        now = clock()
        since = newest_day(desk.lake, POSITIONS) or now.date()
        sql = questions.latest_fix(object_id, now, since)
        return Answer[LatestFix](as_of=now, sql=sql, rows=desk.ask(sql, LatestFix, since=since))

    @routes.get("/fixes", summary="Fixes of the last hours, newest first")
    def fixes(hours: Hours = 1, limit: Limit = 1000, offset: Offset = 0) -> Page[Fix]:
        now = clock()
        sql = questions.fixes(object_id, now, hours, limit, offset)
        rows = desk.ask(sql, Fix, since=(now - timedelta(hours=hours)).date())
        return Page[Fix](as_of=now, sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/windows", summary="Statistics of the minutes of the last hours, newest first")
    def windows(hours: Hours = 6, limit: Limit = 1440, offset: Offset = 0) -> Page[Window]:
        now = clock()
        sql = questions.windows(object_id, now, hours, limit, offset)
        rows = desk.ask(sql, Window, since=(now - timedelta(hours=hours)).date())
        return Page[Window](as_of=now, sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/days", summary="Completeness of the last days, newest first")
    def days(count: Days = 14) -> Answer[Day]:
        now = clock()
        sql = questions.days(object_id, now, count)
        since = now.date() - timedelta(days=count - 1)
        return Answer[Day](as_of=now, sql=sql, rows=desk.ask(sql, Day, since=since))

    @routes.get("/freshness", summary="How fresh each table is")
    def freshness() -> FreshnessAnswer:
        now = clock()
        since = newest_day(desk.lake, POSITIONS) or now.date()
        sql = questions.freshness(object_id, now, since)
        rows = desk.ask(sql, Freshness, since=since, issue=newest_issue(desk.lake, object_id))
        stream_age_s = age_of_stream_s(desk.lake, now)
        reason = why_silent(rows[0], stream_age_s)
        return FreshnessAnswer(
            as_of=now, sql=sql, rows=rows, stale=reason is not None, reason=reason, stream_age_s=stream_age_s
        )

    return routes


def ephemeris_routes(desk: Desk, object_id: str, clock: Callable[[], datetime]) -> APIRouter:
    """What the issues of the ephemeris say: facts, burns, altitude, ground track."""
    routes = APIRouter(prefix="/api", tags=["ephemeris"])

    @routes.get("/issues", summary="The issues of the ephemeris, newest first")
    def issues(limit: FewLimit = 20, offset: Offset = 0) -> Page[Issue]:
        now = clock()
        sql = questions.issues(object_id, now, limit, offset)
        rows = desk.ask(sql, Issue)
        return Page[Issue](as_of=now, sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/burns", summary="The thrust episodes of an issue")
    def burns(issue: IssueName = None, limit: FewLimit = 100, offset: Offset = 0) -> Page[Burn]:
        sql = questions.burns(object_id, issue, limit, offset)
        rows = desk.ask(sql, Burn, issue=issue or newest_issue(desk.lake, object_id))
        return Page[Burn](as_of=clock(), sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/altitude", summary="Altitude over an issue, an orbit a row")
    def altitude(issue: IssueName = None) -> Answer[OrbitAltitude]:
        sql = questions.altitude(object_id, issue)
        rows = desk.ask(sql, OrbitAltitude, issue=issue or newest_issue(desk.lake, object_id))
        return Answer[OrbitAltitude](as_of=clock(), sql=sql, rows=rows)

    @routes.get("/track", summary="The ground track around now, from the newest issue")
    def track(past_minutes: PastMinutes = 93, next_minutes: NextMinutes = 186) -> Track:
        now = clock()
        start, stop = now - timedelta(minutes=past_minutes), now + timedelta(minutes=next_minutes)
        sql = questions.track_states(object_id, start, stop)
        states = desk.ask_plainly(sql, issue=newest_issue(desk.lake, object_id))
        points = ground_track(states, [*steps(start, stop, TRACK_STEP_S), now])
        here = points.pop() if points and points[-1].time == now else None
        return Track(
            as_of=now,
            sql=sql,
            rows=points,
            step_s=TRACK_STEP_S,
            creation_date=states[0]["creation_date"] if states else None,
            now=here,
        )

    return routes


def after(rows: Sequence[object], limit: int, offset: int) -> int | None:
    """The offset of the next page, None where this one was not full."""
    return offset + limit if len(rows) == limit else None


def plotly_js() -> Path:
    """The library's one file, found without importing the package: only browsers run it."""
    package = importlib.util.find_spec("plotly")
    if package is None or package.origin is None:
        raise HTTPException(503, "the package plotly is not installed: see requirements.txt")
    return Path(package.origin).parent / "package_data" / "plotly.min.js"
