"""Issues on circles about Earth, hours after START: what each predicts of another is known without a computer."""

from dataclasses import replace

import numpy as np
from tests.oem.reader.test_comment_block import REBOOST, summary
from tests.oem.sample_oem import kvn
from tests.trajectory.test_states import RADIUS_KM, after, state

from orbitlake.oem import Issue, read_bytes
from orbitlake.tables import THRUST_EPISODES

HOUR_S = 3600.0


def file_of(
    created_h: float,
    start_h: float,
    stop_h: float,
    *,
    early_s: float = 0.0,
    above_km: float = 0.0,
    drag: float | None = None,
    has_event: bool = False,
) -> bytes:
    """Return a file of a circle so much higher than the usual one, so many seconds ahead, maybe with one event."""
    lines = [
        f"{str(after(at))[:-3]} {' '.join(f'{value:.9f}' for value in on_a_circle(at + early_s, above_km))}"
        for at in np.arange(start_h * HOUR_S, stop_h * HOUR_S + 1, 240.0)
    ]
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0]}
    header = (f"CREATION_DATE = {after(created_h * HOUR_S)}", "ORIGINATOR = TEST")
    comments = [*([] if drag is None else [f"DRAG_COEFF={drag}"]), *(summary(*REBOOST) if has_event else [])]
    return kvn(header=header, metadata=span, states=lines, comments=comments)


def circling(created_h: float, start_h: float, stop_h: float, **what: float | None) -> Issue:
    """Return the issue of such a file, without a burn: no gravity flies these circles."""
    issue = read_bytes(file_of(created_h, start_h, stop_h, **what), "circle.oem")
    return replace(issue, episodes=THRUST_EPISODES.schema.empty_table())


def on_a_circle(seconds: float, above_km: float) -> np.ndarray:
    """Return a state on a circle of another height, as fast as Kepler's third law makes it there."""
    share = (RADIUS_KM / (RADIUS_KM + above_km)) ** 1.5
    scaled = state(seconds * share, RADIUS_KM + above_km)
    return np.concatenate((scaled[:3], scaled[3:] * share))
