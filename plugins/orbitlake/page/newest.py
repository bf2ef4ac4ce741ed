"""What the folders' names alone tell: the newest day of a table and the newest issue of a spacecraft."""

from datetime import date
from urllib.parse import unquote

from orbitlake.lake import PART, Lake, days_in, folder_name
from orbitlake.tables import OEM_ISSUES, Table


def newest_day(lake: Lake, table: Table) -> date | None:
    """The latest day that has a folder, closed or live."""
    return max((day for folder in (lake.closed(table), lake.live(table)) for day in days_in(folder)), default=None)


def newest_issue(lake: Lake, object_id: str) -> str | None:
    """The value of `issue` of the issue created last: they sort as their times do."""
    folders = lake.closed(OEM_ISSUES) / f"object_id={folder_name(object_id)}"
    names = (part.parent.name.removeprefix("issue=") for part in folders.glob(f"issue=*/{PART}"))
    newest = max(names, default=None)
    return None if newest is None else unquote(newest)
