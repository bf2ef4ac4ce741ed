"""oem_issues, oem_segments, state_vectors, thrust_episodes -> the trajectory of an object."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path as FilePath
from typing import Any, Final

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import PART, folder_name
from orbitlake.settings import data_root, from_environment
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, PREDICTION_BANDS, STATE_VECTORS, THRUST_EPISODES, Table
from orbitlake.trajectory.arcs import BURN_COLUMNS, STATE_COLUMNS, Arc, Path, arcs_of_segments, path_through
from orbitlake.trajectory.bands import COLUMNS, NO_BANDS, Bands
from orbitlake.trajectory.lake_observations import observations
from orbitlake.trajectory.states import States, Trajectory

OBJECTS_KEPT: Final = 16
"""Trajectories that a process keeps for the next question."""

Sign = tuple[str, int, int]
"""Folder, inode and time of a file."""


def state_at(
    times: Any,
    object_id: str | None = None,
    data: str | FilePath | None = None,
    *,
    object_name: str | None = None,
    corrected: bool = False,
    as_of: datetime | None = None,
) -> States:
    """Return position and velocity of an object at `times`, by the latest issue in the lake that covers each.

    `times` and what comes back: see Trajectory.state_at. The object is by default that of the settings, and so is the
    data root; see trajectory_of for the rest. A new issue counts from the next call on. With `corrected` states are
    moved along their track by what feeds saw of the object, where that was shown to help; `is_corrected` tells where.
    With `as_of` the answer is that of that moment: nothing younger counts.
    """
    trajectory = trajectory_of(object_id, data, object_name=object_name, as_of=as_of)
    observed = partial(observations, _lake(data), object_id or from_environment().object_id)
    return trajectory.state_at(times, observed if corrected else None)


def trajectory_of(
    object_id: str | None = None,
    data: str | FilePath | None = None,
    *,
    object_name: str | None = None,
    as_of: datetime | None = None,
) -> Trajectory:
    """Return the trajectory of an object as the lake has it now; one without an issue covers nothing.

    Bounds of its errors are those of prediction_bands, which `audit_positions` makes. `object_name` tells objects apart
    whose id names none, such as UNKNOWN. Raises LookupError where it is needed, and LakeError where files are of
    another version than the tables here.
    """
    lake, object_id = _lake(data), object_id or from_environment().object_id
    bands = _signs([lake.object_file(PREDICTION_BANDS, object_id)])
    return _trajectory(lake.root, object_id, object_name, tuple(_issues(lake, object_id)), tuple(bands), as_of)


def _lake(data: str | FilePath | None) -> Lake:
    return Lake(data_root(str(data), "data") if data else from_environment().data)


def _issues(lake: Lake, object_id: str) -> Iterator[Sign]:
    """Yield folder, inode and time of each issue that oem_issues lists: all its other tables are there then."""
    folder = lake.closed(OEM_ISSUES) / f"object_id={folder_name(object_id)}"
    yield from _signs(sorted(folder.glob(f"issue=*/{PART}")))


def _signs(files: Iterable[FilePath]) -> Iterator[Sign]:
    """Yield the folder of each file that is there, with what changes when another takes its place."""
    for file in files:
        with suppress(FileNotFoundError):
            found = file.stat()
            yield file.parent.name, found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=OBJECTS_KEPT)
def _trajectory(
    root: FilePath,
    object_id: str,
    object_name: str | None,
    issues: tuple[Sign, ...],
    bands: tuple[Sign, ...],
    as_of: datetime | None,
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
    return Trajectory(arcs, _bands(lake, object_id) if bands else NO_BANDS, as_of=as_of)


def bands_of(lake: Lake, object_id: str) -> Bands:
    """Return the bounds of an object's errors in prediction_bands, none before there is that file."""
    return _bands(lake, object_id) if lake.object_file(PREDICTION_BANDS, object_id).is_file() else NO_BANDS


def _bands(lake: Lake, object_id: str) -> Bands:
    with open_checked(lake.object_file(PREDICTION_BANDS, object_id), PREDICTION_BANDS) as opened:
        return Bands.of(opened.read(list(COLUMNS)))


def _path(lake: Lake, object_id: str, issue: str, segment: int) -> Path:
    states = read(lake, STATE_VECTORS, object_id, issue, STATE_COLUMNS)
    episodes = read(lake, THRUST_EPISODES, object_id, issue, BURN_COLUMNS)
    return path_through(states, episodes, segment)


def read(lake: Lake, table: Table, object_id: str, issue: str, columns: tuple[str, ...] | None = None) -> pa.Table:
    """Return the rows of an issue, by its folder's name such as issue=20230324T225531Z."""
    file = lake.closed(table) / f"object_id={folder_name(object_id)}" / issue / PART
    with open_checked(file, table) as opened:
        return opened.read(list(columns) if columns else None)
