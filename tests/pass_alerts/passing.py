"""Passes as a test wants them, notes in memory, and channels that remember what they took."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from orbitlake.alerts import ChannelError
from orbitlake.pass_alerts import Coming, Message

NINE = datetime(2026, 11, 20, 20, 3, 10, tzinfo=UTC)
"""The rise of the base pass: 21:03:10 in Paris."""
OBJECT = "1998-067A"


def coming(begin: datetime = NINE, **changes: Any) -> Coming:
    """Return a pass over Paris."""
    minute = timedelta(minutes=1)
    visible = changes.pop("visible", True)
    is_flown = changes.pop("is_flown", False)
    site = changes.pop("site", "Paris")
    facts = {
        "object_id": OBJECT,
        "site": site,
        "pass_id": f"{begin:%Y%m%dT%H%M%S}Z-first",
        "rise_time": begin,
        "culmination_time": begin + 3 * minute,
        "set_time": begin + 6 * minute,
        "rise_azimuth_deg": 292.0,
        "culmination_azimuth_deg": 203.0,
        "set_azimuth_deg": 100.0,
        "max_elevation_deg": 67.2,
        "range_km": 450.0,
        "visible_from": begin if visible else None,
        "visible_until": begin + 4 * minute if visible else None,
        "visible_max_elevation_deg": 67.2 if visible else None,
        "magnitude": -3.12 if visible else None,
        "time_sigma_s": 1.2,
        "time_p90_s": 2.0,
        "burn_between": False,
        "creation_date": begin - timedelta(days=1),
        "revision": 0,
        "status": "PREDICTED",
        "shift_s": None,
    } | changes
    plain = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in facts.items()}
    return Coming(OBJECT, "ISS", site, True, "Europe/Paris", plain, is_flown)


def near_kourou(begin: datetime = NINE) -> Coming:
    """Return an approach to Kourou."""
    facts = {
        "object_id": OBJECT,
        "point": "Kourou",
        "approach_id": "20261120T200420Z-first",
        "entry_time": begin.isoformat(),
        "closest_time": (begin + timedelta(seconds=70)).isoformat(),
        "exit_time": (begin + timedelta(seconds=140)).isoformat(),
        "distance_km": 120.4,
        "time_p90_s": None,
        "status": "PREDICTED",
    }
    return Coming(OBJECT, "ISS", "Kourou", False, "UTC", facts)


class Killed(BaseException):
    """The sender is gone, at this very instruction."""


class MemoryNotes:
    """Notes without a disk; each writing, and what comes before it, may be the last thing that a sender did."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.kills_in: int | None = None

    def step(self) -> None:
        """Count a step of the sender; the one that it is killed at is not done."""
        if self.kills_in is not None:
            self.kills_in -= 1
            if self.kills_in < 0:
                self.kills_in = None
                raise Killed

    def names(self) -> list[str]:
        return sorted(self.held)

    def read(self, name: str) -> dict[str, Any] | None:
        return self.held.get(name)

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        self.step()
        self.held[name] = deepcopy(dict(values))

    def remove(self, name: str) -> None:
        self.held.pop(name, None)

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield


class Receivers:
    """What each channel was sent, repeats included; those in `down` take nothing."""

    def __init__(self, notes: MemoryNotes | None = None) -> None:
        self.notes = notes
        self.sent: list[tuple[str, Message]] = []
        self.down: set[str] = set()

    def __call__(self, channel: str, message: Message) -> None:
        if channel in self.down:
            raise ChannelError("no answer")
        self.sent.append((channel, message))
        if self.notes:
            # Killed between sending and noting it.
            self.notes.step()

    def kinds(self, channel: str = "log") -> list[str]:
        """Return the kinds of what a receiver keeps that drops repeats of an id."""
        return [each.kind for each in {each.id: each for name, each in self.sent if name == channel}.values()]
