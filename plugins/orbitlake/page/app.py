"""The page's web application: one HTML page, its files, and the API that feeds it, all behind one guard."""

import html
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse

from orbitlake.alerts import folder_of, standing
from orbitlake.freshness import arrivals, page_limits
from orbitlake.lake import Lake, LakeError
from orbitlake.page import questions
from orbitlake.page.answers import (
    Alerts,
    Answer,
    Burn,
    Day,
    DayFix,
    Fix,
    Freshness,
    FreshnessAnswer,
    Issue,
    Judgement,
    LatestFix,
    OrbitAltitude,
    Page,
    RowT,
    StandingAlert,
    Track,
    Window,
)
from orbitlake.page.audits import Days, audit_routes
from orbitlake.page.calendars import MOUNTED_AT, People, calendar_app, link_routes
from orbitlake.page.desk import Desk
from orbitlake.page.exports import export_routes
from orbitlake.page.newest import issue_names, newest_day, newest_issue
from orbitlake.page.passes import pass_routes
from orbitlake.page.track import TRACK_STEP_S, call_of, ground_track, steps
from orbitlake.settings import LIVE, SettingError, Settings, from_environment
from orbitlake.tables import POSITIONS
from orbitlake.upstream import MARKER, held_by
from orbitlake.verdicts import ISSUES, judged

STATIC: Final = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""Nothing from elsewhere; bars have their width as a style, Airflow shows the page in a frame."""
UNKNOWN_UPSTREAM: Final = "unknown: its mark cannot be read"


class OwnFile(StrEnum):
    """The files of the page; a name that is not here is refused before any path is made of it."""

    STYLE = "page.css"
    PAGE = "page.js"
    MAP = "map.js"
    VIEW = "view.js"
    STATE = "state.js"
    CHARTS = "charts.js"
    FORMAT = "format.js"
    PANELS = "panels.js"
    PASSES = "passes.js"
    SKY = "sky.js"
    CALENDAR = "calendar.js"
    COASTLINE = "coastline.json"


Hours = Annotated[int, Query(ge=1, le=24, description="how many hours back from now")]
Limit = Annotated[int, Query(ge=1, le=5000, description="most rows of one page")]
FewLimit = Annotated[int, Query(ge=1, le=100, description="most rows of one page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="rows to skip: next_offset of the page before")]
PastMinutes = Annotated[int, Query(ge=0, le=1440, description="minutes of track before now")]
NextMinutes = Annotated[int, Query(ge=0, le=1440, description="minutes of track after now")]
IssueName = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{8}T[0-9]{6}Z(-.{1,200})?$",
        description="an issue, such as 20230324T225531Z; without it the newest",
    ),
]
UtcDay = Annotated[date, Query(description="a UTC day, such as 2026-11-20")]


def utc_now() -> datetime:
    """The clock that requests are answered by."""
    return datetime.now(UTC)


def create_app(
    guard: Callable[..., Any],
    data: Path | None = None,
    clock: Callable[[], datetime] = utc_now,
    login_url: Callable[[], str] | None = None,
    people: People | None = None,
) -> FastAPI:
    """Return the application; `guard` is a dependency that raises HTTPException for whoever may not read.

    `data` is the root of the lake, by default that of the settings; `clock` gives the moment that counts as now.
    `login_url` says where a browser that opens the page without a login is sent, to come back afterwards. `people` is
    what calendar links need of the login; without it none are offered.
    """
    settings = from_environment()
    settings = replace(settings, data=data or settings.data)
    desk = Desk(Lake(settings.data))
    app = FastAPI(
        title="orbitlake position page",
        summary="What the published tables say about the spacecraft now.",
        description="Reads the tables; all that it writes is whose calendar links hold. Every answer of rows carries "
        "the query that gave it, for `orbitlake.query.connect()`.",
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
    app.include_router(verdict_routes(desk, settings, clock))
    app.include_router(audit_routes(desk, settings.object_id, clock))
    app.include_router(pass_routes(desk, settings, clock))
    app.include_router(export_routes(desk, settings, clock))
    app.include_router(link_routes(settings, people))
    # The one path that the guard does not stand before: a signed link stands for the login there.
    app.mount(MOUNTED_AT, calendar_app(desk, settings, clock, people.links if people else None))

    @app.get("/api/openapi.json", tags=["page"], summary="This API as OpenAPI")
    def openapi(request: Request) -> JSONResponse:
        return JSONResponse(app.openapi() | {"servers": [{"url": request.scope.get("root_path") or "/"}]})

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        return refusal_page(request, error, login_url) or await http_exception_handler(request, error)

    @app.exception_handler(LakeError)
    async def lake_error(_: Request, error: LakeError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status.HTTP_500_INTERNAL_SERVER_ERROR)

    @app.middleware("http")
    async def add_security_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return app


def refusal_page(request: Request, error: HTTPException, login_url: Callable[[], str] | None) -> Response | None:
    """What a person who opened the page itself gets for being refused; None where JSON is the answer."""
    opens_the_page = request.scope["route"].path == "/" and "text/html" in request.headers.get("accept", "")
    if not opens_the_page or login_url is None:
        return None
    if error.status_code == status.HTTP_401_UNAUTHORIZED:
        return RedirectResponse(login_url(), status.HTTP_302_FOUND)
    if error.status_code == status.HTTP_403_FORBIDDEN:
        text = (STATIC / "refused.html").read_text().replace("LOGIN_URL", html.escape(login_url(), quote=True))
        return HTMLResponse(text, status.HTTP_403_FORBIDDEN)
    return None


def page_routes() -> APIRouter:
    """The page itself and what a browser loads with it."""
    routes = APIRouter(tags=["page"], default_response_class=FileResponse)

    @routes.get("/", summary="The page")
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @routes.get("/static/{name}", summary="A file of the page")
    def own_file(name: OwnFile) -> FileResponse:
        return FileResponse(STATIC / name.value)

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

    @routes.get("/day", summary="Where the track of a UTC day ran: the first fix of each minute")
    def day(date: UtcDay) -> Answer[DayFix]:
        now = clock()
        sql = questions.day_fixes(object_id, date, now)
        return Answer[DayFix](as_of=now, sql=sql, rows=desk.ask(sql, DayFix, since=date))

    return routes


def verdict_routes(desk: Desk, settings: Settings, clock: Callable[[], datetime]) -> APIRouter:
    """How feed, stream and ephemeris are, and which alerts stand."""
    routes = APIRouter(prefix="/api", tags=["verdicts"])
    limits = page_limits(settings)

    @routes.get("/freshness", summary="How feed, stream and ephemeris are, and the newest of each table")
    def freshness() -> FreshnessAnswer:
        now, object_id = clock(), settings.object_id
        since = newest_day(desk.lake, POSITIONS) or now.date()
        sql = questions.freshness(object_id, now, since)
        rows = desk.ask(sql, Freshness, since=since, issue=newest_issue(desk.lake, object_id))
        upstream = upstream_of(desk.lake, settings)
        seen = arrivals(desk.lake, object_id, limits, now, is_simulated=upstream != LIVE)
        verdicts = judged(seen, limits, now)
        live = [verdict for verdict in verdicts if verdict.subject != ISSUES]
        return FreshnessAnswer(
            as_of=now,
            sql=sql,
            rows=rows,
            verdicts=[Judgement(**asdict(verdict)) for verdict in verdicts],
            stale=any(verdict.level == "wrong" for verdict in live),
            reason=next((f"{each.subject} {each.state}: {each.text}" for each in live if each.level != "ok"), None),
            stream_age_s=(now - seen.newest_batch).total_seconds() if seen.newest_batch else None,
            fix_stale_after_s=limits.feed.total_seconds(),
            upstream=upstream,
        )

    @routes.get("/alerts", summary="The alerts that stand, since when, and what clears them")
    def alerts() -> Alerts:
        rows = [
            StandingAlert(
                name=alert.name, text=alert.text, since=datetime.fromisoformat(alert.since), clears=alert.clears
            )
            for alert in standing(desk.lake)
        ]
        return Alerts(as_of=clock(), folder=folder_of(desk.lake).name + "/", rows=rows)

    return routes


def upstream_of(lake: Lake, settings: Settings) -> str:
    """Whose numbers a lake holds, by its mark; without one, those of the upstream of the settings."""
    if not (lake.root / MARKER).is_file():
        return settings.upstream
    try:
        return held_by(lake.root) or settings.upstream
    except SettingError:
        return UNKNOWN_UPSTREAM


def ephemeris_routes(desk: Desk, object_id: str, clock: Callable[[], datetime]) -> APIRouter:
    """What the issues of the ephemeris say: facts, burns, altitude, ground track."""
    routes = APIRouter(prefix="/api", tags=["ephemeris"])

    def of_issue(sql: str, row: type[RowT], issue: str | None) -> list[RowT]:
        """The rows of a query about one issue; none of one that is not held."""
        held = issue_names(desk.lake, object_id)
        if issue is not None and issue not in held:
            return []
        return desk.ask(sql, row, issue=issue or next(iter(held), None))

    @routes.get("/issues", summary="The issues of the ephemeris, newest first")
    def issues(limit: FewLimit = 20, offset: Offset = 0) -> Page[Issue]:
        now = clock()
        sql = questions.issues(object_id, now, limit, offset)
        rows = desk.ask(sql, Issue)
        return Page[Issue](as_of=now, sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/burns", summary="The thrust episodes of an issue")
    def burns(issue: IssueName = None, limit: FewLimit = 100, offset: Offset = 0) -> Page[Burn]:
        sql = questions.burns(object_id, issue, limit, offset)
        rows = of_issue(sql, Burn, issue)
        return Page[Burn](as_of=clock(), sql=sql, rows=rows, next_offset=after(rows, limit, offset))

    @routes.get("/altitude", summary="Altitude over an issue, an orbit a row")
    def altitude(issue: IssueName = None) -> Answer[OrbitAltitude]:
        sql = questions.altitude(object_id, issue)
        rows = of_issue(sql, OrbitAltitude, issue)
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
            call=call_of(object_id, now, past_minutes, next_minutes),
            rows=points,
            step_s=TRACK_STEP_S,
            creation_date=states[0]["creation_date"] if states else None,
            now=here,
        )

    return routes


def after(rows: Sequence[object], limit: int, offset: int) -> int | None:
    """The offset of the next page, None where this one was not full."""
    return offset + limit if len(rows) == limit else None
