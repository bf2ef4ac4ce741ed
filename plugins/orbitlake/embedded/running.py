"""A supervisor seen from outside: the leash of whoever started it, and what it tells of itself."""

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil

from orbitlake.embedded import interruption
from orbitlake.embedded.roots import TopologyError, locked
from orbitlake.embedded.supervisor import STATUS, end, marked

SUPERVISOR: Final = "orbitlake.embedded.supervisor"
STOP_WITHIN_S: Final = 60


@dataclass(frozen=True)
class Running:
    """A supervisor that this process started, held by a leash until it is detached."""

    run: Path
    process: subprocess.Popen[bytes]
    leash: IO[bytes]

    def tell(self, word: str) -> None:
        """Say `started` or `detach` to the supervisor. Raises TopologyError where it has ended."""
        try:
            self.leash.write(word.encode() + b"\n")
            self.leash.flush()
        except OSError:
            self.check()
            raise

    def check(self) -> None:
        """Raise TopologyError, with what ended it, where the supervisor has ended."""
        if self.process.poll() is not None:
            reason = (status(self.run) or {}).get("reason") or f"exit status {self.process.returncode}"
            raise TopologyError(f"{reason}\n  all was stopped")

    def stop(self) -> int:
        """Stop all that was started, in order; returns how many processes there were."""
        with interruption.held_back():
            count = len(marked(self.run))
            with contextlib.suppress(OSError):
                self.leash.close()
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            end_leftovers(self.run)
        return count


def end_leftovers(run: Path) -> None:
    """End what a supervisor that has ended left of a topology. Raises TopologyError where a process would not end."""
    if not run.is_dir():
        left = end(marked(run))
    else:
        try:
            with locked(run, "it was started again"):
                left = end(marked(run))
        except TopologyError:
            # Another command has started it again: what runs now is its own.
            left = []
    if left:
        raise TopologyError(f"these processes would not end: {[process.pid for process in left]}")


def is_supervisor(process: psutil.Process) -> bool:
    """Whether this is what keeps a topology running."""
    with contextlib.suppress(psutil.Error, OSError):
        return process.cmdline()[1:3] == ["-m", SUPERVISOR]
    return False


def status(run: Path) -> dict[str, Any] | None:
    """What the supervisor of a run folder last wrote of itself; None where none ever ran there."""
    try:
        return dict(json.loads((run / STATUS).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None
