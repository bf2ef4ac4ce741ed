"""How often bounds held that were learned from the past alone: each issue judged by what was known when it was made."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from orbitlake.trajectory.bands import Bands
from orbitlake.trajectory.issues import DAY_US
from orbitlake.trajectory.learned_bands import Pairs, learn_bands


@dataclass(frozen=True, slots=True)
class Held:
    """One comparison of two issues that its bounds were known for: the year it was predicted in, and which held."""

    year: int
    lead_d: float
    burn_between: bool
    p50: bool
    p90: bool


def held(errors: pa.Table) -> Iterator[Held]:
    """Yield what became of the bounds of each comparison in rows of prediction_error."""
    bands = Bands.of(learn_bands(errors))
    created_us = errors.column("creation_date").to_numpy().astype("datetime64[us]").astype(np.int64)
    for issue_us in np.unique(created_us).tolist():
        pairs = Pairs.of(errors.filter(pa.array(created_us == issue_us)))
        known = bands.before(issue_us)
        for lead_s, has_burn, error_km in zip(pairs.lead_s, pairs.burn_between, pairs.error_km, strict=True):
            p50_km, p90_km = (each[0] for each in known[int(has_burn)].at(np.array([lead_s])))
            if np.isfinite(p90_km):
                year = int(np.datetime64(issue_us, "us").astype("datetime64[Y]").astype(int)) + 1970
                yield Held(year, lead_s / 86_400.0, bool(has_burn), error_km <= p50_km, error_km <= p90_km)


def coverage_table(errors: pa.Table) -> str:
    """Return how many comparisons of each year kept to their bounds, as Markdown."""
    found = list(held(errors))
    lines = ["| predicted in | comparisons | within p50 | within p90 |", "|---|---|---|---|"]
    years = sorted({each.year for each in found})
    for name, some in [*((str(year), [each for each in found if each.year == year]) for year in years), ("all", found)]:
        shares = [
            f"{sum(each)} ({sum(each) / len(some):.0%})" for each in zip(*((h.p50, h.p90) for h in some), strict=True)
        ]
        lines.append(f"| {name} | {len(some)} | {shares[0]} | {shares[1]} |")
    return "\n".join(lines) + "\n"


def bands_table(errors: pa.Table) -> str:
    """Return the bounds that were known last, as Markdown."""
    last = learn_bands(errors)
    newest = last.filter(pa.array(np.asarray(last.column("known_from")) == np.asarray(last.column("known_from")).max()))
    rows = {(row["burn_between"], row["lead_s"] * 1e6 / DAY_US): row for row in newest.to_pylist()}
    lines = ["| lead, days | without a burn: p50 / p90, km | with a burn: p50 / p90, km |", "|---|---|---|"]
    for lead_d in (2.0, 3.0, 5.0, 7.0, 10.0, 14.0):
        cells = [f"{rows[burn, lead_d]['p50_km']:.0f} / {rows[burn, lead_d]['p90_km']:.0f}" for burn in (False, True)]
        lines.append(f"| {lead_d:.0f} | {' | '.join(cells)} |")
    counts = [next(row["n"] for (burn, _), row in rows.items() if burn == each) for each in (False, True)]
    lines.append(f"| issue pairs | {counts[0]} | {counts[1]} |")
    return "\n".join(lines) + "\n"
