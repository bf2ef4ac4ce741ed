"""Position and velocity at any instant: from the latest issue that covers it, null where none does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.kinematics import Reals
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.trajectory.arcs import NO_ARC, SECOND_US, Arc, LatestArcs, Micros, Path
from orbitlake.trajectory.bands import NO_BANDS, Bands, bounds_at
from orbitlake.trajectory.correction import LEAST_LEAD_S, NO_END_US, Observed, moved_ahead

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
PATHS_KEPT: Final = 64
"""Arcs whose polynomials a trajectory keeps in memory, 1.2 MB each for one of NASA's files."""


@dataclass(frozen=True, slots=True)
class States:
    """States at n instants. Outside of what the issues cover numbers are NaN, dates NaT, and `arc` is NO_ARC.

    Position and velocity (n, 3) are in the frame of the arc that holds. age_s is the epoch less the creation of the
    issue: negative was flown when it was made, positive was predicted. p50_km and p90_km are what half and nine tenths
    of the errors of earlier predictions kept to, by lead and by burn_between, which tells whether the issue has a burn
    between its creation and the instant; NaN for what was flown, and where nothing was learned. They are of states as
    the issue has them: those with is_corrected are moved along the track by ahead_s, what was seen of the object.
    """

    epoch_utc: NDArray[np.datetime64]
    position_km: NDArray[np.float64]
    velocity_km_s: NDArray[np.float64]
    creation_date: NDArray[np.datetime64]
    age_s: NDArray[np.float64]
    is_powered: NDArray[np.bool_]
    burn_between: NDArray[np.bool_]
    p50_km: NDArray[np.float64]
    p90_km: NDArray[np.float64]
    is_corrected: NDArray[np.bool_]
    ahead_s: NDArray[np.float64]
    arc: NDArray[np.int32]
    arcs: Sequence[Arc]

    @classmethod
    def unknown(
        cls,
        epoch_utc: NDArray[np.datetime64],
        creation_date: NDArray[np.datetime64],
        age_s: Reals,
        arc: NDArray[np.int32],
        arcs: Sequence[Arc],
    ) -> Self:
        """Return states of which no more is known yet than which arc tells of them."""
        count = epoch_utc.size
        return cls(
            epoch_utc=epoch_utc,
            position_km=np.full((count, 3), np.nan),
            velocity_km_s=np.full((count, 3), np.nan),
            creation_date=creation_date,
            age_s=age_s,
            is_powered=np.zeros(count, dtype=np.bool_),
            burn_between=np.zeros(count, dtype=np.bool_),
            p50_km=np.full(count, np.nan),
            p90_km=np.full(count, np.nan),
            is_corrected=np.zeros(count, dtype=np.bool_),
            ahead_s=np.zeros(count),
            arc=arc,
            arcs=arcs,
        )

    @property
    def segment(self) -> NDArray[np.int32]:
        """The segment of the issue (n,), NO_ARC outside."""
        return np.array([*(arc.segment for arc in self.arcs), NO_ARC], dtype=np.int32)[self.arc]

    @property
    def ref_frame(self) -> NDArray[np.object_]:
        """The frame (n,) of position and velocity as the file names it, None outside."""
        return np.array([*(arc.ref_frame for arc in self.arcs), None], dtype=object)[self.arc]

    @property
    def center_name(self) -> NDArray[np.object_]:
        """The body (n,) that positions count from, None outside."""
        return np.array([*(arc.center_name for arc in self.arcs), None], dtype=object)[self.arc]


class Trajectory:
    """The best known path of one object: at each instant that of the issue created last that covers it.

    With `as_of` it is what was known at that moment, datetime with a zone: of issues, bounds and observations.
    """

    def __init__(self, arcs: Iterable[Arc], bands: Bands = NO_BANDS, *, as_of: datetime | None = None) -> None:
        self._as_of = as_of
        self._as_of_us = None if as_of is None else int(utc_of([as_of]).astype(np.int64)[0])
        self.arcs = tuple(arc for arc in arcs if self._as_of_us is None or arc.creation_us <= self._as_of_us)
        self._bands = bands
        self._latest = LatestArcs.of(self.arcs)
        self._path = lru_cache(maxsize=PATHS_KEPT)(self._make_path)

    def state_at(self, times: Any, observed: Observed | None = None) -> States:
        """Return the states at `times`: datetimes with a zone, or an array of datetime64, which counts as UTC.

        In any order. Interpolation stops at segment bounds and burn edges; nothing is extrapolated. With `observed`,
        which gives what was seen of an arc's issue until a moment, states are moved along their track where that was
        shown to help. Raises ValueError for a datetime without a zone.
        """
        epoch_utc = utc_of(times)
        utc_us, tai_us = epoch_utc.astype(np.int64), tai_from_utc(epoch_utc).astype(np.int64)
        arc = self._latest.at(tai_us)
        created = np.array([*(each.creation_us for each in self.arcs), 0], dtype="datetime64[us]")
        created[NO_ARC] = np.datetime64("NaT")
        creation_date = created[arc]
        age_s = np.where(arc == NO_ARC, np.nan, (utc_us - creation_date.astype(np.int64)) / SECOND_US)

        states = States.unknown(epoch_utc, creation_date, age_s, arc, self.arcs)
        for number, rows in _rows_of_arcs(arc):
            self._tell(states, number, rows, tai_us[rows], observed)
        return states

    def _tell(
        self, states: States, number: int, rows: Micros | slice, tai_us: Micros, observed: Observed | None
    ) -> None:
        """Write into some rows of states what one arc tells of them."""
        arc, path = self.arcs[number], self._path(number)
        utc_us, created_us = states.epoch_utc[rows].astype(np.int64), arc.creation_us
        if observed is not None and (states.age_s[rows] >= LEAST_LEAD_S).any():
            seen = observed(arc, NO_END_US if self._as_of_us is None else self._as_of_us)
            ahead_s, states.is_corrected[rows] = moved_ahead(seen, arc, path, utc_us)
            states.ahead_s[rows] = ahead_s
            tai_us = tai_us + np.rint(ahead_s * SECOND_US).astype(np.int64)
        states.position_km[rows], states.velocity_km_s[rows] = path.states_at(tai_us)
        states.is_powered[rows] = path.is_powered(utc_us)
        has_burn = utc_us >= path.first_burn_us(created_us)
        states.burn_between[rows] = has_burn
        bands = self._bands.before(created_us) if self._as_of_us is None else self._bands.by(self._as_of_us)
        states.p50_km[rows], states.p90_km[rows] = bounds_at(bands, states.age_s[rows], has_burn)

    def by_issue(self) -> list["Trajectory"]:
        """Return what each issue says by itself, the one created last first; bounds of errors as here."""
        created_us = sorted({arc.creation_us for arc in self.arcs}, reverse=True)
        return [
            Trajectory([arc for arc in self.arcs if arc.creation_us == each], self._bands, as_of=self._as_of)
            for each in created_us
        ]

    def covering(self, start: datetime, stop: datetime) -> int | None:
        """Return when the newest of the issues that cover all of a span was created, in microseconds since 1970.

        None where a part of the span is not covered.
        """
        holding = self._latest.holding(*tai_from_utc(utc_of([start, stop])).astype(np.int64).tolist())
        return None if NO_ARC in holding else max(self.arcs[number].creation_us for number in holding)

    def _make_path(self, number: int) -> Path:
        return self.arcs[number].path()


def _rows_of_arcs(arc: NDArray[np.int32]) -> Iterable[tuple[int, Micros | slice]]:
    """Yield each arc that holds at some instant, and the rows of those."""
    if (arc == arc[:1]).all():
        if arc.size and arc[0] != NO_ARC:
            yield int(arc[0]), slice(None)
        return
    order = np.argsort(arc, kind="stable")
    numbers, starts = np.unique(arc[order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        if number != NO_ARC:
            yield number, rows


def utc_of(times: Any) -> NDArray[np.datetime64]:
    """Return instants as UTC to the microsecond (n,). Raises ValueError for a datetime without a zone."""
    values = np.atleast_1d(np.asarray(times))
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    without_zone = next((time for time in values if time.tzinfo is None), None)
    if without_zone is not None:
        raise ValueError(f"{without_zone} has no zone: of which clock is it?")
    micros = [(time - EPOCH) // MICROSECOND for time in values]
    return np.array(micros, dtype=np.int64).astype("datetime64[us]")
