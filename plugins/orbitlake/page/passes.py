"""The sites, the next passes over one of them, and the way of a pass through its sky: routes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, status
from pydantic import BaseModel, Field

from orbitlake.page import pass_queries
from orbitlake.page.answers import Answer, Row
from orbitlake.page.desk import Desk
from orbitlake.page.newest import newest_issue
from orbitlake.page.pass_queries import Wanted
from orbitlake.page.sky import STEP_S, SkyPoint, call_of, points_of
from orbitlake.passes import Site, SitesError, read_places
from orbitlake.passes.sky_path import sun_elevation_deg
from orbitlake.passes.visibility import DARK_BELOW_DEG
from orbitlake.settings import STANDARD, Settings
from orbitlake.tables import PASSES

SUNRISE_DEG: Final = -0.833
"""Where the Sun's centre stands when its upper edge rises, air and all."""
NO_SITE: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "no such site"}}

SiteName = Annotated[str, Query(min_length=1, max_length=64, description="name of a site, such as Paris")]
PassId = Annotated[str, Query(min_length=1, max_length=64, description="pass_id of a row of /api/passes")]
Count = Annotated[int, Query(ge=1, le=100, description="most passes")]
Visible = Annotated[bool, Query(description="only passes of which something can be seen")]
MinElevation = Annotated[float, Query(ge=0, le=90, description="leaves out passes that do not come so high (deg)")]
Unseen = Literal["daylight", "twilight", "shadow"]


class SiteRow(Row):
    name: str
    latitude_deg: float
    longitude_deg: float
    height_m: float = Field(description="above the WGS-84 ellipsoid (m)")
    horizon_deg: float = Field(description="what stands lower is hidden there (deg)")
    time_zone: str = Field(description="of the IANA, for show")


class Sites(BaseModel):
    """The sites that passes are predicted for."""

    as_of: datetime
    file: str = Field(description="name of the file of places")
    problem: str | None = Field(description="why the file cannot be used; null where it can")
    rows: list[SiteRow]


class Pass(Row, table=PASSES):
    pass_id: str
    rise_time: datetime
    culmination_time: datetime
    set_time: datetime
    rise_azimuth_deg: float
    culmination_azimuth_deg: float
    set_azimuth_deg: float
    max_elevation_deg: float
    range_km: float
    visible_from: datetime | None
    visible_until: datetime | None
    visible_max_elevation_deg: float | None
    magnitude: float | None
    time_sigma_s: float | None
    time_p90_s: float | None
    burn_between: bool
    creation_date: datetime
    revision: int
    status: str
    shift_s: float | None
    unseen_because: Unseen | None = Field(
        description="why nothing is visible, by the Sun at rise, culmination and set: it is up; between the horizon "
        "and 6 degrees below; or low enough, and the object in the Earth's shadow. Null where something is"
    )


class Passes(Answer[Pass]):
    """The next passes over a site, as far as the newest issue tells."""

    issue: datetime | None = Field(description="CREATION_DATE of the newest issue")
    issue_until: datetime | None = Field(description="when the newest issue ends: nothing is told of what comes after")
    told_by: datetime | None = Field(description="CREATION_DATE of the newest issue that tells of a pass over the site")


class Sky(Answer[SkyPoint]):
    """The way of a pass through the sky; without points where it was cancelled, or there is no such pass."""

    sql: str = Field(description="the query for the pass whose way was computed")
    call: str = Field(description="the Python that computes these rows")
    step_s: int


def site_named(file: Path, name: str) -> Site:
    """Return a site of the file of places. Raises HTTPException 404 where it has none of that name."""
    try:
        return read_places(file).named([name])[0]
    except SitesError as error:
        raise HTTPException(status.HTTP_404_NOT_FOUND, str(error).removeprefix(f"{file.parent}/")) from error


def wanted_passes(site: SiteName, visible: Visible = False, min_elevation_deg: MinElevation = 0) -> Wanted:
    """A dependency: which passes a request asks for."""
    return Wanted(site, visible, min_elevation_deg)


WantedPasses = Annotated[Wanted, Depends(wanted_passes)]


def unseen_because(site: Site, rows: Sequence[Mapping[str, Any]]) -> list[Unseen | None]:
    """Return of each row of passes why nothing of it is visible, None where something is."""
    moments = [row[name] for row in rows for name in ("rise_time", "culmination_time", "set_time")]
    highest_deg = sun_elevation_deg(site, moments).reshape(-1, 3) if moments else ()
    reasons: list[Unseen | None] = []
    for row, sun_deg in zip(rows, highest_deg, strict=True):
        if row["visible_from"] is not None:
            reasons.append(None)
        elif min(sun_deg) <= DARK_BELOW_DEG:
            reasons.append("shadow")
        else:
            reasons.append("daylight" if sun_deg[1] > SUNRISE_DEG else "twilight")
    return reasons


def pass_routes(desk: Desk, settings: Settings, clock: Callable[[], datetime]) -> APIRouter:
    """What the newest issue tells of passes over sites."""
    routes = APIRouter(prefix="/api", tags=["passes"])
    object_id, file = settings.object_id, settings.sites_file

    @routes.get("/sites", summary="The sites that passes are predicted for")
    def sites() -> Sites:
        try:
            found, problem = read_places(file).sites, None
        except SitesError as error:
            found, problem = (), str(error).removeprefix(f"{file.parent}/")
        rows = [SiteRow(**{name: getattr(site, name) for name in SiteRow.model_fields}) for site in found]
        return Sites(as_of=clock(), file=file.name, problem=problem, rows=rows)

    @routes.get("/passes", summary="The next passes over a site", responses=NO_SITE)
    def passes(site: SiteName, count: Count = 10, visible: Visible = False) -> Passes:
        now, place = clock(), site_named(file, site)
        sql = pass_queries.next_passes(object_id, place.name, now, count, visible=visible)
        rows = desk.ask_plainly(sql)
        (told,) = desk.ask_plainly(pass_queries.newest_told(object_id, place.name))
        newest = newest_issue(desk.lake, object_id)
        issues = desk.ask_plainly(pass_queries.issue_end(object_id), issue=newest) if newest else []
        reasons = unseen_because(place, rows)
        return Passes(
            as_of=now,
            sql=sql,
            rows=[Pass(**row, unseen_because=reason) for row, reason in zip(rows, reasons, strict=True)],
            issue=issues[0]["creation_date"] if issues else None,
            issue_until=issues[0]["until"] if issues else None,
            told_by=told["creation_date"],
        )

    @routes.get("/sky", summary="The way of a pass through the sky of a site", responses=NO_SITE)
    def sky(site: SiteName, pass_id: PassId) -> Sky:
        place = site_named(file, site)
        sql = pass_queries.one_pass(object_id, place.name, pass_id)
        rows = desk.ask_plainly(sql)
        refraction = settings.refraction == STANDARD
        points = points_of(desk.lake.root, object_id, place, rows[0], refraction=refraction) if rows else []
        return Sky(as_of=clock(), sql=sql, call=call_of(object_id, place.name, pass_id), rows=points, step_s=STEP_S)

    return routes
