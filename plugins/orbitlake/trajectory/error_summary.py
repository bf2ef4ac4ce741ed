"""prediction_error_summary: percentiles of prediction_error by ranges of lead, with what they may be by chance."""

from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.tables import PREDICTION_ERROR_SUMMARY
from orbitlake.trajectory.error_pairs import medians_of, pairs_of

DAY_S: Final = 86_400.0
LEAD_BOUNDS_D: Final = (0, 1, 2, 3, 4, 6, 8, 11, 15, 30, 60)
"""Ranges grow as errors do."""
PERCENTS: Final = (50, 90, 99)
RESAMPLES: Final = 1_000
BOUNDS_PERCENT: Final = (5.0, 95.0)
SEED: Final = 20_230_324
AT_ONCE: Final = 4_000_000
"""Numbers drawn together."""


def summarise(errors: pa.Table) -> pa.Table:
    """Return the rows of prediction_error_summary of rows of prediction_error of one object, in any order.

    Hours of one pair of issues are nearly one measurement: each pair counts once a range, by its median. Bounds are
    percentiles over RESAMPLES draws of as many pairs, with replacement, always the same draws.
    """
    rows: list[dict[str, object]] = []
    lead_d = errors.column("lead_s").to_numpy() / DAY_S
    burn_between = errors.column("burn_between").to_numpy()
    total_km = errors.column("total_km").to_numpy()
    pair = pairs_of(errors)
    for is_burn in (False, True):
        for since_d, until_d in pairwise(LEAD_BOUNDS_D):
            chosen = (burn_between == is_burn) & (lead_d >= since_d) & (lead_d < until_d)
            if not chosen.any():
                continue
            medians_km = medians_of(pair[chosen], total_km[chosen])
            rows.append(
                {
                    "object_id": errors.column("object_id")[0].as_py(),
                    "burn_between": is_burn,
                    "lead_from_s": since_d * DAY_S,
                    "lead_to_s": until_d * DAY_S,
                    "n": medians_km.size,
                }
                | _percentiles(medians_km)
            )
    return rounded(pa.Table.from_pylist(rows, schema=PREDICTION_ERROR_SUMMARY.schema), PREDICTION_ERROR_SUMMARY)


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    draws = np.random.default_rng(SEED)
    resampled = [
        np.percentile(values[draws.integers(0, values.size, size=(count, values.size))], PERCENTS, axis=1)
        for count in _shares(RESAMPLES, max(1, AT_ONCE // values.size))
    ]
    low, high = np.percentile(np.concatenate(resampled, axis=1), BOUNDS_PERCENT, axis=1)
    found = np.percentile(values, PERCENTS)
    return {
        f"p{percent}{suffix}_km": float(each[number])
        for number, percent in enumerate(PERCENTS)
        for suffix, each in (("", found), ("_low", low), ("_high", high))
    }


def _shares(total: int, most: int) -> list[int]:
    return [min(most, total - start) for start in range(0, total, most)]
