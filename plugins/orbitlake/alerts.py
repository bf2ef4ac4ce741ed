"""What is wrong and who knows: an alert is one small file, told once to each channel, and once more when it is over."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from orbitlake.lake import Lake
from orbitlake.lake.json_folder import JsonFolder


class ChannelError(Exception):
    """A channel did not take what it was given; the message says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is watched, as it is now; `text` says so to a person, `clears` what ends it where it is wrong."""

    name: str
    text: str
    is_wrong: bool
    clears: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that went wrong at `since` (UTC, ISO 8601); `told` are the channels that believe it still is.

    `clears` is what ends it, in words.
    """

    name: str
    text: str
    since: str
    is_over: bool = False
    told: list[str] = field(default_factory=list)
    clears: str = ""


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
        return folder_of(self.lake)

    @property
    def notes(self) -> JsonFolder:
        return notes_of(self.lake)

    def heed(self, condition: Condition, now: datetime | None = None) -> None:
        """Raise, clear or leave the alert of a condition. Raises ChannelError where a channel has yet to be told.

        What stands is written before anyone is told, and each telling after it: one killed between the two may tell a
        channel a second time, never not at all. A cause that changes while the alert stands is written, not told again.
        """
        with self.notes.locked():
            held = self.held(condition.name)
            if condition.is_wrong and (held is None or held.is_over):
                since = (now or datetime.now(UTC)).isoformat(timespec="seconds")
                told = held.told if held else []
                held = Alert(condition.name, condition.text, since, told=told, clears=condition.clears)
                self.write(held)
            elif condition.is_wrong and held and (held.text, held.clears) != (condition.text, condition.clears):
                held = replace(held, text=condition.text, clears=condition.clears)
                self.write(held)
            elif not condition.is_wrong and held and not held.is_over:
                held = replace(held, text=condition.text, is_over=True)
                self.write(held)
            if held:
                self.settle(held)

    def settle_all(self) -> None:
        """Tell what a channel did not take before. Raises ChannelError where one still does not."""
        failures = []
        with self.notes.locked():
            for name in self.notes.names():
                if held := self.held(name):
                    try:
                        self.settle(held)
                    except ChannelError as error:
                        failures.append(str(error))
        if failures:
            raise ChannelError("; ".join(failures))

    def standing(self) -> list[Alert]:
        """The alerts that are not over, by name."""
        return standing(self.lake)

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
            self.notes.remove(alert.name)
        if failures:
            raise ChannelError("; ".join(failures))

    def held(self, name: str) -> Alert | None:
        """The alert as it lies on disk; one that cannot be read counts as none, and is written anew."""
        return read_alert(self.notes, name)

    def write(self, alert: Alert) -> None:
        """Put an alert on disk."""
        values = {name: value for name, value in asdict(alert).items() if name != "clears" or value}
        self.notes.write(alert.name, values)


def folder_of(lake: Lake) -> Path:
    """Where the alerts of a lake lie."""
    return lake.root / "alerts"


def notes_of(lake: Lake) -> JsonFolder:
    """The alerts of a lake as files."""
    return JsonFolder(folder_of(lake), lake.staging)


def standing(lake: Lake) -> list[Alert]:
    """Return the alerts that are not over, by name; a file there that is no alert is one itself, since its last change.

    Nobody is told of it by a channel: it is no condition that is watched.
    """
    found = []
    notes = notes_of(lake)
    for name in notes.names():
        alert = read_alert(notes, name)
        if alert is None:
            file = notes.file(name)
            # Cleared since it was listed.
            with suppress(FileNotFoundError):
                since = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
                found.append(Alert(name, f"{file} is no alert that can be read", since, clears="removing that file"))
        elif not alert.is_over:
            found.append(alert)
    return found


def read_alert(notes: JsonFolder, name: str) -> Alert | None:
    """The alert of a name; None where there is none, or something else."""
    values = notes.read(name)
    try:
        return None if values is None else Alert(**values)
    except TypeError:
        return None
