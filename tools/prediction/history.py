"""Real files -> the issues and elements of one object, and what later ones saw of each issue."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.lake.paths import issue_name
from orbitlake.oem import read
from orbitlake.physics.separation import separation
from orbitlake.tables import (
    OEM_ISSUES,
    OEM_SEGMENTS,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY_EVENTS,
    Table,
)
from orbitlake.trajectory.arcs import Path as ArcPath
from orbitlake.trajectory.elements import Elements, from_teme, read_elements
from orbitlake.trajectory.issues import DAY_US, Issue, Issues
from orbitlake.trajectory.prediction_error import prediction_errors

OBJECT_ID: Final = "1998-067A"
FRAME: Final = "EME2000"
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """How far an object was seen ahead of its issue, in seconds, in order of lead (n,).

    `is_flown` are states that a later issue tells of its past; the others are elements at their own epoch.
    """

    lead_d: Reals
    ahead_s: Reals
    is_flown: NDArray[np.bool_]


@dataclass(frozen=True)
class History:
    """All issues of an object, and the elements that a tracker published of it."""

    issues: Issues
    elements: list[Elements]

    @classmethod
    def of(cls, folder: Path) -> "History":
        """Read the files below a folder: NASA's issues in oem/iss, elements in multi."""
        issues: dict[int, Issue] = {}
        for file in sorted((folder / "oem" / "iss").iterdir()):
            issue = _of_file(file)
            issues.setdefault(issue.creation_us, issue)
        return cls(Issues(OBJECT_ID, list(issues.values())), read_elements(folder / "multi", OBJECT_ID))

    @cached_property
    def errors(self) -> pa.Table:
        """All rows of prediction_error."""
        return pa.concat_tables(prediction_errors(self.issues, later) for later in range(len(self.issues.all)))

    def path(self, number: int) -> ArcPath:
        """Return the path of the first segment of an issue: NASA's have one."""
        return self.issues.all[number].arcs[0].path()

    def seen(self, number: int) -> Seen:
        """Return what was seen of one issue."""
        issue = self.issues.all[number]
        of_issue = self.errors.column("creation_date").to_numpy().astype("datetime64[us]").astype(np.int64)
        mine = self.errors.filter(pa.array(of_issue == issue.creation_us))
        later = mine.column("later_creation_date").to_numpy()
        flown = [
            [np.median(mine.column(name).to_numpy()[later == each]) for name in ("lead_s", "in_track_s")]
            for each in np.unique(later)
        ]
        flown_d, flown_s = np.array(flown).reshape(-1, 2).T
        shown_d, shown_s = self._shown(number)
        lead_d = np.concatenate((flown_d / 86_400.0, shown_d))
        order = np.argsort(lead_d, kind="stable")
        is_flown = np.arange(lead_d.size) < flown_d.size
        return Seen(lead_d[order], -np.concatenate((flown_s, shown_s))[order], is_flown[order])

    def _shown(self, number: int) -> tuple[Reals, Reals]:
        """Return the leads of elements during an issue, in days, and by how many seconds the issue is early there."""
        issue = self.issues.all[number]
        within = [each for each in self.elements if 0 < each.epoch_us - issue.creation_us < 16 * DAY_US]
        epoch_us = np.array([each.epoch_us for each in within], dtype=np.int64)
        planned = self.issues.path(number).state_at(epoch_us.astype("datetime64[us]"))
        covered = np.flatnonzero(np.isfinite(planned.position_km).all(axis=1))
        if not covered.size:
            return np.empty(0), np.empty(0)
        epoch_us = epoch_us[covered]
        states = [within[each].states(epoch_us[[place]]) for place, each in enumerate(covered.tolist())]
        position_km, velocity_km_s = (
            from_teme(FRAME, epoch_us, np.concatenate([state[part] for state in states])) for part in (0, 1)
        )
        apart = separation(planned.position_km[covered], position_km, velocity_km_s)
        return (epoch_us - issue.creation_us) / DAY_US, apart.in_track_s


def _of_file(file: Path) -> Issue:
    issue = read(file)
    tables = {
        OEM_ISSUES.name: issue.row(source_url=None, retrieved_at=None, raw_path=None),
        OEM_SEGMENTS.name: issue.segment_table,
        STATE_VECTORS.name: issue.states,
        THRUST_EPISODES.name: issue.episodes,
        TRAJECTORY_EVENTS.name: issue.events,
    }

    def rows(table: Table) -> pa.Table:
        return tables[table.name]

    return Issue(issue_name(issue.creation_date), rows)
