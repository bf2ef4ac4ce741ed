"""gaps, trajectories -> positions_filled: what the ephemeris says of the time in which a feed was silent.

A gap is filled once it has ended: while it is open nobody knows how long it will be.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.audit.day_tables import FILLED, lock_feeds
from orbitlake.audit.intervals import missed
from orbitlake.columns import DAY_US, Indices, micros
from orbitlake.digits import rounded
from orbitlake.lake import Lake
from orbitlake.lake.derived import Partition, Published, publish_news, publish_partitions, signature, source_digest
from orbitlake.lake.listing import days_in
from orbitlake.lake.parquet import conform, in_order, open_checked
from orbitlake.tables import GAPS, POSITIONS_FILLED, PREDICTION_BANDS, TRAJECTORY
from orbitlake.trajectory.arcs import SECOND_US
from orbitlake.trajectory.best_path import EPOCH_DAY
from orbitlake.trajectory.ground import ground_of
from orbitlake.trajectory.lake_arcs import trajectory_of
from orbitlake.trajectory.states import Trajectory

HERMITE: Final = "HERMITE"
RULES: Final = ("audit/filling.py", "trajectory/*.py", "physics/*.py", "physics/*.txt", "tables.py", "digits.py")


@dataclass(frozen=True, slots=True)
class Silence:
    """A gap that has ended, in microseconds since 1970."""

    object_id: str
    source: str
    start_us: int
    end_us: int
    interval_us: int

    def polls_us(self, day: int | None = None) -> Indices:
        """Return the instants of the polls that the gap has room for, of one day since 1970 or of all of it."""
        count = int(missed(np.int64(self.end_us - self.start_us), np.int64(self.interval_us)))
        first, last = 1, count
        if day is not None:
            first = max(first, -((self.start_us - day * DAY_US) // self.interval_us))
            last = min(last, ((day + 1) * DAY_US - 1 - self.start_us) // self.interval_us)
        return self.start_us + self.interval_us * np.arange(first, last + 1)

    @property
    def days(self) -> range:
        """The days since 1970 in which it lies."""
        return range(self.start_us // DAY_US, self.end_us // DAY_US + 1)


def fill(lake: Lake, *, everything: bool = False) -> Published:
    """Bring positions_filled up to gaps and trajectory, and say in gaps which issue covers each.

    Days whose gaps and trajectories are as they were are not made again, unless everything is asked for.
    """
    filler = Filler(lake)
    note = lake.checkpoints / "audit_positions" / f"{POSITIONS_FILLED.name}.json"
    published = publish_partitions(lake, POSITIONS_FILLED, filler.partitions(), note, everything=everything)
    filler.say_what_covers()
    return published


class Filler:
    """The gaps of a lake and the trajectories of its objects."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.trajectory = lru_cache(maxsize=None)(self._trajectory)

    def partitions(self) -> Iterator[Partition]:
        """Yield each day with a part of a gap, in order."""
        of_days: dict[int, list[Silence]] = defaultdict(list)
        for day in days_in(self.lake.closed(GAPS)):
            for silence in silences_of(self.gaps(day)):
                for each in silence.days:
                    of_days[each].append(silence)
        for number, silences in sorted(of_days.items()):
            day = EPOCH_DAY + timedelta(days=number)
            # Between the last state of a day and the first of the next one a path follows from both.
            around = [day + timedelta(days=each) for each in (-1, 0, 1)]
            objects = sorted({silence.object_id for silence in silences})
            paths = [self.lake.object_day(TRAJECTORY, each, some) for each in objects for some in around]
            bands = [self.lake.object_file(PREDICTION_BANDS, each) for each in objects]
            known = [file for file in paths if file.exists()]
            if known:
                known += [file for file in bands if file.exists()]
                inputs = signature(known, source_digest(RULES), repr(sorted(map(repr, silences))))
                yield Partition(self.lake.day(POSITIONS_FILLED, day), inputs, partial(self.rows, number, silences))

    def rows(self, day: int, silences: Sequence[Silence]) -> pa.Table:
        """Return the rows of positions_filled of a day since 1970."""
        parts = (self.filled(silence, silence.polls_us(day)) for silence in silences)
        rows = pa.concat_tables([POSITIONS_FILLED.schema.empty_table(), *parts])
        return in_order(rounded(rows, POSITIONS_FILLED), POSITIONS_FILLED)

    def filled(self, silence: Silence, polls_us: Indices) -> pa.Table:
        """Return the rows of some polls of a gap, unrounded; those that no issue covers are left out."""
        states = self.trajectory(silence.object_id).state_at(polls_us.astype("datetime64[us]"))
        ground = ground_of(states)
        rows = pa.table(
            {
                "object_id": pa.array([silence.object_id] * polls_us.size, pa.string()),
                "source": pa.array([silence.source] * polls_us.size, pa.string()),
                "event_time": polls_us,
                "latitude_deg": ground.latitude_deg,
                "geocentric_latitude_deg": ground.geocentric_latitude_deg,
                "longitude_deg": ground.longitude_deg,
                "altitude_km": ground.altitude_km,
                "method": pa.array([HERMITE] * polls_us.size, pa.string()),
                "creation_date": states.creation_date.astype(np.int64),
                "age_s": states.age_s,
                "p50_km": pa.array(states.p50_km, from_pandas=True),
                "p90_km": pa.array(states.p90_km, from_pandas=True),
                "gap_start_time": np.full(polls_us.size, silence.start_us),
            }
        )
        return conform(rows.filter(pa.array(np.isfinite(ground.latitude_deg))), POSITIONS_FILLED)

    def say_what_covers(self) -> None:
        """Write into gaps the issue that covers each, null where none does: only files whose word is another now."""
        with lock_feeds(self.lake):
            for day in days_in(self.lake.closed(GAPS)):
                gaps = self.gaps(day)
                covering = pa.array([self.covering(row) for row in gaps.to_pylist()], pa.int64())
                said = covering.cast(GAPS.schema.field(FILLED).type)
                if not gaps.column(FILLED).combine_chunks().equals(said):
                    place = gaps.column_names.index(FILLED)
                    publish_news(self.lake, GAPS, gaps.set_column(place, FILLED, said), self.lake.day(GAPS, day))

    def covering(self, gap: Mapping[str, Any]) -> int | None:
        """Return when the newest of the issues that cover a gap was created; None where it is open or not covered."""
        if gap["end_time"] is None:
            return None
        return self.trajectory(gap["object_id"]).covering(gap["start_time"], gap["end_time"])

    def gaps(self, day: date) -> pa.Table:
        """Return the gaps that begin on a day."""
        with open_checked(self.lake.day(GAPS, day), GAPS) as opened:
            return opened.read()

    def _trajectory(self, object_id: str) -> Trajectory:
        try:
            return trajectory_of(object_id, self.lake.root)
        except LookupError:
            # An id that names no object has paths of several.
            return Trajectory([])


def silences_of(gaps: pa.Table) -> Iterator[Silence]:
    """Yield the gaps that have ended."""
    ended = gaps.filter(pc.is_valid(gaps.column("end_time")))
    names = (ended.column(name).to_pylist() for name in ("object_id", "source"))
    times = (micros(ended.column(name)).tolist() for name in ("start_time", "end_time"))
    intervals_us = np.rint(ended.column("interval_s").to_numpy() * SECOND_US).astype(np.int64).tolist()
    for row in zip(*names, *times, intervals_us, strict=True):
        yield Silence(*row)
