"""From when on two issues fly different burns."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from orbitlake.trajectory.arcs import SECOND_US
from orbitlake.trajectory.issues import Issue, utc_us_of
from orbitlake.trajectory.told_burns import ToldBurn

SAME_IGNITION_US: Final = 600 * SECOND_US
SAME_DELTA_V_M_S: Final = 0.1
"""Of 29 pairs of plans of real issues 14 agree so far, and the others differ by far more."""
NEVER_US: Final = int(np.iinfo(np.int64).max)


def burns_differ_from_us(former: Issue, later: Issue) -> int:
    """Return the first ignition, in UTC, of a burn that only one of two issues tells of; NEVER_US where none is.

    Only burns count that both would tell of: that begin after both issues do, and after the former's creation.
    """
    start_us = max(former.creation_us, *utc_us_of(np.array([former.start_tai_us, later.start_tai_us])).tolist())
    mine, theirs = ([burn for burn in issue.burns if burn.ignition_us >= start_us] for issue in (former, later))
    alone = [*_without_counterpart(mine, theirs), *_without_counterpart(theirs, mine)]
    return min((burn.ignition_us for burn in alone), default=NEVER_US)


def _without_counterpart(burns: Sequence[ToldBurn], others: Sequence[ToldBurn]) -> list[ToldBurn]:
    return [burn for burn in burns if not any(_is_same(burn, other) for other in others)]


def _is_same(burn: ToldBurn, other: ToldBurn) -> bool:
    return (
        abs(burn.ignition_us - other.ignition_us) <= SAME_IGNITION_US
        and abs(burn.delta_v_m_s - other.delta_v_m_s) <= SAME_DELTA_V_M_S + 1e-9
    )
