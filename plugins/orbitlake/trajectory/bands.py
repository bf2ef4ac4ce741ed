"""prediction_bands as predictions are asked for: bounds of the error by lead, as they were known when it was made."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.physics.kinematics import Reals

COLUMNS: Final = ("known_from", "burn_between", "lead_s", "p50_km", "p90_km")


@dataclass(frozen=True, slots=True)
class Band:
    """Bounds of one kind of predictions by lead, with straight lines in between: (m,) each, NaN where not known."""

    lead_s: Reals
    p50_km: Reals
    p90_km: Reals

    def at(self, lead_s: Reals) -> tuple[Reals, Reals]:
        """Return both bounds at leads: (n,) -> two (n,); NaN for what was flown, and beyond the longest lead seen."""
        p50_km, p90_km = (np.interp(lead_s, self.lead_s, each, right=np.nan) for each in (self.p50_km, self.p90_km))
        flown = lead_s <= 0.0
        p50_km[flown], p90_km[flown] = np.nan, np.nan
        return p50_km, p90_km


NOTHING: Final = Band(np.zeros(1), np.full(1, np.nan), np.full(1, np.nan))
"""Where nothing was learned."""


@dataclass(frozen=True, slots=True)
class Bands:
    """All states of knowledge, in order: `known_from_us` (k,), and the bands without and with a burn of each."""

    known_from_us: NDArray[np.int64]
    bands: tuple[tuple[Band, Band], ...]

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """Take rows of prediction_bands of one object, in order."""
        known_us = rows.column("known_from").to_numpy().astype("datetime64[us]").astype(np.int64)
        unique_us, starts = np.unique(known_us, return_index=True)
        ends = [*starts[1:].tolist(), rows.num_rows]
        parts = [rows.slice(start, end - start) for start, end in zip(starts.tolist(), ends, strict=True)]
        return cls(unique_us, tuple((_band(part, False), _band(part, True)) for part in parts))

    def before(self, created_us: int) -> tuple[Band, Band]:
        """Return what was known when an issue was created, without itself: without and with a burn between."""
        return self._at(int(np.searchsorted(self.known_from_us, created_us, side="left")))

    def by(self, known_us: int) -> tuple[Band, Band]:
        """Return what was known at a moment."""
        return self._at(int(np.searchsorted(self.known_from_us, known_us, side="right")))

    def _at(self, count: int) -> tuple[Band, Band]:
        return self.bands[count - 1] if count else (NOTHING, NOTHING)


NO_BANDS: Final = Bands(np.empty(0, dtype=np.int64), ())


def bounds_at(bands: tuple[Band, Band], lead_s: Reals, has_burn: NDArray[np.bool_]) -> tuple[Reals, Reals]:
    """Return both bounds at leads, by the band without a burn or with one: (n,), (n,) -> two (n,)."""
    quiet, burning = bands
    if not has_burn.any():
        return quiet.at(lead_s)
    p50_km, p90_km = burning.at(lead_s)
    if not has_burn.all():
        before = ~has_burn
        p50_km[before], p90_km[before] = quiet.at(lead_s[before])
    return p50_km, p90_km


def _band(rows: pa.Table, is_burn: bool) -> Band:
    chosen = rows.filter(pc.equal(rows.column("burn_between"), is_burn))
    if not chosen.num_rows:
        return NOTHING
    lead_s, p50_km, p90_km = (chosen.column(name).to_numpy().astype(np.float64) for name in COLUMNS[2:])
    return Band(lead_s, p50_km, p90_km)
