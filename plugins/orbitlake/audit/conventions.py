"""What each feed gives: which latitude, and at which moment after its stamp the position holds."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from orbitlake.columns import Indices
from orbitlake.physics.kinematics import Reals
from orbitlake.positions.record import OPEN_NOTIFY, WHERETHEISS
from orbitlake.trajectory.arcs import SECOND_US


@dataclass(frozen=True, slots=True)
class Convention:
    """`is_geodetic` is None where it is not known: then that latitude counts which is nearer to the track.

    `rounding_s` is how far a stamp of a whole second may have been rounded down.
    """

    is_geodetic: bool | None
    rounding_s: float

    def delay_us(self, event_us: Indices) -> Indices:
        """Return how long after its stamp a position holds, most likely: (n,) -> (n,).

        A stamp with a fraction is that of a client's clock, and not rounded.
        """
        is_whole = event_us % SECOND_US == 0
        return np.where(is_whole, round(self.rounding_s / 2 * SECOND_US), 0)

    def rounded_by_s(self, event_us: Indices) -> Reals:
        """Return by how much that may be off: (n,) -> (n,)."""
        return np.where(event_us % SECOND_US == 0, self.rounding_s / 2, 0.0)


CONVENTIONS: Final = {
    # 272 fixes of 2025 against NASA's issues: never more than 1.2 km across the track if read as geocentric, up to 19.6
    # as geodetic. In what was flown they lie evenly between the stamp and a second after it.
    OPEN_NOTIFY: Convention(is_geodetic=False, rounding_s=1.0),
    # 800 fixes of 2021-10-13: within 0.5 km across the track as geodetic, up to 19.4 as geocentric. Along it they
    # follow each other to 7 m: each is computed for the whole second of its stamp.
    WHERETHEISS: Convention(is_geodetic=True, rounding_s=0.0),
}
UNKNOWN: Final = Convention(is_geodetic=None, rounding_s=1.0)
"""Of any other feed nothing was measured."""


def convention_of(source: str) -> Convention:
    """Return what is known of a feed by its name."""
    return CONVENTIONS.get(source, UNKNOWN)
