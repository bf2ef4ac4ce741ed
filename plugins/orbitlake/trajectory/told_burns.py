"""The burns that one issue tells of: what its states fly and its event table prints, a physical burn at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import pyarrow as pa

STATES, EVENT, PATH, JUMP = "STATES", "EVENT", "PATH", "JUMP"
"""What tells of a burn: powered states, the event table alone, where the path runs after it, and without any plan."""
NAME_JOINT: Final = " + "


@dataclass(frozen=True, slots=True)
class ToldBurn:
    """One physical burn of an issue. Times are UTC in microseconds; `cutoff_us` is that of ignition where not told.

    sigma_s says how far ignition may be off. printed_m_s is the sum of its events' delta-v, flown_m_s that of its
    states, raised_km by how much they raise the mean semi-major axis; None where not told.
    """

    ignition_us: int
    cutoff_us: int
    sigma_s: float
    printed_m_s: float | None
    flown_m_s: float | None
    raised_km: float | None
    event_name: str | None
    told_by: str

    @property
    def delta_v_m_s(self) -> float:
        """The delta-v as printed, else as flown."""
        return self.printed_m_s if self.printed_m_s is not None else self.flown_m_s or 0.0


def told_burns(episodes: pa.Table, events: pa.Table) -> Iterator[ToldBurn]:
    """Yield the burns of an issue's rows of thrust_episodes and trajectory_events, by ignition.

    Runs less than a minute apart are one burn. An event with delta-v that no run matches is a burn by itself.
    """
    runs = sorted(episodes.to_pylist(), key=lambda row: row["ignition_time"])
    found = [_flown(list(group)) for _, group in groupby(runs, key=lambda row: row["manoeuvre"])]
    for event in events.to_pylist():
        if event["is_burn"]:
            at_us = _us(event["ignition_time"])
            if not any(burn.ignition_us <= at_us <= burn.cutoff_us for burn in found):
                printed_m_s, name = event["delta_v_m_s"], event["event_name"]
                found.append(ToldBurn(at_us, at_us, 0.0, printed_m_s, None, None, name, EVENT))
    yield from sorted(found, key=lambda burn: (burn.ignition_us, burn.event_name or ""))


def _flown(runs: Sequence[dict[str, Any]]) -> ToldBurn:
    names = [name for run in runs for name in run["event_names"]]
    printed = [run["event_delta_v_m_s"] for run in runs if run["event_delta_v_m_s"] is not None]
    before_km, after_km = runs[0]["semi_major_axis_before_km"], runs[-1]["semi_major_axis_after_km"]
    return ToldBurn(
        ignition_us=_us(runs[0]["ignition_time"]),
        cutoff_us=_us(runs[-1]["cutoff_time"]),
        sigma_s=runs[0]["ignition_sigma_s"] or 0.0,
        printed_m_s=sum(printed) if printed else None,
        flown_m_s=sum(run["delta_v_m_s"] for run in runs),
        raised_km=None if before_km is None or after_km is None else after_km - before_km,
        event_name=NAME_JOINT.join(names) or None,
        told_by=STATES,
    )


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)
