"""What was told of which pass, by whom it was taken: one small file an alert, until issues have flown it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Protocol

from orbitlake.lake import Lake
from orbitlake.lake.json_folder import JsonFolder
from orbitlake.pass_alerts.coming import Coming, instant

LAST_RUN: Final = "last-run"


class Notes(Protocol):
    """Where notices lie: a JsonFolder, or what a test puts in its place."""

    def names(self) -> list[str]:
        """Return the names of all."""

    def read(self, name: str) -> dict[str, Any] | None:
        """Return what is noted there; None where nothing is that can be read."""

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Note values, whole or not at all."""

    def remove(self, name: str) -> None:
        """Forget what is noted there."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from noting."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert of one rule for one pass: what it says, the channels that it is for, and who took it.

    `tried` are the channels that may have it, `told` those that said so, `missed` those that did not until it was too
    late. `correction` is what those tried are told after it, `corrected` who took that. One that `is_late` was noticed
    too late for all.
    """

    name: str
    rule: str
    what: Coming
    channels: list[str]
    tried: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    is_late: bool = False
    correction: Coming | None = None
    corrected: list[str] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


KNOWN: Final = frozenset(each.name for each in fields(Notice))


def notes_of(lake: Lake) -> JsonFolder:
    """Return where the notices of a lake lie."""
    return JsonFolder(lake.root / "alerts" / "passes", lake.staging)


def all_notices(notes: Notes) -> list[Notice]:
    """Return all notices that can be read."""
    held = (notes.read(name) for name in notes.names() if name != LAST_RUN)
    return [notice for values in held if values and (notice := notice_of(values))]


def notice_of(values: Mapping[str, Any]) -> Notice | None:
    """Return a notice as JSON held it; None where that is something else."""
    try:
        given = {name: value for name, value in values.items() if name in KNOWN}
        given["what"] = Coming(**values["what"])
        if values["correction"] is not None:
            given["correction"] = Coming(**values["correction"])
        return Notice(**given)
    except (KeyError, TypeError):
        return None


def last_run(notes: Notes) -> datetime | None:
    """Return when the run before looked; None where that is not known."""
    held = notes.read(LAST_RUN)
    try:
        return instant(held["at"]) if held else None
    except (KeyError, TypeError, ValueError):
        return None
