"""Who uses a folder: one lock a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK: Final = "topology.lock"
FOLDERS: Final = ("inbox", "raw", "live", "lake", "quarantine", "staging", "checkpoints", "alerts")
"""What a demo may fill, and empties before it begins."""


class TopologyError(RuntimeError):
    """The topology cannot start or has stopped; the message says what to do."""


@contextmanager
def locked(folder: Path, advice: str) -> Iterator[int]:
    """Hold the lock of a folder, made where there is none; gives the descriptor that holds it.

    The lock lasts as long as any process has that descriptor, and ends with the last of them, however it ended.
    Raises TopologyError, with `advice`, where another has it. Where the block fails, a folder or lock file that was
    made for it is removed again, unless it was signed: then another process has the lock by now.
    """
    absent = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK
    is_new = not file.exists()
    descriptor = _lock(file, advice)
    try:
        yield descriptor
    except BaseException:
        if is_new and not os.fstat(descriptor).st_size:
            file.unlink(missing_ok=True)
            for place in absent:
                with suppress(OSError):
                    place.rmdir()
        raise
    finally:
        os.close(descriptor)


def _lock(file: Path, advice: str) -> int:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A command that was refused may have removed the file between the two calls.
            if file.exists() and os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "a command that is starting"
            os.close(descriptor)
            raise TopologyError(f"{file.parent} is in use by {holder}: {advice}") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def sign(descriptor: int, holder: str) -> None:
    """Write into a lock file who holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.encode(), 0)
