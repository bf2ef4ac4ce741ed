"""oem_issues, oem_segments, state_vectors, thrust_episodes -> the trajectory of an object."""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path as FilePath
from typing import Any, Final

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import PART, folder_name
from orbitlake.settings import data_root, from_environment
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, Table
from orbitlake.trajectory.arcs import BURN_COLUMNS, STATE_COLUMNS, Arc, Path, arcs_of_segments, path_through
from orbitlake.trajectory.states import States, Trajectory

OBJECTS_KEPT: Final = 16
"""Trajectories that a process keeps for the next question."""


def state_at(
    times: Any, object_id: str | None = None, data: str | FilePath | None = None, *, object_name: str | None = None
) -> States:
    """Return position and velocity of an object at `times`, by the latest issue in the lake that covers each.

    `times` and what comes back: see Trajectory.state_at. The object is by default that of the settings, and so is the
    data root; see trajectory_of for the rest. A new issue counts from the next call on.
    """
    return trajectory_of(object_id, data, object_name=object_name).state_at(times)


def trajectory_of(
    object_id: str | None = None, data: str | FilePath | None = None, *, object_name: str | None = None
) -> Trajectory:
    """Return the trajectory of an object as the lake has it now; one without an issue covers nothing.

    `object_name` tells objects apart whose id names none, such as UNKNOWN. Raises LookupError where it is needed, and
    LakeError where files are of another version than the tables here.
    """
    settings = from_environment()
    root = data_root(str(data), "data") if data else settings.data
    object_id = object_id or settings.object_id
    return _trajectory(root, object_id, object_name, tuple(_issues(Lake(root), object_id)))


def _issues(lake: Lake, object_id: str) -> Iterator[tuple[str, int, int]]:
    """Yield folder, inode and time of each issue that oem_issues lists: all its other tables are there then."""
    folder = lake.closed(OEM_ISSUES) / f"object_id={folder_name(object_id)}"
    for file in sorted(folder.glob(f"issue=*/{PART}")):
        found = file.stat()
        yield file.parent.name, found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=OBJECTS_KEPT)
def _trajectory(
    root: FilePath, object_id: str, object_name: str | None, issues: tuple[tuple[str, int, int], ...]
) -> Trajectory:
    lake = Lake(root)
    arcs: list[Arc] = []
    names: set[str] = set()
    for issue, *_ in issues:
        segments = read(lake, OEM_SEGMENTS, object_id, issue)
        (name, *_) = segments.column("object_name").to_pylist()
        # Only issues whose id names no object have the object's name in their folder's.
        if "-" in issue:
            names.add(name)
            if object_name not in (None, name):
                continue
        arcs += arcs_of_segments(segments, partial(_path, lake, object_id, issue))
    if object_name is None and len(names) > 1:
        raise LookupError(f"{object_id} names no object: object_name must be one of {', '.join(sorted(names))}")
    return Trajectory(arcs)


def _path(lake: Lake, object_id: str, issue: str, segment: int) -> Path:
    states = read(lake, STATE_VECTORS, object_id, issue, STATE_COLUMNS)
    episodes = read(lake, THRUST_EPISODES, object_id, issue, BURN_COLUMNS)
    return path_through(states, episodes, segment)


def read(lake: Lake, table: Table, object_id: str, issue: str, columns: tuple[str, ...] | None = None) -> pa.Table:
    """Return the rows of an issue, by its folder's name such as issue=20230324T225531Z."""
    file = lake.closed(table) / f"object_id={folder_name(object_id)}" / issue / PART
    with open_checked(file, table) as opened:
        return opened.read(list(columns) if columns else None)
