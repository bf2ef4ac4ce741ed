"""prediction_error: what each issue predicted against what a later one saw flown, at every whole hour of lead."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.physics.fields import inertial_states
from orbitlake.physics.separation import separation
from orbitlake.tables import PREDICTION_ERROR
from orbitlake.trajectory.arcs import NO_ARC, SECOND_US, Micros
from orbitlake.trajectory.issues import Issue, Issues, tai_us_of
from orbitlake.trajectory.states import States

LEAD_STEP_US: Final = 3600 * SECOND_US
"""One hour: NASA's issues begin 2 to 61 hours before their creation, so that each later one meets every earlier one
that reaches so far; errors grow over days."""


def compared_with(issues: Issues, later: int) -> list[int]:
    """Return the issues whose predictions the later one can judge, by their numbers: those that reach into its flight.

    Created before it, and covering more than it begins after.
    """
    created_us = issues.all[later].creation_us
    reaching = np.flatnonzero(issues.stop_tai_us[:later] > issues.start_tai_us[later])
    return [number for number in reaching.tolist() if issues.all[number].creation_us < created_us]


def known_to(issues: Issues, later: int) -> list[int]:
    """Return the issues whose burns count between any earlier one's creation and the later one's, itself included."""
    since_tai_us = min(
        (int(tai_us_of([issues.all[number].creation_us])[0]) for number in compared_with(issues, later)),
        default=int(issues.start_tai_us[later]),
    )
    return np.flatnonzero(issues.stop_tai_us[: later + 1] > since_tai_us).tolist()


def prediction_errors(issues: Issues, later: int) -> pa.Table:
    """Return the rows of prediction_error of one later issue, by its number, against all earlier ones."""
    best_burns_us = _burns_of_best_path(issues, known_to(issues, later))
    parts = [_errors(issues, earlier, later, best_burns_us) for earlier in compared_with(issues, later)]
    return rounded(pa.concat_tables([PREDICTION_ERROR.schema.empty_table(), *parts]), PREDICTION_ERROR)


def _errors(issues: Issues, earlier: int, later: int, best_burns_us: Micros) -> pa.Table:
    predicting, judging = issues.all[earlier], issues.all[later]
    epoch_us = _epochs_us(predicting, judging)
    epochs = epoch_us.astype("datetime64[us]")
    predicted, flown = (issues.path(number).state_at(epochs) for number in (earlier, later))
    is_covered = (predicted.arc != NO_ARC) & (flown.arc != NO_ARC)
    is_covered &= np.isfinite(predicted.position_km).all(axis=1) & np.isfinite(flown.position_km).all(axis=1)
    is_covered &= (predicted.center_name == flown.center_name) & (predicted.ref_frame == flown.ref_frame)
    rows = np.flatnonzero(is_covered)
    count, tai_us = rows.size, tai_us_of(epoch_us[rows])
    position_km, _ = _inertial(predicted, rows, tai_us)
    apart = separation(position_km, *_inertial(flown, rows, tai_us))
    burns_us = np.concatenate((best_burns_us, _spans(predicting)))
    return pa.Table.from_pydict(
        {
            "object_id": pa.array([issues.object_id] * count, pa.string()).dictionary_encode(),
            "creation_date": _times(np.full(count, predicting.creation_us)),
            "later_creation_date": _times(np.full(count, judging.creation_us)),
            "epoch": _times(epoch_us[rows]),
            "lead_s": (epoch_us[rows] - predicting.creation_us) / SECOND_US,
            "radial_km": apart.radial_km,
            "in_track_km": apart.in_track_km,
            "cross_track_km": apart.cross_track_km,
            "total_km": apart.total_km,
            "in_track_s": apart.in_track_s,
            "burn_between": _burns_between(burns_us, predicting.creation_us, epoch_us[rows]),
            "drag_refitted": pa.array([_is_refitted(predicting, judging)] * count, pa.bool_()),
        },
        schema=PREDICTION_ERROR.schema,
    )


def _epochs_us(predicting: Issue, judging: Issue) -> Micros:
    """Return the whole hours of lead that may lie in the prediction and in what was flown before the later creation."""
    created_us = predicting.creation_us
    # A little more than both cover: the arcs decide, in TAI.
    since_us = max(judging.start_tai_us - 60 * SECOND_US - created_us, 0)
    until_us = min(judging.creation_us - 1, predicting.stop_tai_us) - created_us
    first, last = since_us // LEAD_STEP_US, until_us // LEAD_STEP_US
    return created_us + LEAD_STEP_US * np.arange(max(first, 1), last + 1, dtype=np.int64)


def _inertial(states: States, rows: Micros, tai_us: Micros) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return some states in inertial axes: an earth-fixed frame turns."""
    position_km, velocity_km_s = states.position_km[rows], states.velocity_km_s[rows]
    frames = states.ref_frame[rows]
    for frame in sorted(set(frames.tolist())):
        of = frames == frame
        position_km[of], velocity_km_s[of] = inertial_states(frame, tai_us[of], position_km[of], velocity_km_s[of])
    return position_km, velocity_km_s


def _burns_of_best_path(issues: Issues, numbers: list[int]) -> Micros:
    """Return ignition and cut-off, (n, 2) in UTC, of the burns on the path of the latest of some issues each time."""
    latest, arcs = issues.latest(numbers)
    spans_us = [np.empty((0, 2), dtype=np.int64)]
    for number in numbers:
        spans = _spans(issues.all[number])
        holding = latest.at(tai_us_of(spans[:, 0]))
        holds = [arc != NO_ARC and arcs[arc][0] == number for arc in holding.tolist()]
        spans_us.append(spans[np.array(holds, dtype=np.bool_)])
    return np.concatenate(spans_us)


def _spans(issue: Issue) -> Micros:
    spans = [(burn.ignition_us, burn.cutoff_us) for burn in issue.burns]
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def _burns_between(burns_us: Micros, since_us: int, epoch_us: Micros) -> NDArray[np.bool_]:
    """Tell at which epochs one of the burns has begun that was not over at a time before: (n, 2), (m,) -> (m,)."""
    ignition_us = burns_us[burns_us[:, 1] > since_us, 0]
    return epoch_us >= ignition_us.min() if ignition_us.size else np.zeros(epoch_us.shape, dtype=np.bool_)


def _is_refitted(predicting: Issue, judging: Issue) -> bool | None:
    both = predicting.drag_coefficient, judging.drag_coefficient
    return None if None in both else both[0] != both[1]


def _times(utc_us: Micros) -> pa.Array:
    return pa.array(utc_us.astype("datetime64[us]"), pa.timestamp("us")).cast(
        PREDICTION_ERROR.schema.field("epoch").type
    )
