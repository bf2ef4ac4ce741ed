"""What the audit's tables say: burns, prediction errors, gaps, feeds held against the ephemeris; queries and routes."""

# ruff: noqa: S608 - values pass through `literal`, numbers through the format d; names are ours

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field

from orbitlake.page.answers import Answer, Row
from orbitlake.page.desk import Desk
from orbitlake.page.newest import newest_day
from orbitlake.page.questions import literal
from orbitlake.tables import BURN_HISTORY, GAPS, POSITION_AUDIT, PREDICTION_ERROR_SUMMARY

MOST_BURNS: Final = 20
MOST_GAPS: Final = 2_000
MOST_FEEDS: Final = 10

Days = Annotated[int, Query(ge=1, le=60, description="how many UTC days, today included")]


class Revision(Row, table=BURN_HISTORY):
    burn_id: str
    creation_date: datetime
    status: str
    told_by: str
    ignition_time: datetime | None
    cutoff_time: datetime | None
    earliest_time: datetime | None
    latest_time: datetime | None
    delta_v_m_s: float
    event_name: str | None
    ignition_shift_s: float | None
    delta_v_change_m_s: float | None


class ErrorOfLead(Row, table=PREDICTION_ERROR_SUMMARY):
    burn_between: bool
    lead_from_s: float
    lead_to_s: float
    n: int
    p50_km: float
    p90_km: float
    p99_km: float


class Gap(Row, table=GAPS):
    source: str
    start_time: datetime
    end_time: datetime | None
    duration_s: float | None
    cause: str
    polls_made: int
    interval_s: float
    creation_date: datetime | None


class AuditedFix(Row, table=POSITION_AUDIT):
    source: str
    event_time: datetime
    verdict: str
    error_km: float
    along_track_km: float
    along_track_s: float
    cross_track_km: float
    bound_km: float
    creation_date: datetime
    age_s: float = Field(description="as_of minus event_time (s)")


def burn_ledger(object_id: str) -> str:
    """The newest burns with every revision, a burn's own in order, the burn that is latest first."""
    return f"""\
WITH burns AS (
  SELECT burn_id, max(coalesce(ignition_time, latest_time)) AS latest_ignition
  FROM burn_history
  WHERE object_id = {literal(object_id)}
  GROUP BY burn_id
  ORDER BY latest_ignition DESC, burn_id
  LIMIT {MOST_BURNS}
)
SELECT burn_id, creation_date, status, told_by, ignition_time, cutoff_time, earliest_time, latest_time, delta_v_m_s,
       event_name, ignition_shift_s, delta_v_change_m_s
FROM burn_history JOIN burns USING (burn_id)
WHERE object_id = {literal(object_id)}
ORDER BY latest_ignition DESC, burn_id, creation_date"""


def errors_by_lead(object_id: str) -> str:
    """How far predictions were off, by range of lead, with and without a burn between."""
    return f"""\
SELECT burn_between, lead_from_s, lead_to_s, n, p50_km, p90_km, p99_km
FROM prediction_error_summary
WHERE object_id = {literal(object_id)}
ORDER BY burn_between, lead_from_s"""


def gaps_since(object_id: str, now: datetime, count: int) -> str:
    """The gaps that reach into the last days, latest first; one may have begun as long before."""
    first = now.date() - timedelta(days=count - 1)
    return f"""\
SELECT source, start_time, end_time, duration_s, cause, polls_made, interval_s, creation_date
FROM gaps
WHERE object_id = {literal(object_id)} AND date >= {literal(first - timedelta(days=count))}
  AND coalesce(end_time, {literal(now)}) >= {literal(first)} AND start_time <= {literal(now)}
ORDER BY start_time DESC, source
LIMIT {MOST_GAPS}"""


def newest_audited(object_id: str, now: datetime, since: date) -> str:
    """The newest fix of each feed since a day, against the ephemeris; of one stamp that which is furthest off."""
    return f"""\
SELECT source, event_time, verdict, error_km, along_track_km, along_track_s, cross_track_km, bound_km, creation_date,
       epoch({literal(now)} - event_time) AS age_s
FROM position_audit
WHERE object_id = {literal(object_id)} AND date >= {literal(since)}
QUALIFY row_number() OVER (PARTITION BY source ORDER BY event_time DESC, error_km DESC) = 1
ORDER BY event_time DESC, source
LIMIT {MOST_FEEDS}"""


def audit_routes(desk: Desk, object_id: str, clock: Callable[[], datetime]) -> APIRouter:
    """What the feeds say of each other and of themselves."""
    routes = APIRouter(prefix="/api", tags=["audit"])

    @routes.get("/burn_history", summary="The newest burns, from plan to flight, a row a revision")
    def burn_history() -> Answer[Revision]:
        sql = burn_ledger(object_id)
        return Answer[Revision](as_of=clock(), sql=sql, rows=desk.ask(sql, Revision))

    @routes.get("/prediction_error", summary="How far predictions were off, by range of lead")
    def prediction_error() -> Answer[ErrorOfLead]:
        sql = errors_by_lead(object_id)
        return Answer[ErrorOfLead](as_of=clock(), sql=sql, rows=desk.ask(sql, ErrorOfLead))

    @routes.get("/gaps", summary="When the feed was silent in the last days, and why, latest first")
    def gaps(count: Days = 14) -> Answer[Gap]:
        now = clock()
        sql = gaps_since(object_id, now, count)
        since = now.date() - timedelta(days=2 * count - 1)
        return Answer[Gap](as_of=now, sql=sql, rows=desk.ask(sql, Gap, since=since))

    @routes.get("/position_audit", summary="The newest fix of each feed against the ephemeris")
    def position_audit() -> Answer[AuditedFix]:
        now = clock()
        since = newest_day(desk.lake, POSITION_AUDIT) or now.date()
        sql = newest_audited(object_id, now, since)
        return Answer[AuditedFix](as_of=now, sql=sql, rows=desk.ask(sql, AuditedFix, since=since))

    return routes
