"""docs/prediction.md: its tables, between marks, from real files."""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.trajectory.sgp4_errors import comparison, sgp4_errors
from tools.prediction.coverage import bands_table, coverage_table
from tools.prediction.estimators import ESTIMATORS
from tools.prediction.history import History
from tools.prediction.rises import rises, rises_table
from tools.prediction.walk import Cell, by_flown_states, cells, median_bounds

CHECKOUT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = CHECKOUT / "docs" / "prediction.md"
DEFAULT_DATA: Final = CHECKOUT.parent / "shared" / "data"
TABLE: Final = re.compile(r"(<!-- table (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def renewed(page: str, folder: Path) -> str:
    """Return the page with its tables as the real files of a folder have them. Raises KeyError for an unknown table."""
    tables = tables_of(History.of(folder))
    return TABLE.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[4]}", page)


def tables_of(history: History) -> dict[str, str]:
    """Return the tables of the page, by name, as Markdown."""
    found = cells(history)
    return {
        "bands": bands_table(history.errors),
        "coverage": coverage_table(history.errors),
        "rises": rises_table(rises(history)),
        "correction": correction_table(found),
        "flown": flown_table(by_flown_states(history)),
        "estimators": estimators_table(found),
        "sgp4": comparison(sgp4_errors(history.issues, history.elements), history.errors),
    }


def correction_table(found: list[Cell]) -> str:
    """Return what the shipped correction does at each lead, by the day of the last observation."""
    lines = [
        "| lead / seen until, days | issues | judged by flown states | raw, km | corrected, km | gain, km | shipped |",
        "|---|---|---|---|---|---|---|",
    ]
    shipped, *_ = ESTIMATORS
    for cell in found:
        corrected_km = cell.corrected_km[shipped]
        medians = [with_bounds(each) for each in (cell.raw_km, corrected_km, cell.raw_km - corrected_km)]
        when = f"{cell.lead_d:.0f} / {cell.until_d:.0f} | {cell.raw_km.size} | {cell.flown}"
        lines.append(f"| {when} | {' | '.join(medians)} | {'yes' if cell.is_shipped else 'no'} |")
    return "\n".join(lines) + "\n"


def flown_table(cell: Cell) -> str:
    """Return what each estimator does to predictions that flown states judge."""
    lines = ["| predictions | estimator | raw, km | corrected, km | gain, km |", "|---|---|---|---|---|"]
    for name, corrected_km in cell.corrected_km.items():
        told = np.isfinite(corrected_km)
        raw_km, left_km = cell.raw_km[told], corrected_km[told]
        medians = [with_bounds(each) for each in (raw_km, left_km, raw_km - left_km)]
        lines.append(f"| {told.sum()} | {name} | {' | '.join(medians)} |")
    return "\n".join(lines) + "\n"


def estimators_table(found: list[Cell]) -> str:
    """Return the median errors of all estimators, cell by cell."""
    names = [*ESTIMATORS]
    lines = [f"| lead / seen until, days | raw | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for cell in found:
        medians_km = [float(np.median(each)) for each in (cell.raw_km, *(cell.corrected_km[name] for name in names))]
        values = ["" if np.isnan(median_km) else f"{median_km:.0f}" for median_km in medians_km]
        lines.append(f"| {cell.lead_d:.0f} / {cell.until_d:.0f} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def with_bounds(values_km: NDArray[np.float64]) -> str:
    """Return a median with the bounds of its resampled values."""
    low_km, high_km = median_bounds(values_km)
    return f"{np.median(values_km):.0f} ({low_km:.0f} to {high_km:.0f})"
