"""Files for other programs, behind the login: the newest issue as OEM, OMM or CZML, passes as CSV or a calendar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Any, Final

import pyarrow as pa
from fastapi import APIRouter, HTTPException, Response, status

from orbitlake.exports import Ephemeris, Export, to_calendar, to_csv, to_czml, to_oem, to_omm
from orbitlake.exports.export import safe_file_name
from orbitlake.oem.reader.errors import OemError
from orbitlake.page import pass_queries
from orbitlake.page.desk import Desk
from orbitlake.page.newest import newest_issue
from orbitlake.page.pass_queries import Wanted
from orbitlake.page.passes import WantedPasses, site_named
from orbitlake.settings import Settings
from orbitlake.tables import PASSES

WAIT_S: Final = 20.0
MOST_BYTES: Final = 64 * 2**20
FAILURES: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "there is no such issue or site"},
    409: {"description": "the issue cannot be exported so"},
    503: {"description": "other exports are being made"},
}
NEXT_TRY_S: Final = "10"


class Workshop:
    """Makes the exports of an issue one at a time, and keeps the newest of each kind: asking again costs nothing."""

    def __init__(self, desk: Desk, object_id: str) -> None:
        self.desk, self.object_id = desk, object_id
        self.lock = Lock()
        self.made: dict[str, tuple[str, Export]] = {}

    def export(self, kind: str, make: Callable[[Ephemeris], Export]) -> Export:
        """Return an export of the newest issue. Raises HTTPException where it cannot be made, or not now."""
        issue = newest_issue(self.desk.lake, self.object_id)
        if issue is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"no issue of {self.object_id} has been ingested")
        with self._alone():
            known = self.made.get(kind)
            if known and known[0] == issue:
                return known[1]
            try:
                export = make(Ephemeris.of_lake(self.object_id, issue, self.desk.lake.root))
                export = Export(export.file_name, export.media_type, [bytes(export)])
            except (LookupError, FileNotFoundError) as error:
                raise HTTPException(status.HTTP_404_NOT_FOUND, f"the raw file of {issue} is not there") from error
            except (OemError, ValueError) as error:
                raise HTTPException(status.HTTP_409_CONFLICT, f"{issue} cannot be exported: {error}") from error
            if len(bytes(export)) > MOST_BYTES:
                raise HTTPException(status.HTTP_409_CONFLICT, f"{issue} is too large for the page: use jobs/export.py")
            self.made[kind] = issue, export
            return export

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self.lock.acquire(timeout=WAIT_S):
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE, "other exports are being made", {"Retry-After": NEXT_TRY_S}
            )
        try:
            yield
        finally:
            self.lock.release()


def attached(export: Export) -> Response:
    """Return an export as the answer that a browser saves under its name."""
    return Response(
        bytes(export),
        media_type=export.media_type,
        headers={"Content-Disposition": f'attachment; filename="{export.file_name}"'},
    )


def calendar_of(desk: Desk, object_id: str, wanted: Wanted, now: datetime) -> Export:
    """Return the calendar of the passes that are wanted, with the object's name as the newest issue has it."""
    rows = desk.ask_plainly(pass_queries.passes_to_export(object_id, wanted, now))
    newest = newest_issue(desk.lake, object_id)
    issues = desk.ask_plainly(pass_queries.issue_end(object_id), issue=newest) if newest else []
    name = issues[0]["object_name"] if issues else object_id
    export = to_calendar(rows, f"{name} over {wanted.site}", {object_id: name})
    return Export(safe_file_name("passes", object_id, wanted.site, suffix="ics"), export.media_type, export)


def described(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that gives a file."""
    return {200: {"description": "the file", "content": {media_type: {}}}, **FAILURES}


def export_routes(desk: Desk, settings: Settings, clock: Callable[[], datetime]) -> APIRouter:
    """Files to download."""
    routes = APIRouter(prefix="/api/exports", tags=["exports"], default_response_class=Response)
    object_id, file = settings.object_id, settings.sites_file
    workshop = Workshop(desk, object_id)

    @routes.get("/oem", summary="The newest issue as OEM, word for word", responses=described("text/plain"))
    def oem() -> Response:
        return attached(workshop.export("oem", to_oem))

    @routes.get("/omm", summary="Mean elements fitted to the newest issue", responses=described("text/plain"))
    def omm() -> Response:
        return attached(workshop.export("omm", to_omm))

    @routes.get("/czml", summary="The path of the newest issue for CesiumJS", responses=described("application/json"))
    def czml() -> Response:
        return attached(workshop.export("czml", to_czml))

    @routes.get("/passes.csv", summary="Passes over a site as CSV", responses=described("text/csv"))
    def passes_csv(wanted: WantedPasses) -> Response:
        wanted = replace(wanted, site=site_named(file, wanted.site).name)
        rows = desk.ask_plainly(pass_queries.passes_to_export(object_id, wanted, clock()))
        return attached(to_csv(pa.Table.from_pylist(rows, schema=PASSES.schema), f"passes_{object_id}_{wanted.site}"))

    @routes.get("/passes.ics", summary="Passes over a site as a calendar", responses=described("text/calendar"))
    def passes_ics(wanted: WantedPasses) -> Response:
        wanted = replace(wanted, site=site_named(file, wanted.site).name)
        return attached(calendar_of(desk, object_id, wanted, clock()))

    return routes
