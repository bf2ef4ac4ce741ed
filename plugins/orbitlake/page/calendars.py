"""Calendars to subscribe to: a link made and revoked behind the login, and the one answer that needs none, by the link.

docs/decisions/025-calendars-by-a-signed-link.md says why, and what it rests on.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Query, Response, status
from pydantic import BaseModel, Field

from orbitlake.page.calendar_links import CalendarLinks, Claims, LinkError
from orbitlake.page.desk import Desk
from orbitlake.page.exports import attached, calendar_of
from orbitlake.page.pass_queries import Wanted
from orbitlake.page.passes import NO_SITE, WantedPasses, site_named
from orbitlake.settings import Settings

MOUNTED_AT: Final = "/calendar"
NOT_VALID: Final = "This calendar link is not valid, or no longer: make a new one on the position page."
NO_LINKS: Final = (
    "Links are not offered here: the login cannot say later whether someone may still read, or no [api_auth] "
    "jwt_secret is set. Download the calendar instead."
)
PRIVATE: Final = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}

Token = Annotated[str, Query(max_length=1_024, description="of the link: a secret")]


@dataclass(frozen=True)
class People:
    """Who asks for links: `claims` is a dependency that gives what the login says of the person who is asking."""

    links: CalendarLinks
    claims: Callable[..., Claims | None]


class WantedCalendar(BaseModel):
    """What a link is to be for."""

    site: str = Field(min_length=1, max_length=64)
    visible: bool = False
    min_elevation_deg: float = Field(default=0, ge=0, le=90)


class CalendarLink(BaseModel):
    """A link that stands for the login of whoever made it, for one calendar."""

    path: str = Field(description="relative to the page; a secret")


def link_routes(settings: Settings, people: People | None) -> APIRouter:
    """What someone who is logged in does about links."""
    routes = APIRouter(prefix="/api", tags=["calendar"])
    no_links: dict[int | str, dict[str, Any]] = {409: {"description": "links are not offered here"}}

    def nobody() -> None:
        return None

    claims_of = people.claims if people else nobody

    @routes.post(
        "/calendar_link", summary="A link to a calendar, for the person who asks", responses=no_links | NO_SITE
    )
    def make(
        wanted: Annotated[WantedCalendar, Body()],
        response: Response,
        claims: Annotated[Claims | None, Depends(claims_of)],
    ) -> CalendarLink:
        if people is None or claims is None:
            raise HTTPException(status.HTTP_409_CONFLICT, NO_LINKS)
        asked = Wanted(site_named(settings.sites_file, wanted.site).name, wanted.visible, wanted.min_elevation_deg)
        query = asdict(asked) | {"visible": str(asked.visible).lower()}
        response.headers.update(PRIVATE)
        # Airflow's access log blots out a parameter of this name.
        query["token"] = people.links.token(claims, asked)
        return CalendarLink(path=f"{MOUNTED_AT.lstrip('/')}/passes.ics?{urlencode(query)}")

    @routes.delete("/calendar_link", summary="Revoke all calendar links of the person who asks", status_code=204)
    def revoke(claims: Annotated[Claims | None, Depends(claims_of)]) -> None:
        if people is not None and claims is not None:
            people.links.revoke(claims)

    return routes


def calendar_app(desk: Desk, settings: Settings, clock: Callable[[], datetime], links: CalendarLinks | None) -> FastAPI:
    """Return the application that answers by a link alone: it knows one path, and gives one calendar."""
    app = FastAPI(openapi_url=None)

    @app.get("/passes.ics")
    def passes(wanted: WantedPasses, token: Token) -> Response:
        try:
            if links is None:
                raise LinkError
            links.check(token, wanted)
            site_named(settings.sites_file, wanted.site)
        except (LinkError, HTTPException):
            # One answer, whatever is wrong: it tells nothing of people, sites or keys.
            raise HTTPException(status.HTTP_403_FORBIDDEN, NOT_VALID, PRIVATE) from None
        response = attached(calendar_of(desk, settings.object_id, wanted, clock()))
        response.headers.update(PRIVATE)
        return response

    return app
