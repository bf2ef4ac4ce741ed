"""What is wrong and who knows: an alert is one small file, told once to each channel, and once more when it is over."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_UN, flock
from os import O_RDONLY, close, open
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake, safe_name, write_file

SUFFIX: Final = ".json"


class ChannelError(Exception):
    """A channel did not take what it was given; the message says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is watched, as it is now; `text` says so to a person."""

    name: str
    text: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that went wrong at `since` (UTC, ISO 8601); `told` are the channels that believe it still is."""

    name: str
    text: str
    since: str
    is_over: bool = False
    told: list[str] = field(default_factory=list)


Tell = Callable[[str, Alert], None]
"""Give an alert to a channel; raises ChannelError."""


@dataclass(frozen=True, slots=True)
class Board:
    """The alerts of a lake, one file each below `alerts/`, and the channels that are to know of them."""

    lake: Lake
    channels: Sequence[str]
    tell: Tell

    @property
    def folder(self) -> Path:
        return self.lake.root / "alerts"

    def heed(self, condition: Condition, now: datetime | None = None) -> None:
        """Raise, clear or leave the alert of a condition. Raises ChannelError where a channel has yet to be told.

        What stands is written before anyone is told, and each telling after it: one killed between the two may tell a
        channel a second time, never not at all.
        """
        with self.locked():
            held = self.held(condition.name)
            if condition.is_wrong and (held is None or held.is_over):
                since = (now or datetime.now(UTC)).isoformat(timespec="seconds")
                held = Alert(condition.name, condition.text, since, told=held.told if held else [])
                self.write(held)
            elif not condition.is_wrong and held and not held.is_over:
                held = replace(held, text=condition.text, is_over=True)
                self.write(held)
            if held:
                self.settle(held)

    def settle_all(self) -> None:
        """Tell what a channel did not take before. Raises ChannelError where one still does not."""
        failures = []
        with self.locked():
            for file in sorted(self.folder.glob(f"*{SUFFIX}")):
                if held := self.held(file.name.removesuffix(SUFFIX)):
                    try:
                        self.settle(held)
                    except ChannelError as error:
                        failures.append(str(error))
        if failures:
            raise ChannelError("; ".join(failures))

    def standing(self) -> list[Alert]:
        """The alerts that are not over, by name."""
        found = [self.held(file.name.removesuffix(SUFFIX)) for file in sorted(self.folder.glob(f"*{SUFFIX}"))]
        return [alert for alert in found if alert and not alert.is_over]

    def settle(self, alert: Alert) -> None:
        """Tell each channel whose belief differs; an alert that is over for all of them goes."""
        # A channel that is no longer among the settings cannot be told.
        told = [channel for channel in alert.told if channel in self.channels]
        failures = []
        for channel in self.channels:
            if (channel in told) != alert.is_over:
                continue
            try:
                self.tell(channel, alert)
            except ChannelError as error:
                failures.append(f"{channel} was not told of {alert.name}: {error}")
                continue
            told = [each for each in told if each != channel] if alert.is_over else [*told, channel]
            self.write(replace(alert, told=told))
        if alert.is_over and not told:
            self.file(alert.name).unlink(missing_ok=True)
        if failures:
            raise ChannelError("; ".join(failures))

    def held(self, name: str) -> Alert | None:
        """The alert as it lies on disk."""
        try:
            return Alert(**json.loads(self.file(name).read_bytes()))
        except FileNotFoundError:
            return None

    def write(self, alert: Alert) -> None:
        """Put an alert on disk."""
        write_file(self.file(alert.name), json.dumps(asdict(alert), indent=2).encode(), self.lake.staging)

    def file(self, name: str) -> Path:
        return self.folder / f"{safe_name(name)}{SUFFIX}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time raise and clear; a killed one lets go by itself."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = open(self.folder, O_RDONLY)
        try:
            flock(descriptor, LOCK_EX)
            yield
        finally:
            flock(descriptor, LOCK_UN)
            close(descriptor)
