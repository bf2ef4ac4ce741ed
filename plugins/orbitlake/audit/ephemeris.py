"""The best known path of an object as its feeds are held against it, and how far its issues may be off."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from orbitlake.audit.issue_bounds import IssueBounds, early_burn_km
from orbitlake.columns import Indices
from orbitlake.physics.kinematics import Reals
from orbitlake.trajectory.arcs import micros
from orbitlake.trajectory.issues import Issue, Issues
from orbitlake.trajectory.states import States, Trajectory


@dataclass(frozen=True, slots=True)
class Ephemeris:
    """The best known path of an object, its issues by the arcs of the path, and how far they may be off."""

    path: Trajectory
    issues: Issues
    issue_of_arc: tuple[int, ...]
    bounds: IssueBounds

    @classmethod
    def of(cls, issues: Issues, bounds: IssueBounds) -> "Ephemeris":
        """Take the issues of an object. Arcs about another body tell nothing of a fix."""
        _, arcs = issues.latest(range(len(issues.all)))
        fit = [(place, arc) for place, arc in arcs if arc.is_geocentric]
        return cls(Trajectory([arc for _, arc in fit]), issues, tuple(place for place, _ in fit), bounds)

    def bound_km(self, states: States, epoch_us: Indices, along_km: Reals) -> Reals:
        """Return how far the issues may be off at epochs that they cover, to the side of a feed's error. (n,)."""
        has_burn = np.zeros(epoch_us.size, dtype=np.bool_)
        early_km = np.zeros(epoch_us.size)
        issue = np.array(self.issue_of_arc, np.int64)[states.arc]
        for number in np.unique(issue).tolist():
            rows = np.flatnonzero(issue == number)
            created_us = self.issues.all[number].creation_us
            for ignition_us, delta_v_km_s in _planned_burns(self.issues.all[number]):
                has_burn[rows] |= epoch_us[rows] >= ignition_us
                early_km[rows] += early_burn_km(epoch_us[rows], created_us, ignition_us, delta_v_km_s)
        is_excused = np.sign(early_km) == np.sign(along_km)
        return self.bounds.km(states.age_s, has_burn, along_km < 0.0) + np.where(is_excused, np.abs(early_km), 0.0)


def _planned_burns(issue: Issue) -> Iterator[tuple[int, float]]:
    """Yield ignition and delta-v along the track of the burns that begin after an issue's creation."""
    episodes = issue.episodes
    along = pc.coalesce(episodes.column("delta_v_intrack_m_s"), episodes.column("delta_v_m_s"), 0.0).to_pylist()
    for ignition_us, delta_v_m_s in zip(micros(episodes, "ignition_time").tolist(), along, strict=True):
        if ignition_us > issue.creation_us:
            yield ignition_us, delta_v_m_s / 1000.0
