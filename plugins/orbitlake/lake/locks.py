"""One process at a time: the lock of a folder or a file, which a killed process lets go of by itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, waiting until whoever holds it lets go: no lock file is left in it."""
    with _lock(os.open(folder, os.O_RDONLY)):
        yield


@contextmanager
def lock_file(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file that is there for nothing else, waiting likewise; it is made where it is absent.

    Raises BlockingIOError where another holds it and it is not to `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666), 0 if wait else LOCK_NB):
        yield


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock of a file at this moment; one that is not there is held by none."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return False
    try:
        with _lock(descriptor, LOCK_NB):
            return False
    except BlockingIOError:
        return True


@contextmanager
def _lock(descriptor: int, flags: int = 0) -> Iterator[None]:
    try:
        flock(descriptor, LOCK_EX | flags)
        yield
    finally:
        # Closing alone would leave the lock to a process forked meanwhile, which inherits the descriptor.
        flock(descriptor, LOCK_UN)
        os.close(descriptor)
