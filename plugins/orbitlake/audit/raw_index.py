"""Which raw files have polls of which UTC days: as noted, where a file is as it was, else by reading it."""

from collections.abc import Mapping
from datetime import date

from orbitlake.audit.notes import Feed, Notes
from orbitlake.audit.outcomes import Polls
from orbitlake.audit.raw_polls import RawPolls, raw_listing
from orbitlake.lake import Lake

Held = dict[str, tuple[int, tuple[date, ...]]]


class RawIndex:
    """The raw files of a lake by the days that they have polls of. Files are named from the raw root."""

    def __init__(self, lake: Lake, object_id: str, notes: Mapping[date, Notes]) -> None:
        self.notes, self.object_id = notes, object_id
        self.raw = RawPolls(lake, object_id)
        self.listing = raw_listing(lake)
        self.held: dict[date, Held] = {}
        """The files in the folder of each day, with their bytes and the days that they have polls of."""
        self._made_from: dict[date, dict[str, int]] = {}
        for day, files in self.listing.items():
            held = notes[day].held if day in notes and notes[day].object_id == object_id else {}
            self.held[day] = {
                name: held[name] for name, size in files.items() if name in held and held[name][0] == size
            }
            for name, (size, days) in self.held[day].items():
                self._take(name, size, days)

    def read_new(self, day: date) -> None:
        """Read the new files in the folder of a day."""
        for name, size in self.listing.get(day, {}).items():
            if name not in self.held[day] and (days := self.raw.days_of_file(name, size)) is not None:
                self.held[day][name] = size, days
                self._take(name, size, days)

    def _take(self, name: str, size: int, days: tuple[date, ...]) -> None:
        for day in days:
            self._made_from.setdefault(day, {})[name] = size

    @property
    def days(self) -> set[date]:
        """The days that have a folder, or polls in a file that was read."""
        return {*self.listing, *self._made_from}

    def files_of(self, day: date) -> dict[str, int]:
        """The files that have polls of a day, and their bytes."""
        return dict(sorted(self._made_from.get(day, {}).items()))

    def polls_of(self, day: date) -> dict[Feed, Polls]:
        """Return the polls of a day by feed. Raises RawFileError where a file has gone away."""
        return self.raw.of_day(self.files_of(day), day)

    def is_kept(self, day: date) -> bool:
        """Whether a day stays as it is, since raw files that it was made from are gone, and none took their place.

        A sealed file takes the place of segments; old raw files may be removed by setting.
        """
        if day not in self.notes:
            return False
        folders = {date.fromisoformat(name[5:15]): name for name in self.notes[day].made_from if self.is_gone(name)}
        return any(not self.has_new(folder) for folder in folders)

    def is_gone(self, name: str) -> bool:
        """Whether a file is no longer there."""
        return name not in self.listing.get(date.fromisoformat(name[5:15]), {})

    def has_new(self, folder: date) -> bool:
        """Whether there are files in the folder of a day that were not noted."""
        noted = self.notes[folder].held if folder in self.notes else {}
        return any(name not in noted for name in self.listing.get(folder, {}))
