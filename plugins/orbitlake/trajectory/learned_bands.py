"""prediction_bands: what nine in ten errors of predictions kept to, by lead, as it was known at each moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.physics.kinematics import Reals
from orbitlake.tables import PREDICTION_BANDS
from orbitlake.trajectory.error_pairs import medians_of, pairs_of

DAY_S: Final = 86_400.0
USUAL_GROWTH: Final = 2.0
"""Power of lead that an error grows with where the drag is off by a constant share, which most of it is."""
LEAST_GROWTH: Final = 1.0
"""That of an orbit whose period is off."""
FEWEST_PAIRS: Final = 9
"""Fewer say nothing of growth, nor of the worst in ten."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Comparisons of two issues, with a burn between or without, one row each (n,).

    lead_s and error_km are medians over the hours compared; shortest_s and longest_s bound their leads.
    """

    later_us: NDArray[np.int64]
    burn_between: NDArray[np.bool_]
    lead_s: Reals
    shortest_s: Reals
    longest_s: Reals
    error_km: Reals

    @classmethod
    def of(cls, errors: pa.Table) -> "Pairs":
        """Take rows of prediction_error of one object, in any order; a pair with hours of both kinds is two rows."""
        burn = errors.column("burn_between").to_numpy()
        group = 2 * pairs_of(errors) + burn
        lead_s, error_km = (errors.column(name).to_numpy() for name in ("lead_s", "total_km"))
        later_us = errors.column("later_creation_date").to_numpy().astype("datetime64[us]").astype(np.int64)
        _, first, number = np.unique(group, return_index=True, return_inverse=True)
        shortest_s, longest_s = np.full(first.size, np.inf), np.zeros(first.size)
        np.minimum.at(shortest_s, number.reshape(-1), lead_s)
        np.maximum.at(longest_s, number.reshape(-1), lead_s)
        medians = medians_of(group, lead_s), medians_of(group, error_km)
        return cls(later_us[first], burn[first], medians[0], shortest_s, longest_s, medians[1])

    def until(self, known_us: int) -> "Pairs":
        """Return those that the issues created by a moment tell of."""
        rows = self.later_us <= known_us
        return Pairs(*(getattr(self, name)[rows] for name in self.__slots__))


def learn_bands(errors: pa.Table) -> pa.Table:
    """Return the rows of prediction_bands of rows of prediction_error of one object, in any order.

    Errors of all pairs so far, with burns and without, give one power of lead that they grow with; what is left is
    ordered for each kind. Of n values the one in place p (n + 1) bounds the next with probability p, whatever their
    distribution (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005): nine pairs for nine tenths.
    At leads shorter than any seen the bound is that of the shortest: errors do not shrink.
    """
    pairs = Pairs.of(errors)
    rows: list[dict[str, Any]] = []
    for known_us in np.unique(pairs.later_us).tolist():
        for row in _known_at(pairs.until(known_us)):
            whose = {"object_id": errors.column("object_id")[0].as_py(), "known_from": known_us}
            rows.append(whose | row)
    table = pa.Table.from_pylist(rows, schema=PREDICTION_BANDS.schema)
    return rounded(table, PREDICTION_BANDS)


def _known_at(pairs: Pairs) -> Iterator[dict[str, Any]]:
    growth = _growth(pairs)
    shortest_s, longest_s = float(pairs.shortest_s.min()), float(pairs.longest_s.max())
    leads_s = np.unique((*np.arange(0.0, longest_s, DAY_S), shortest_s, longest_s))
    for is_burn in (False, True):
        of_kind = pairs.burn_between == is_burn
        if not of_kind.any():
            continue
        left_km = np.sort(pairs.error_km[of_kind] / (pairs.lead_s[of_kind] / DAY_S) ** growth)
        held_s = np.maximum(leads_s, shortest_s)
        p50_km, p90_km = (_bound(left_km, share) for share in (0.5, 0.9))
        for lead_s, grown in zip(leads_s.tolist(), ((held_s / DAY_S) ** growth).tolist(), strict=True):
            yield {
                "burn_between": is_burn,
                "lead_s": lead_s,
                "n": left_km.size,
                "p50_km": p50_km * grown if p50_km is not None else None,
                "p90_km": p90_km * grown if p90_km is not None else None,
            }


def _growth(pairs: Pairs) -> float:
    """Return the power of lead that errors grow with: a straight line through logarithms, within what orbits do."""
    if pairs.lead_s.size < FEWEST_PAIRS or np.ptp(pairs.lead_s) < DAY_S:
        return USUAL_GROWTH
    lead, error = np.log(pairs.lead_s / DAY_S), np.log(np.maximum(pairs.error_km, 1e-3))
    lead = lead - lead.mean()
    return float(np.clip((lead * error).sum() / (lead * lead).sum(), LEAST_GROWTH, USUAL_GROWTH))


def _bound(ordered: Reals, share: float) -> float | None:
    place = ceil(share * (ordered.size + 1) - 1e-9)
    return float(ordered[place - 1]) if place <= ordered.size else None
