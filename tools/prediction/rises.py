"""How often the 90 % interval of a predicted rise held what a later issue says, each as it was known at the time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.passes import PARIS, Site
from orbitlake.passes.kinds import OF_PASSES, Columns, columns_from
from orbitlake.passes.revisions import same_ones
from orbitlake.passes.site_passes import TOLD, passes_of_issue
from orbitlake.trajectory.bands import Bands
from orbitlake.trajectory.issues import DAY_US, Issue, utc_us_of
from orbitlake.trajectory.learned_bands import learn_bands
from orbitlake.trajectory.states import Trajectory
from tools.prediction.history import History

SITES: Final = (
    PARIS,
    *(
        Site(name, latitude_deg, longitude_deg)
        for name, latitude_deg, longitude_deg in (
            ("Dateline", 0.0, 180.0),
            ("Gulf of Guinea", 0.0, 0.0),
            ("Ushuaia", -54.8, -68.3),
            ("Aleutians", 51.6, -179.9),
            ("Denver", 40.0, -105.0),
            ("Sydney", -33.9, 151.2),
            ("Moscow", 55.8, 37.6),
            ("Dubai", 25.2, 55.3),
            ("South Atlantic", -40.0, -10.0),
        )
    ),
)
LEADS_D: Final = (0.0, 3.0, 5.0, 7.0, 10.0, 16.0)


@dataclass(frozen=True, slots=True)
class Rises:
    """Predicted rises that a later issue tells of as well, (n,) each: which pair of issues, lead in days, whether the
    later issue saw the pass flown, and whether its rise lies within the interval.
    """

    pair: NDArray[np.int64]
    lead_d: NDArray[np.float64]
    is_flown: NDArray[np.bool_]
    is_held: NDArray[np.bool_]

    def of_rows(self, rows: NDArray[np.bool_]) -> "Rises":
        """Return some of them."""
        return Rises(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def share(self) -> float:
        """How many are held, of 1."""
        return float(self.is_held.mean())

    @property
    def share_of_pairs(self) -> float:
        """The same where each pair of issues counts once: the passes of one are late together."""
        _, number = np.unique(self.pair, return_inverse=True)
        return float(np.mean(np.bincount(number, self.is_held) / np.bincount(number)))


def rises(history: History) -> Rises:
    """Return all rises of all pairs of issues whose interval was known when they were predicted."""
    bands = Bands.of(learn_bands(history.errors))
    told = [_told(issue, bands) for issue in history.issues.all]
    found = [_empty(), *_compared(history, told)]
    return Rises(*(np.concatenate([getattr(each, name) for each in found]) for name in Rises.__slots__))


def _told(issue: Issue, bands: Bands) -> dict[str, Columns]:
    since, until = utc_us_of(np.array([issue.start_tai_us, issue.stop_tai_us])).astype("datetime64[us]")
    rows = passes_of_issue(SITES, Trajectory(issue.arcs, bands), since, until, None, False)
    names = rows.column("site").cast(pa.string())
    return {site.name: columns_from(rows.filter(pc.equal(names, site.name)).select(TOLD[1:])) for site in SITES}


def _compared(history: History, told: list[dict[str, Columns]]) -> Iterator[Rises]:
    issues = history.issues
    for later, issue in enumerate(issues.all):
        for earlier in np.flatnonzero(issues.stop_tai_us[:later] > issue.start_tai_us).tolist():
            for site in SITES:
                predicted, judged = told[earlier][site.name], told[later][site.name]
                mine, theirs = same_ones(OF_PASSES, predicted, judged)
                rise_us, later_us = (
                    rows["rise_time"].astype(np.int64)[places] for rows, places in ((predicted, mine), (judged, theirs))
                )
                lead_us = rise_us - issues.all[earlier].creation_us
                bound_s = predicted["time_p90_s"][mine]
                found = Rises(
                    np.full(mine.size, later * len(told) + earlier),
                    lead_us / DAY_US,
                    judged["set_time"].astype(np.int64)[theirs] <= issue.creation_us,
                    np.abs(later_us - rise_us) / 1e6 <= bound_s,
                )
                yield found.of_rows(np.isfinite(bound_s))


def _empty() -> Rises:
    return Rises(np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_), np.empty(0, np.bool_))


def rises_table(found: Rises) -> str:
    """Return how many rises each range of lead held, as Markdown."""
    lines = [
        "| lead, days | issue pairs | rises | within p90 | of those flown | within p90 |",
        "|---|---|---|---|---|---|",
    ]
    spans = [*pairwise(LEADS_D), (LEADS_D[0], LEADS_D[-1])]
    for since_d, until_d in spans:
        some = found.of_rows((found.lead_d > since_d) & (found.lead_d <= until_d))
        flown = some.of_rows(some.is_flown)
        name = "all" if (since_d, until_d) == spans[-1] else f"{since_d:g} to {until_d:g}"
        cells = [
            f"{each.pair.size} | {each.share:.0%} ({each.share_of_pairs:.0%} of pairs)" if each.pair.size else "0 | "
            for each in (some, flown)
        ]
        lines.append(f"| {name} | {np.unique(some.pair).size} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
