"""What the folders' names alone tell: the newest day of a table and the issues of a spacecraft."""

from datetime import date
from urllib.parse import unquote

from orbitlake.freshness import issue_files
from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.lake.paths import ISSUE_PREFIX
from orbitlake.tables import Table


def newest_day(lake: Lake, table: Table) -> date | None:
    """The latest day that has a folder, closed or live."""
    return max((day for folder in (lake.closed(table), lake.live(table)) for day in days_in(folder)), default=None)


def issue_names(lake: Lake, object_id: str) -> list[str]:
    """The values of `issue` of a spacecraft, that of the issue created last first: they sort as their times do."""
    files = issue_files(lake, object_id)
    return sorted((unquote(file.parent.name.removeprefix(ISSUE_PREFIX)) for file in files), reverse=True)


def newest_issue(lake: Lake, object_id: str) -> str | None:
    """The value of `issue` of the issue created last."""
    return next(iter(issue_names(lake, object_id)), None)
