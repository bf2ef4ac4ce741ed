"""The SQL behind the passes of the page, and what is read of a pass."""

# ruff: noqa: S608 - values pass through `literal`, numbers through the formats d and g; names are ours

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orbitlake.page.questions import literal, of_issue
from orbitlake.tables import PASSES

COLUMNS: Final = ", ".join(PASSES.column_names)
MOST_EVENTS: Final = 2_000
"""Of a calendar: at six passes a day an issue's fortnight has less than a hundred."""
KEPT_IN_CALENDAR: Final = timedelta(days=14)
"""How long a pass that is over stays in a calendar."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which passes are wanted: over a site, maybe visible ones alone, and only those that come so high."""

    site: str
    visible: bool = False
    min_elevation_deg: float = 0.0


def over(object_id: str, site: str) -> str:
    """The condition that keeps the passes of an object over a site."""
    return f"object_id = {literal(object_id)} AND site = {literal(site)}"


def next_passes(object_id: str, site: str, now: datetime, count: int, *, visible: bool) -> str:
    """The passes that are not over yet, all or those of which something is still to be seen, the next one first."""
    end = "visible_until" if visible else "set_time"
    return f"""\
SELECT {COLUMNS}
FROM passes
WHERE {over(object_id, site)}
  AND {end} > {literal(now)}
ORDER BY rise_time, pass_id
LIMIT {count:d}"""


def one_pass(object_id: str, site: str, pass_id: str) -> str:
    """One pass."""
    return f"""\
SELECT {COLUMNS}
FROM passes
WHERE {over(object_id, site)}
  AND pass_id = {literal(pass_id)}"""


def newest_told(object_id: str, site: str) -> str:
    """The creation of the newest issue that tells of a pass over a site."""
    return f"SELECT max(creation_date) AS creation_date FROM passes WHERE {over(object_id, site)}"


def issue_end(object_id: str) -> str:
    """What the newest issue is of, when it was created, and when it ends."""
    return f"""\
SELECT object_name, creation_date, coalesce(useable_stop_time, stop_time) AS until
FROM oem_issues
WHERE {of_issue(object_id, None)}"""


def passes_to_export(object_id: str, wanted: Wanted, now: datetime) -> str:
    """The wanted passes of the last fortnight and all to come."""
    highest = "visible_max_elevation_deg" if wanted.visible else "max_elevation_deg"
    return f"""\
SELECT {COLUMNS}
FROM passes
WHERE {over(object_id, wanted.site)}
  AND set_time > {literal(now - KEPT_IN_CALENDAR)}
  AND {highest} >= {wanted.min_elevation_deg:g}
ORDER BY rise_time, pass_id
LIMIT {MOST_EVENTS}"""
