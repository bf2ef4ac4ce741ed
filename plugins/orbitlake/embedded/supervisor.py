"""Keeps the processes of a topology running: starts them in order, restarts what dies, stops them all in order.

A process of its own, which reads its parts as one line of JSON from its standard input. That pipe is its leash: when
whoever started it goes away, however that happens, it stops everything, unless it was told `detach` before.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

MARK: Final = "ORBITLAKE_TOPOLOGY"
"""Variable in the environment of every process of a topology: by it the last of them is found, whatever it forked."""
PART_MARK: Final = "ORBITLAKE_PART"
"""Variable that names the part which a process belongs to."""
STATUS: Final = "status.json"
LOG: Final = "processes.log"
LOOK_EACH_S: Final = 0.2
QUICK_S: Final = 30.0
"""A process that lives no longer than this died quickly."""
GIVE_UP_AFTER: Final = 5
LONGEST_PAUSE_S: Final = 10.0
STOP_WITHIN_S: Final = 10.0
LAST_LINES: Final = 8
PR_SET_PDEATHSIG: Final = 1
ENDED, FAILED, GAVE_UP = "stopped", "failed", "gave up"
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Part:
    """One process: what it is called, how it is started, and what has to be there before."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Parts that are ready before this one starts: ended well where they run once, else their check ends with 0."""
    once: bool = False
    check: tuple[str, ...] = ()
    stop_with: int = signal.SIGTERM
    last: bool = False
    """Stopped after all others."""
    ends_with: tuple[str, ...] = ()
    """Parts at whose end this one is ended, to be started again: it would not go on by itself."""


@dataclass
class Child:
    """What became of a part."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    since: str = ""
    log_from: int = 0
    restarts: int = 0
    quick_deaths: int = 0
    start_at: float = 0.0
    ready: bool = False
    last_end: str = ""

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Stopping(Exception):  # noqa: N818 - no error: why everything is to stop
    """Everything is to stop; carries the state that is left, and why."""


@dataclass
class Supervisor:
    """The parts of one run folder."""

    run: Path
    parts: list[Part]
    about: dict[str, Any]
    children: dict[str, Child] = field(default_factory=dict)
    is_started: bool = False
    is_leashed: bool = True
    asked_by: str = ""

    def serve(self) -> int:
        """Run until told to stop; returns 0, or 1 where a process would not live."""
        self.children = {part.name: Child(part) for part in self.parts}
        self._say(f"starting {', '.join(self.children)}")
        state, reason = FAILED, "the supervisor failed"
        try:
            while True:
                for child in self.children.values():
                    self._care_for(child)
                self._heed_leash()
                if self.asked_by:
                    raise Stopping(ENDED, self.asked_by)
        except Stopping as stopping:
            state, reason = stopping.args
        except OSError as error:
            reason = f"the supervisor failed: {error}"
        finally:
            self._say(f"stopping: {reason}")
            self._write_status("stopping", reason)
            count = self._stop_all()
            self._say(f"{state}, {count} processes")
            self._write_status(state, reason)
        return 0 if state == ENDED else 1

    def ask(self, number: int, _frame: object) -> None:
        """Heed a signal that asks for the end."""
        self.asked_by = f"asked to by {signal.Signals(number).name}"

    def _care_for(self, child: Child) -> None:
        part = child.part
        if child.process is not None and (status := child.process.poll()) is not None:
            self._bury(child, status)
        elif child.process is None and not (part.once and child.ready) and time.monotonic() >= child.start_at:
            if all(self.children[name].ready for name in part.needs):
                self._start(child)
        elif child.runs and not child.ready and part.check:
            with suppress(subprocess.TimeoutExpired):
                child.ready = not subprocess.run(part.check, capture_output=True, timeout=10, check=False).returncode
        if child.quick_deaths and child.runs and time.monotonic() - child.started > QUICK_S:
            child.quick_deaths = 0

    def _start(self, child: Child) -> None:
        log = self.log_of(child.part.name)
        child.log_from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            child.process = subprocess.Popen(
                child.part.command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, PART_MARK: child.part.name},
                cwd=self.run / "home",
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid(), child.part.stop_with),
            )
        child.started, child.since = time.monotonic(), now()
        if self.is_started:
            self._say(f"{child.part.name} started again (process {child.process.pid}, restart {child.restarts})")
        self._write_status()

    def _bury(self, child: Child, status: int) -> None:
        """Take note of an end: expected of what runs once, else told, and mended by a restart once all had started."""
        part, lived_s = child.part, time.monotonic() - child.started
        child.process = None
        if part.once and status == 0:
            child.ready = True
            return
        why = ended_how(status)
        lines = last_lines(self.log_of(part.name), child.log_from)
        child.last_end = f"{now()} {part.name} {why} after {lived_s:.0f} s"
        told = "".join(f"\n    {line}" for line in lines) or " (none)"
        self._say(f"{part.name} {why} after {lived_s:.0f} s; its last lines, of {self.log_of(part.name)}:{told}")
        if not self.is_started:
            raise Stopping(
                FAILED, f"{part.name} {why} during the start; its last lines, of {self.log_of(part.name)}:{told}"
            )
        child.ready = False
        child.restarts += 1
        child.quick_deaths = child.quick_deaths + 1 if lived_s < QUICK_S else 0
        if child.quick_deaths >= GIVE_UP_AFTER:
            raise Stopping(
                GAVE_UP,
                f"{part.name} ended {GIVE_UP_AFTER} times within {QUICK_S:.0f} s of its start: it {why}; "
                f"its last lines, of {self.log_of(part.name)}:{told}",
            )
        # What it forked would work on beside its successor, unknown to it.
        end(marked(self.run, part.name))
        for other in self.children.values():
            if part.name in other.part.ends_with and other.process is not None and other.runs:
                self._say(f"{other.part.name} is ended with {part.name}")
                other.process.kill()
        pause_s = min(0.5 * 2**child.quick_deaths, LONGEST_PAUSE_S)
        child.start_at = time.monotonic() + pause_s
        self._write_status()

    def _heed_leash(self) -> None:
        if not self.is_leashed:
            time.sleep(LOOK_EACH_S)
            return
        readable, _, _ = select.select([0], [], [], LOOK_EACH_S)
        if not readable:
            return
        told = os.read(0, 1000).decode()
        if not told:
            raise Stopping(ENDED, "who started it has ended")
        if "started" in told:
            self.is_started = True
            self._say("everything answers")
        if "detach" in told:
            self.is_leashed = False
        self._write_status()

    def _stop_all(self) -> int:
        """Stop every process, the parts marked `last` after all others; returns how many there were."""
        before = marked(self.run)
        for is_last in (False, True):
            running = [child for child in self.children.values() if child.runs and child.part.last is is_last]
            for child in running:
                send(psutil.Process(child.process.pid), child.part.stop_with)  # type: ignore[union-attr]
            deadline = time.monotonic() + STOP_WITHIN_S
            while any(child.runs for child in running) and time.monotonic() < deadline:
                time.sleep(0.05)
            # Tasks, drivers and executors, and what would not end when it was asked to.
            kept = {child.part.name for child in self.children.values() if child.part.last and not is_last}
            end([process for process in marked(self.run) if part_of(process) not in kept])
        for child in self.children.values():
            if child.process is not None:
                child.process.poll()
        return len(before)

    def log_of(self, name: str) -> Path:
        return self.run / "logs" / f"{name}.log"

    def _say(self, line: str) -> None:
        # A full disk must not end what it holds together.
        with suppress(OSError):
            print(f"{now()} {line}", flush=True)

    def _write_status(self, state: str = "", reason: str = "") -> None:
        parts = {
            child.part.name: {
                "pid": child.process.pid if child.process is not None and child.runs else None,
                "since": child.since,
                "restarts": child.restarts,
                "last_end": child.last_end,
            }
            for child in self.children.values()
            if not child.part.once
        }
        state = state or ("running" if self.is_started else "starting")
        content = self.about | {"pid": os.getpid(), "state": state, "reason": reason, "at": now(), "parts": parts}
        aside = self.run / f"{STATUS}.new"
        with suppress(OSError):
            aside.write_text(json.dumps(content, indent=2), encoding="utf-8")
            aside.replace(self.run / STATUS)


def die_with_parent(parent: int, number: int) -> Any:
    """Return what a child does before its program starts, so that it does not outlive a killed supervisor."""

    def prepare() -> None:
        # Linux alone can do it; elsewhere the next `up` or `down` finds what was left by its mark.
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def marked(run: Path, part: str | None = None) -> list[psutil.Process]:
    """Every live process that carries the mark of a topology (and of a part), whoever its parent is by now.

    The process that asks is not among them, nor any that it descends from.
    """
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid in mine:
                continue
            environment = process.environ()
            ours = environment.get(MARK) == str(run) and (part is None or environment.get(PART_MARK) == part)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def part_of(process: psutil.Process) -> str | None:
    """The part which a process belongs to."""
    with suppress(psutil.Error, OSError):
        return process.environ().get(PART_MARK)
    return None


def end(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Ask processes to end, kill those that do not; returns those that are there all the same."""
    left = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            send(process, number)
        _, left = psutil.wait_procs(left, timeout=STOP_WITHIN_S / 2)
        left = [process for process in left if is_alive(process)]
    return left


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that only waits for its parent to take notice has ended."""
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def send(process: psutil.Process, number: int) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def ended_how(status: int) -> str:
    """An exit status as `subprocess` gives it, in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def last_lines(log: Path, start: int) -> list[str]:
    """The last lines that a process wrote, without the frames of a Java stack."""
    with suppress(OSError), log.open("rb") as source:
        source.seek(max(start, log.stat().st_size - 20_000))
        lines = source.read().decode(errors="replace").splitlines()
        said = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith(("at ", "... "))]
        return [line[:300] for line in said[-LAST_LINES:]]
    return []


def now() -> str:
    """The time in UTC, to the second."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def main() -> int:
    """Serve the parts that standard input names; returns the exit status."""
    first = b""
    while not first.endswith(b"\n"):
        chunk = os.read(0, 1)
        if not chunk:
            return 0
        first += chunk
    told = json.loads(first)
    parts = [
        Part(**{**part, **{k: tuple(part[k]) for k in ("command", "needs", "check", "ends_with")}})
        for part in told["parts"]
    ]
    supervisor = Supervisor(Path(told["run"]), parts, told["about"])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervisor.ask)
    # The starter held its signals back while it started this process.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    return supervisor.serve()


def spoken(run: Path, parts: list[Part], about: dict[str, Any]) -> bytes:
    """What a supervisor reads first."""
    told = {"run": str(run), "parts": [asdict(part) for part in parts], "about": about}
    return json.dumps(told).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
