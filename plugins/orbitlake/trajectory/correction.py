"""How far a prediction is to be moved along its track, by what was seen of the object since it was made.

What a wrong drag makes of a prediction grows as the prediction's own drag displaces it. What a wrong period makes of
it, a burn that came out otherwise or one that nobody told of, grows with time. Both shares are fitted to what was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import INERTIAL
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.trajectory.arcs import SECOND_US, Arc, Micros, Path

DAY_S: Final = 86_400.0
DAY_US: Final = 86_400 * SECOND_US
DRAG_SHARE: Final = 0.3
"""How far the drag of an issue is off, one standard deviation, as a share: refitted coefficients differ by as much."""
DRIFT_S: Final = 4.0
"""How far an issue drifts off in a day, likewise: 30 km, what a burn of 0.1 m/s that is not in it makes."""
FEED_SIGMA_S: Final = 0.97
"""How far a feed is off for a whole day, likewise: a median of 5 km. Its fixes are off together, by old elements."""

PROVED_LEAD_D: Final = (6.0, 10.0, 14.0)
OBSERVED_UNTIL_D: Final = (5.0, 5.0, 9.0)
"""From which last observation on predictions of a lead were nearer to what was flown than without, beyond chance (see
docs/prediction.md). Nothing was shown of shorter leads and of longer ones."""
LEAST_LEAD_S: Final = PROVED_LEAD_D[0] * DAY_S


@dataclass(frozen=True, slots=True)
class Observations:
    """What was seen of an object after an issue was made, in order (n,): by how much it was ahead, late negative.

    Times are UTC in microseconds since 1970; sigma_s is the standard deviation of ahead_s.
    """

    seen_us: Micros
    ahead_s: Reals
    sigma_s: Reals

    @classmethod
    def of_fixes(cls, seen_us: Micros, ahead_s: Reals) -> Self:
        """Take fixes of a feed, (n,) each, in any order: those of a UTC day count as one, by their medians."""
        day = seen_us // DAY_US
        rows = [np.flatnonzero(day == each) for each in np.unique(day)]
        return cls(
            np.array([np.median(seen_us[each]) for each in rows], dtype=np.int64),
            np.array([np.median(ahead_s[each]) for each in rows], dtype=np.float64),
            np.full(len(rows), FEED_SIGMA_S),
        )


Observed = Callable[[Arc, int], Observations]
"""Arc, moment in microseconds since 1970 -> what was seen of its issue until then."""
NO_END_US: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Correction:
    """Shares of drag and drift, (2,), how far they may be off, (2, 2), and the lead of the last observation."""

    share: Reals
    covariance: Reals
    last_lead_s: float

    @classmethod
    def fit(cls, lead_s: Reals, ahead_s: Reals, sigma_s: Reals, drag_s: Reals) -> Self:
        """Fit to observations (n,) at leads, with the displacement by the issue's own drag there, both in seconds.

        Least squares, with shares near 0 as likely as DRAG_SHARE and DRIFT_S say: an observation that its noise
        drowns moves nothing.
        """
        shapes = _shapes(lead_s, drag_s) / sigma_s[:, np.newaxis]
        information = np.einsum("ni,nj->ij", shapes, shapes) + np.diag([DRAG_SHARE**-2, DRIFT_S**-2])
        covariance = np.linalg.inv(information)
        share = np.einsum("ij,nj,n->i", covariance, shapes, ahead_s / sigma_s)
        return cls(share, covariance, float(lead_s[-1]))

    def at(self, lead_s: Reals, drag_s: Reals) -> tuple[Reals, Reals]:
        """Return by how much the object will be ahead, and how far that may be off, in seconds: (n,), (n,)."""
        shapes = _shapes(lead_s, drag_s)
        sigma_s = np.sqrt(np.einsum("ni,ij,nj->n", shapes, self.covariance, shapes))
        return np.einsum("ni,i->n", shapes, self.share), sigma_s

    def is_proved(self, lead_s: Reals) -> NDArray[np.bool_]:
        """Tell at which leads corrections by observations until the last one were shown to help: (n,) -> (n,)."""
        lead_d = lead_s / DAY_S
        needed_d = np.interp(lead_d, PROVED_LEAD_D, OBSERVED_UNTIL_D)
        within = (lead_d >= PROVED_LEAD_D[0]) & (lead_d <= PROVED_LEAD_D[-1])
        proved: NDArray[np.bool_] = within & (self.last_lead_s / DAY_S >= needed_d)
        return proved


def _shapes(lead_s: Reals, drag_s: Reals) -> Reals:
    return np.column_stack((drag_s, lead_s / DAY_S))


def moved_ahead(seen: Observations, arc: Arc, path: Path, utc_us: Micros) -> tuple[Reals, NDArray[np.bool_]]:
    """Return by how many seconds an object is ahead of its issue at instants, and where that is told: (n,), (n,).

    0 and False where the correction was not shown to help, where its noise is the greater of both, from the first burn
    on that begins after the last observation, and where the issue does not reach so far. In frames that turn with Earth
    nothing is told: a move along the track would be no move in time.
    """
    nothing = np.zeros(utc_us.shape), np.zeros(utc_us.shape, dtype=np.bool_)
    is_inertial = arc.ref_frame.strip().upper() in INERTIAL
    if not (is_inertial and arc.is_geocentric) or not seen.seen_us.size:
        return nothing

    def drag_s(at_utc_us: Micros) -> Reals:
        return path.drag_ahead_s(arc.creation_us, at_utc_us)

    def lead_s(at_utc_us: Micros) -> Reals:
        return (at_utc_us - arc.creation_us) / SECOND_US

    drag_seen_s = drag_s(seen.seen_us)
    if not np.isfinite(drag_seen_s).all():
        return nothing
    correction = Correction.fit(lead_s(seen.seen_us), seen.ahead_s, seen.sigma_s, drag_seen_s)
    is_told = correction.is_proved(lead_s(utc_us))
    is_told &= utc_us < path.first_burn_us(int(seen.seen_us[-1]))
    ahead_s, sigma_s = correction.at(lead_s(utc_us), drag_s(utc_us))
    is_told &= np.abs(ahead_s) > sigma_s
    tai_us = tai_from_utc(utc_us.astype("datetime64[us]")).astype(np.int64) + ahead_s * SECOND_US
    is_told &= (tai_us >= arc.start_tai_us) & (tai_us <= arc.stop_tai_us)
    return np.where(is_told, ahead_s, 0.0), is_told
