"""Position and velocity at any instant: from the latest issue that covers it, null where none does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.trajectory.arcs import NO_ARC, SECOND_US, Arc, LatestArcs, Micros, Path

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
PATHS_KEPT: Final = 64
"""Arcs whose polynomials a trajectory keeps in memory, 1.2 MB each for one of NASA's files."""


@dataclass(frozen=True, slots=True)
class States:
    """States at n instants. Outside of what the issues cover numbers are NaN, dates NaT, and `arc` is NO_ARC.

    Position and velocity (n, 3) are in the frame of the arc that holds. age_s is the epoch less the creation of the
    issue: negative was flown when it was made, positive was predicted.
    """

    epoch_utc: NDArray[np.datetime64]
    position_km: NDArray[np.float64]
    velocity_km_s: NDArray[np.float64]
    creation_date: NDArray[np.datetime64]
    age_s: NDArray[np.float64]
    is_powered: NDArray[np.bool_]
    arc: NDArray[np.int32]
    arcs: Sequence[Arc]

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
    """The best known path of one object: at each instant that of the issue created last that covers it."""

    def __init__(self, arcs: Iterable[Arc]) -> None:
        self.arcs = tuple(arcs)
        self._latest = LatestArcs.of(self.arcs)
        self._path = lru_cache(maxsize=PATHS_KEPT)(self._make_path)

    def state_at(self, times: Any) -> States:
        """Return the states at `times`: datetimes with a zone, or an array of datetime64, which counts as UTC.

        In any order. Interpolation stops at segment bounds and burn edges; nothing is extrapolated. Raises ValueError
        for a datetime without a zone.
        """
        epoch_utc = utc_of(times)
        utc_us, tai_us = epoch_utc.astype(np.int64), tai_from_utc(epoch_utc).astype(np.int64)
        arc = self._latest.at(tai_us)
        position_km, velocity_km_s = (np.full((epoch_utc.size, 3), np.nan) for _ in range(2))
        is_powered = np.zeros(epoch_utc.size, dtype=np.bool_)
        for number, rows in _rows_of_arcs(arc):
            path = self._path(number)
            position_km[rows], velocity_km_s[rows] = path.states_at(tai_us[rows])
            is_powered[rows] = path.is_powered(utc_us[rows])
        created = np.array([*(each.creation_us for each in self.arcs), 0], dtype="datetime64[us]")
        created[NO_ARC] = np.datetime64("NaT")
        creation_date = created[arc]
        age_s = np.where(arc == NO_ARC, np.nan, (utc_us - creation_date.astype(np.int64)) / SECOND_US)
        return States(epoch_utc, position_km, velocity_km_s, creation_date, age_s, is_powered, arc, self.arcs)

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
