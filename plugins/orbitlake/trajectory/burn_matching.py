"""Which burn of an issue is which known one: by order and nearness, whatever its event is called now."""

from collections.abc import Sequence
from typing import Final

from orbitlake.trajectory.told_burns import ToldBurn

FURTHEST_US: Final = 36 * 3_600_000_000
"""A plan may move by a day, and by half a day more."""
FURTHEST_FLOWN_US: Final = 1_800_000_000
"""A burn that was flown stays where it is; later issues may correct its edges."""
OF_DELTA_V: Final = 0.5
OF_NAME: Final = 0.25
"""What another delta-v and another name count beside the shift, which counts up to 1."""
ALONE: Final = 0.9
"""What a burn without a counterpart counts: two of them more than any pair that may be."""


def match(known: Sequence[ToldBurn], is_flown: Sequence[bool], told: Sequence[ToldBurn]) -> dict[int, int]:
    """Return which of the `told` burns is which of the `known` ones, by their places: {known: told}.

    Both are in order of ignition, and matches keep it. Of all ways to match the cheapest is taken, found as editing
    distances are (Wagner and Fischer 1974).
    """
    best: list[list[float]] = [[ALONE * place for place in range(len(told) + 1)]]
    for row, burn in enumerate(known):
        costs = [best[row][0] + ALONE]
        for column, other in enumerate(told):
            paired = best[row][column] + _cost(burn, other, is_flown[row])
            costs.append(min(paired, best[row][column + 1] + ALONE, costs[column] + ALONE))
        best.append(costs)
    matches: dict[int, int] = {}
    row, column = len(known), len(told)
    while row and column:
        if best[row][column] == best[row - 1][column - 1] + _cost(known[row - 1], told[column - 1], is_flown[row - 1]):
            row, column = row - 1, column - 1
            matches[row] = column
        elif best[row][column] == best[row - 1][column] + ALONE:
            row -= 1
        else:
            column -= 1
    return matches


def may_be(known: ToldBurn, told: ToldBurn) -> bool:
    """Tell whether two burns are near enough to be one."""
    return abs(told.ignition_us - known.ignition_us) <= FURTHEST_US


def _cost(known: ToldBurn, told: ToldBurn, is_flown: bool) -> float:
    shift_us = abs(told.ignition_us - known.ignition_us)
    if shift_us > (FURTHEST_FLOWN_US if is_flown else FURTHEST_US):
        return float("inf")
    both_m_s = known.delta_v_m_s, told.delta_v_m_s
    change = abs(both_m_s[0] - both_m_s[1]) / max(*both_m_s, 1e-9)
    return shift_us / FURTHEST_US + OF_DELTA_V * change + OF_NAME * (known.event_name != told.event_name)
