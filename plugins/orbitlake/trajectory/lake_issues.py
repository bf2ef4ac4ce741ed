"""The ephemeris tables of a lake -> the issues of each object, as the audits of its path take them."""

import logging
from functools import lru_cache, partial
from itertools import groupby
from typing import Final
from urllib.parse import unquote

from orbitlake.lake import Lake
from orbitlake.lake.derived import signature
from orbitlake.lake.paths import ISSUE_PREFIX, OBJECT_PREFIX, PART
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, TRAJECTORY_EVENTS
from orbitlake.trajectory.issues import Issue, Issues
from orbitlake.trajectory.lake_arcs import read

LOG: Final = logging.getLogger(__name__)
INPUTS: Final = (OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, TRAJECTORY_EVENTS)

Listed = tuple[str, str, str]
"""Folder of an object, folder of an issue, signature of its files."""


def objects_of(lake: Lake) -> list[Issues]:
    """Return the issues of each object that the lake holds, objects in order.

    Without those whose id names none, such as UNKNOWN: which path is whose, only their names tell. Raises LakeError
    where files are of another version than the tables here, when they are read.
    """
    return _objects(lake, tuple(_listed(lake)))


def _listed(lake: Lake) -> list[Listed]:
    """Return the issues that oem_issues lists, by their folders: all their other tables are there then."""
    folders = sorted((file.parents[1].name, file.parent.name) for file in lake.closed(OEM_ISSUES).glob(f"*/*/{PART}"))
    return [
        (object_folder, issue, signature(lake.closed(table) / object_folder / issue / PART for table in INPUTS))
        for object_folder, issue in folders
        if object_folder.startswith(OBJECT_PREFIX) and issue.startswith(ISSUE_PREFIX)
    ]


@lru_cache(maxsize=1)
def _objects(lake: Lake, listed: tuple[Listed, ...]) -> list[Issues]:
    found = []
    for object_folder, group in groupby(listed, key=lambda each: each[0]):
        object_id, issues = unquote(object_folder.removeprefix(OBJECT_PREFIX)), list(group)
        # Only issues whose id names no object have the object's name in their folder's.
        if any("-" in issue for _, issue, _ in issues):
            LOG.warning("%r names no object: it has no audited path", object_id)
            continue
        found.append(Issues(object_id, [_issue(lake, object_id, issue, sign) for _, issue, sign in issues]))
    return found


def _issue(lake: Lake, object_id: str, issue: str, sign: str) -> Issue:
    rows = partial(read, lake, object_id=object_id, issue=issue)
    return Issue(issue.removeprefix(ISSUE_PREFIX), rows, sign)
