"""When a pass can be seen: the satellite in sunlight, the site in the dark."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.passes.search import Found
from orbitlake.passes.track import Track
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.roots import Rows, roots_between
from orbitlake.physics.sky import Grounds, sight
from orbitlake.physics.sunlight import magnitude, out_of_shadow_km
from orbitlake.physics.vectors import dots

DARK_BELOW_DEG: Final = -6.0
"""The Sun's elevation at the end of civil twilight, when its centre is so far below the horizontal."""
DARK_SINE: Final = float(np.sin(np.radians(DARK_BELOW_DEG)))
SUN_RATE_DEG_S: Final = 361.0 / 86_400.0
"""No faster does the Sun rise or set."""
SAMPLES: Final = 32
"""Into so many parts a pass is divided: what is visible within one alone, under 20 s in low orbit, is missed."""
KM_OF_SINE: Final = 1000.0
"""Depth of shadow that counts as much as the sine of the Sun's elevation: for one margin of both."""
WITHIN_S: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of n passes, (n,) each: first and last instant, in seconds of the track; NaN where nothing.

    highest_sine is that of the greatest elevation at a visible instant, magnitude how bright it is there.
    """

    is_visible: NDArray[np.bool_]
    from_s: Reals
    until_s: Reals
    highest_sine: Reals
    magnitude: Reals


def visible(track: Track, grounds: Grounds, found: Found, standard_magnitude: float | None) -> Seen:
    """Return what can be seen of passes over places, a place each."""
    count = found.place.size
    from_s, until_s, highest_sine, bright = (np.full(count, np.nan) for _ in range(4))
    rows = np.flatnonzero(_may_be_dark(track, grounds, found))
    if rows.size:
        sky = _Sky(track, grounds.of_rows(rows))
        from_s[rows], until_s[rows], highest_s = _first_and_last(sky, found, rows)
        looked = sight(sky.grounds, *track.states(np.nan_to_num(highest_s)))
        highest_sine[rows] = np.where(np.isnan(highest_s), np.nan, looked.sine)
        if standard_magnitude is not None:
            sun = track.sun_at(np.nan_to_num(highest_s))
            phase = np.arccos(np.clip(-dots(sun, looked.direction), -1.0, 1.0))
            bright[rows] = np.where(np.isnan(highest_s), np.nan, magnitude(standard_magnitude, looked.range_km, phase))
    return Seen(~np.isnan(from_s), from_s, until_s, highest_sine, bright)


def _may_be_dark(track: Track, grounds: Grounds, found: Found) -> NDArray[np.bool_]:
    """Tell during which passes the Sun may stand low enough, by where it is at the peak: (n,)."""
    sine = dots(grounds.up, track.sun_at(found.peak_s))
    length_s = np.maximum(found.peak_s - found.rise_s, found.fall_s - found.peak_s)
    lowest_deg = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))) - SUN_RATE_DEG_S * length_s
    return np.asarray(lowest_deg <= DARK_BELOW_DEG + 0.1)


@dataclass(frozen=True, slots=True)
class _Sky:
    """The sky over n places, a pass each."""

    track: Track
    grounds: Grounds

    def margin(self, at_s: Reals, rows: Rows) -> Reals:
        """Return how far instants are from not being visible, negative where they are not: (m,), (m,) -> (m,)."""
        sun = self.track.sun_at(at_s)
        position_km, _ = self.track.states(at_s)
        sunlit = out_of_shadow_km(position_km, sun) / KM_OF_SINE
        return np.asarray(np.minimum(sunlit, DARK_SINE - dots(self.grounds.up[rows], sun)))

    def sine(self, at_s: Reals, rows: Rows) -> Reals:
        """Return sines of elevation: (m,), (m,) -> (m,)."""
        return sight(self.grounds.of_rows(rows), *self.track.states(at_s)).sine


def _first_and_last(sky: _Sky, found: Found, rows: Rows) -> tuple[Reals, Reals, Reals]:
    """Return first, last and highest visible instant of some passes: (m,) each, NaN where there is none."""
    rise_s, peak_s, fall_s = found.rise_s[rows], found.peak_s[rows], found.fall_s[rows]
    shares = np.arange(SAMPLES + 1) / SAMPLES
    at_s = rise_s[:, np.newaxis] + (fall_s - rise_s)[:, np.newaxis] * shares
    at_s = np.sort(np.column_stack((at_s, peak_s)), axis=1)
    number = np.broadcast_to(np.arange(rows.size)[:, np.newaxis], at_s.shape)
    is_seen = sky.margin(at_s.ravel(), number.ravel()).reshape(at_s.shape) > 0.0

    of_change, part = np.nonzero(is_seen[:, 1:] != is_seen[:, :-1])
    change_s = roots_between(
        lambda moment_s, which: sky.margin(moment_s, of_change[which]),
        at_s[of_change, part],
        at_s[of_change, part + 1],
        within=WITHIN_S,
    )
    seen_row, seen_part = np.nonzero(is_seen)
    instant_s = np.concatenate((at_s[seen_row, seen_part], change_s))
    row = np.concatenate((seen_row, of_change))
    sine = sky.sine(instant_s, row)
    first_s, last_s, highest_s = np.full(rows.size, np.inf), np.full(rows.size, -np.inf), np.full(rows.size, np.nan)
    np.minimum.at(first_s, row, instant_s)
    np.maximum.at(last_s, row, instant_s)
    order = np.lexsort((sine, row))
    highest_s[row[order]] = instant_s[order]
    is_visible = np.isfinite(first_s)
    return np.where(is_visible, first_s, np.nan), np.where(is_visible, last_s, np.nan), highest_s
