"""Signals at random moments of `demo`, `up` and `down`: nothing is left without a word, nothing of others is touched.

    PYTHONPATH=plugins ORBITLAKE_INTERRUPTIONS=50 python -m tests.embedded.interruptions [seed]

prints a line each and ends with 1 where something was found.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.embedded.strangers import command, plain_environment, ports

from orbitlake.embedded.__main__ import demo_run
from orbitlake.embedded.supervisor import is_alive, marked
from orbitlake.settings import CHECKOUT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMMANDS = ("demo", "up", "down")
LONGEST_S = {"demo": 90.0, "up": 60.0, "down": 5.0}
"""How late the signal comes at most: past the start of a machine that has time."""
ENDS_WITHIN_S = 180


def heed_signals() -> None:
    """Let a command heed what asks it to end: of whoever starts the tests in the background these are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class Interruptions:
    """A run folder, the data roots of its commands, and one that belongs to nobody."""

    folder: Path
    chance: random.Random
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = self.folder / "run"
        self.ports = ports()
        self.data = {name: self.folder / name for name in ("up", "demo", "others")}
        (self.data["others"] / "lake").mkdir(parents=True)
        (self.data["others"] / "lake" / "rows").write_text("of others")

    def environment(self, data: Path) -> dict[str, str]:
        return plain_environment(data, self.ports) | {"ORBITLAKE_UPSTREAM": "simulator"}

    def start(self, name: str, data: Path) -> subprocess.Popen:
        return subprocess.Popen(
            command(CHECKOUT, name, "--run", str(self.run)),
            env=self.environment(data),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_signals,
        )

    def processes(self) -> list[psutil.Process]:
        """What runs of either topology."""
        return [process for run in (self.run, demo_run(self.run)) for process in marked(run)]

    def left(self) -> int:
        """How many processes there are; what is ending by itself is waited for."""
        deadline = time.monotonic() + 2
        processes = self.processes()
        while any(is_alive(process) for process in processes) and time.monotonic() < deadline:
            time.sleep(0.1)
        return sum(is_alive(process) for process in processes)

    def interrupt(self, name: str, number: signal.Signals, after_s: float) -> None:
        """Send a signal to a command and judge its end."""
        root = self.data["up" if name == "down" else name]
        others = {other: digests(data) for other, data in self.data.items() if data != root}
        was_up = bool(marked(self.run))
        process = self.start(name, root)
        try:
            process.wait(after_s)
            ended_before = True
        except subprocess.TimeoutExpired:
            ended_before = False
            os.killpg(process.pid, number)
        try:
            output, _ = process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            self.complain(name, f"has not ended {ENDS_WITHIN_S} s after {number.name}", output)
        expected = {0, 1} if ended_before else {128 + number, -number, 0}
        if process.returncode not in expected:
            self.complain(name, f"exit status {process.returncode} after {number.name}", output)
        if "Traceback" in output:
            self.complain(name, f"a traceback after {number.name}", output)
        left, stays = self.left(), name == "up" and process.returncode == 0
        told = "call it again" in output or (name == "down" and not output) or stays or (was_up and name == "demo")
        if left and not told:
            self.complain(name, f"{left} processes left without a word", output)
        for other, before in others.items():
            if digests(self.data[other]) != before:
                self.complain(name, f"changed the data root of {other}", output)
        print(
            f"{name:4} {'ended before' if ended_before else number.name:12} after {after_s:5.1f} s: "
            f"exit {process.returncode}, {left} processes, {' / '.join(output.strip().splitlines()[-1:])[:90]}",
            flush=True,
        )

    def settle(self) -> None:
        """The next `down` works, whatever was before."""
        process = self.start("down", self.data["up"])
        output, _ = process.communicate(timeout=ENDS_WITHIN_S)
        if process.returncode or self.left():
            self.complain("down", f"exit {process.returncode}, {self.left()} processes left", output)

    def complain(self, name: str, what: str, output: str) -> None:
        self.found.append(f"{name}: {what}")
        print(f"FOUND {name}: {what}\n{output[-2000:]}", flush=True)

    def run_all(self, count: int) -> None:
        for _ in range(count):
            name = self.chance.choice(COMMANDS)
            if name == "down":
                # Something to stop: an `up` that goes on starting while it is stopped.
                starting = self.start("up", self.data["up"])
                time.sleep(self.chance.uniform(1, 15))
                self.interrupt(name, self.chance.choice(SIGNALS), self.chance.uniform(0.05, LONGEST_S[name]))
                self.settle()
                output, _ = starting.communicate(timeout=ENDS_WITHIN_S)
                if "Traceback" in output:
                    self.complain("up", "a traceback when it was stopped", output)
            else:
                self.interrupt(name, self.chance.choice(SIGNALS), self.chance.uniform(0.05, LONGEST_S[name]))
            self.settle()


def digests(folder: Path) -> dict[str, str]:
    """What lies in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("**/*"))
        if path.is_file()
    }


def main() -> int:
    """Interrupt as often as ORBITLAKE_INTERRUPTIONS says; returns the exit status."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    count = int(os.environ.get("ORBITLAKE_INTERRUPTIONS") or 5)
    with tempfile.TemporaryDirectory(prefix="orbitlake-") as folder:
        all_of_them = Interruptions(Path(folder), random.Random(seed))
        try:
            all_of_them.run_all(count)
        finally:
            all_of_them.settle()
    print(f"{count} interruptions, seed {seed}: {len(all_of_them.found)} found: {all_of_them.found}")
    return 1 if all_of_them.found else 0


if __name__ == "__main__":
    sys.exit(main())
