"""What a benchmark states at its end: figures beside the bars that they have to keep."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SMALL = bool(os.environ.get("ORBITLAKE_BENCH_SMALL"))
"""Whether this run only shows that the benchmark works (`python -m benchmarks --small`): its figures mean nothing."""


def scaled(usual: int, small: int) -> int:
    """How much a benchmark does by default."""
    return small if SMALL else usual


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure that must be at least, or at most, `bar`."""

    name: str
    figure: float
    bar: float
    at_least: bool

    @property
    def holds(self) -> bool:
        return self.figure >= self.bar if self.at_least else self.figure <= self.bar

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{'ok  ' if self.holds else 'MISS'} {self.name}: {self.figure:.3g}, bar {sign} {self.bar:g}"


def print_machine() -> None:
    """Print what the figures were measured on; on a busy machine only ratios say much."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, load {load}", flush=True)


def verdict(bars: Sequence[Bar], json_file: Path | None = None) -> int:
    """Print the bars, write their figures where a file is named, and return the exit status: 0 where all hold.

    A small run always ends with 0: it has come to its end.
    """
    for bar in bars:
        print(bar)
    if json_file:
        json_file.write_text(json.dumps({bar.name: bar.figure for bar in bars}))
    return 0 if SMALL or all(bar.holds for bar in bars) else 1
