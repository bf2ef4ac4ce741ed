"""What each poll came to: a fix that is news, or why it is none; and what a step without news is put down to."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from orbitlake.columns import NEVER_US, Indices, Mask
from orbitlake.physics.kinematics import Reals

NEWS: Final = ""
"""The outcome of a poll with a fix that is news."""
NOT_RUNNING: Final = "collector not running"
FROZEN: Final = "frozen"
LATE: Final = "late"
CLOCK: Final = "clock"
"""The collector's own word for a stamp too far from now; here one that is ahead."""
LATE_US: Final = 60_000_000
"""How far a stamp may be from the poll: a feed rounds its stamps, and answers travel for seconds."""
RESTED: Final = ("http 429", "http 503")
LONGEST_REST_US: Final = 3_600_000_000
"""After an answer of these kinds the collector waits as the feed asks, at most an hour."""
IN_TURN_US: Final = 1_000_000
"""How soon after a failed poll of another feed the fallback is asked."""

MOVES_US: Final = 1_000_000
"""A feed stamps whole seconds: within one its position may be new and its stamp the same."""

Answer = tuple[int, int, float, float]
"""What a feed said last: when that came, its stamp (microseconds since 1970) and the position (degrees)."""


@dataclass(frozen=True, slots=True)
class Polls:
    """The polls of one object and source in the order of their outcomes. Shapes: (n,)."""

    at_us: Indices
    asked_us: Indices
    failure: np.ndarray
    """The kind of each failure, NEWS for a fix."""
    stamp_us: Indices
    latitude_deg: Reals
    longitude_deg: Reals

    @classmethod
    def of(cls, rows: pa.Table) -> "Polls":
        """Take rows of POLLS of one feed; copies of a poll count once."""
        failure = rows.column("failure").fill_null(NEWS).to_numpy(zero_copy_only=False).astype(str)
        columns = [rows.column(name).to_numpy() for name in rows.column_names[2:]]
        columns[2] = failure
        columns = [column[np.lexsort(columns[::-1])] for column in columns]
        # A place that was not given is NaN, which equals nothing.
        keys = [np.nan_to_num(column, nan=999.0) if column.dtype == np.float64 else column for column in columns]
        repeats = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
        is_first = np.concatenate(([True], ~repeats))
        return cls(*(column[is_first] for column in columns))

    @property
    def has_fix(self) -> Mask:
        return np.asarray(self.failure == NEWS)

    @property
    def answers(self) -> Indices:
        """The polls that gave a position, accepted or refused for its stamp."""
        said = (self.stamp_us != NEVER_US) & ((self.failure == NEWS) | (self.failure == CLOCK))
        return np.flatnonzero(said)

    def last_answer(self, before: Answer | None) -> Answer | None:
        """Return what the feed said last, `before` where it said nothing."""
        answers = self.answers
        if not answers.size:
            return before
        last = answers[-1]
        place = float(self.latitude_deg[last]), float(self.longitude_deg[last])
        return int(self.at_us[last]), int(self.stamp_us[last]), *place


def outcomes_of(polls: Polls, before: Answer | None) -> np.ndarray:
    """Return the outcome of each poll, NEWS or a cause; `before` is what the feed said last. Shape: (n,) of text.

    An answer that repeats the stamp or the position of the one before is frozen, also where its stamp is old by now.
    """
    outcomes = polls.failure.astype(object)
    answers = polls.answers
    behind_us = polls.at_us[answers] - polls.stamp_us[answers]
    said = np.where(behind_us > LATE_US, LATE, np.where(behind_us < -LATE_US, CLOCK, outcomes[answers]))
    outcomes[answers] = np.where(repeats(polls, answers, before), FROZEN, said)
    return outcomes


def repeats(polls: Polls, answers: Indices, before: Answer | None) -> Mask:
    """Whether each answer has the position of the answer before it, or its stamp although a second has passed."""
    columns = (polls.at_us, polls.stamp_us, polls.latitude_deg, polls.longitude_deg)
    came_us, stamp_us, latitude, longitude = (column[answers] for column in columns)
    if not answers.size:
        return np.zeros(0, np.bool_)
    earlier = (NEVER_US, NEVER_US, np.nan, np.nan) if before is None else before
    came_before_us, stamp_before_us, latitude_before, longitude_before = (
        np.concatenate(([first], values[:-1]))
        for first, values in zip(earlier, (came_us, stamp_us, latitude, longitude), strict=True)
    )
    has_same_stamp = (stamp_us == stamp_before_us) & (came_us - MOVES_US >= came_before_us)
    return np.asarray(has_same_stamp | ((latitude == latitude_before) & (longitude == longitude_before)))


def causes_of_steps(at_us: Indices, outcomes: np.ndarray, is_silent: Mask) -> np.ndarray:
    """Return what each step from poll to poll is put down to, NEWS where nothing is amiss. (n,) -> (n - 1,).

    A silence is the collector's, unless the feed asked to be left alone. Any other step is that of the poll it leads
    to, or, where that one is news, of the poll it comes from.
    """
    earlier, later = outcomes[:-1], outcomes[1:]
    rests = np.isin(earlier, RESTED) & (np.diff(at_us) <= LONGEST_REST_US + LATE_US)
    of_silence = np.where(rests, earlier, NOT_RUNNING)
    return np.where(is_silent, of_silence, np.where(later != NEWS, later, earlier))


def in_turn(polls: dict[str, Polls]) -> dict[str, Mask]:
    """Tell, of all sources of one object, the polls that were made because another source had just failed.

    A failed poll that was itself made in turn makes none: after it comes the next tick.
    """
    found = {source: np.zeros(each.at_us.size, np.bool_) for source, each in polls.items()}
    for _ in range(2 if len(polls) > 1 else 0):
        failed = {source: each.at_us[~each.has_fix & ~found[source]] for source, each in polls.items()}
        found = {
            source: follows(
                each.asked_us, np.sort(np.concatenate([failed[other] for other in polls if other != source]))
            )
            for source, each in polls.items()
        }
    return found


def follows(asked_us: Indices, failed_us: Indices) -> Mask:
    """Whether something was asked within IN_TURN_US after one of some failures, which are in order."""
    if not failed_us.size:
        return np.zeros(asked_us.size, np.bool_)
    last = np.searchsorted(failed_us, asked_us, side="right") - 1
    since_us = asked_us - failed_us[np.maximum(last, 0)]
    return np.asarray((last >= 0) & (since_us <= IN_TURN_US))
