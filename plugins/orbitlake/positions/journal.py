"""Which raw files the stream has taken, batch by batch: written before a batch begins, small however long it runs.

In the folder: `<n>.json`, the files of batch n in order, never changed; and `taken.json`, into which the batches that
are done for good are folded from time to time. Files that do not exist any more are forgotten then.
"""

import json
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Final, Self

from orbitlake.lake import write_file

TAKEN: Final = "taken"
"""The one word of Spark's offset: the number of the last batch taken."""
FOLDED: Final = "taken.json"
FOLD_AFTER: Final = 200
"""How many batches stay a file of their own before they are folded."""


class JournalError(Exception):
    """The journal is not that of the checkpoint beside it; nothing was read."""


class Journal:
    """The raw files taken, as they stand on disk."""

    def __init__(self, folder: Path, staging: Path):
        self.folder, self.staging = folder, staging
        self.folded_through = 0
        self.folded: set[str] = set()
        self.batches: dict[int, list[str]] = {}
        self.taken: set[str] = set()
        """The files of all batches."""

    @classmethod
    def load(cls, folder: Path, staging: Path) -> Self:
        """Read the journal of a folder; one that does not exist is empty."""
        journal = cls(folder, staging)
        if (folder / FOLDED).exists():
            folded = json.loads((folder / FOLDED).read_text())
            journal.folded_through, journal.folded = folded["through"], set(folded["files"])
        for number in numbers_in(folder):
            if number > journal.folded_through:
                journal.batches[number] = files_of_batch(folder, number)
        journal.taken = journal.taken_through(journal.last)
        return journal

    @property
    def last(self) -> int:
        """The number of the last batch written, 0 before the first."""
        return max(self.batches, default=self.folded_through)

    def taken_through(self, through: int) -> set[str]:
        """The files of the batches up to a number."""
        return self.folded.union(*(files for number, files in self.batches.items() if number <= through))

    def take(self, files: list[str]) -> int:
        """Write the next batch; return its number."""
        number = self.last + 1
        write_file(batch_file(self.folder, number), json.dumps(files, indent=0).encode(), self.staging)
        self.batches[number] = files
        self.taken.update(files)
        return number

    def fold(self, through: int, files: Iterable[str]) -> None:
        """Let `files` stand for all batches up to `through`, which will not be asked for again."""
        self.folded_through, self.folded = through, set(files)
        content = json.dumps({"through": through, "files": sorted(self.folded)}, indent=0).encode()
        write_file(self.folder / FOLDED, content, self.staging)
        self.batches = {number: files for number, files in self.batches.items() if number > through}
        self.taken = self.taken_through(self.last)
        for number in numbers_in(self.folder):
            if number <= through:
                batch_file(self.folder, number).unlink()

    def fold_when_long(self, through: int, existing: Set[str]) -> None:
        """Fold the batches up to `through` once they are many, and forget the files that do not exist any more."""
        if through - self.folded_through >= FOLD_AFTER:
            self.fold(through, self.taken_through(through) & existing)


def files_of_batch(folder: Path, number: int) -> list[str]:
    """Return the files of a batch in order. Raises JournalError where there is no such batch."""
    try:
        return list(json.loads(batch_file(folder, number).read_text()))
    except FileNotFoundError:
        raise JournalError(
            f"{folder} does not hold batch {number}, which Spark's checkpoint beside it asks for: "
            "restore both from one backup, or remove both to start anew"
        ) from None


def numbers_in(folder: Path) -> list[int]:
    """The batches that have a file, in order."""
    return sorted(int(file.stem) for file in folder.glob("[0-9]*.json"))


def batch_file(folder: Path, number: int) -> Path:
    """The place of a batch."""
    return folder / f"{number:010d}.json"
