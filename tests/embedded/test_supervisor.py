"""What keeps a topology running: restarts, gives up, stops in order, and dies with whoever holds its leash."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orbitlake.embedded import supervisor
from orbitlake.embedded.supervisor import MARK, Part, last_lines, marked, spoken
from orbitlake.settings import CHECKOUT

WITHIN_S = 60
SLEEP = "import time; time.sleep(600)"
FORK = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); "


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


class Supervised:
    """A supervisor of parts that a test names."""

    def __init__(self, run: Path, *parts: Part):
        self.run = run
        for folder in ("logs", "home"):
            (run / folder).mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), MARK: str(run)}
        with (run / "logs" / supervisor.LOG).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orbitlake.embedded.supervisor"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self.tell(spoken(run, list(parts), {}))

    def tell(self, words: bytes) -> None:
        self.process.stdin.write(words)
        self.process.stdin.flush()

    @property
    def status(self) -> dict:
        try:
            return json.loads((self.run / supervisor.STATUS).read_text())
        except FileNotFoundError:
            return {}

    @property
    def log(self) -> str:
        return (self.run / "logs" / supervisor.LOG).read_text()

    def pid(self, part: str) -> int | None:
        return self.status.get("parts", {}).get(part, {}).get("pid")

    def start(self, *parts: str) -> None:
        """Wait for the parts and say that all has started."""
        await_that(lambda: all(self.pid(part) for part in parts))
        self.tell(b"started\n")
        await_that(lambda: self.status["state"] == "running")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def begin(*parts: Part) -> Supervised:
        started.append(Supervised(tmp_path, *parts))
        return started[-1]

    yield begin
    for one in started:
        one.process.stdin.close()
        one.process.wait(WITHIN_S)
    supervisor.end(marked(tmp_path))


def await_that(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_part_is_started_again_without_what_it_forked_and_said_so(start, tmp_path: Path):
    one = start(Part("a", python(FORK + SLEEP)), Part("b", python(SLEEP)))
    one.start("a", "b")
    await_that(lambda: len(marked(tmp_path, "a")) == 2)
    forked = set(marked(tmp_path, "a"))
    first, other = one.pid("a"), one.pid("b")

    os.kill(first, signal.SIGKILL)
    await_that(lambda: one.pid("a") not in (None, first))

    assert not any(process.is_running() for process in forked)
    assert one.pid("b") == other
    assert one.status["parts"]["a"]["restarts"] == 1
    assert "a was ended by SIGKILL" in one.log
    assert "a started again" in one.log


def test_part_that_cannot_go_on_without_a_killed_one_is_started_again_with_it(start, tmp_path: Path):
    one = start(Part("a", python(SLEEP)), Part("b", python(FORK + SLEEP), ends_with=("a",)), Part("c", python(SLEEP)))
    one.start("a", "b", "c")
    await_that(lambda: len(marked(tmp_path, "b")) == 2)
    forked = set(marked(tmp_path, "b"))
    a, b, c = (one.pid(name) for name in "abc")

    os.kill(a, signal.SIGKILL)
    await_that(lambda: one.pid("a") not in (None, a) and one.pid("b") not in (None, b))

    assert not any(process.is_running() for process in forked)
    assert one.pid("c") == c
    assert "b is ended with a" in one.log


def test_part_that_ends_during_the_start_stops_all_and_is_named_with_its_last_lines(start, tmp_path: Path):
    failing = "print('before'); raise SystemExit('no room for me')"
    one = start(Part("a", python(SLEEP)), Part("b", python(failing)))

    assert one.process.wait(WITHIN_S) == 1
    assert one.status["state"] == "failed"
    assert "b ended with exit status 1 during the start" in one.status["reason"]
    assert "no room for me" in one.status["reason"]
    assert marked(tmp_path) == []


def test_part_that_will_not_live_ends_all_with_its_reason(start, tmp_path: Path, monkeypatch):
    once = tmp_path / "once"
    code = f"import pathlib, time; p = pathlib.Path({str(once)!r}); p.exists() and exit('worn out'); time.sleep(600)"
    one = start(Part("a", python(SLEEP)), Part("b", python(code)))
    one.start("a", "b")
    once.touch()
    os.kill(one.pid("b"), signal.SIGTERM)

    assert one.process.wait(WITHIN_S) == 1
    assert one.status["state"] == "gave up"
    assert "worn out" in one.status["reason"]
    assert f"ended {supervisor.GIVE_UP_AFTER} times" in one.log
    assert marked(tmp_path) == []


@pytest.mark.parametrize("told", [b"", b"started\n"])
def test_all_stops_when_the_starter_goes_away(start, tmp_path: Path, told: bytes):
    one = start(Part("a", python(FORK + SLEEP)))
    await_that(lambda: len(marked(tmp_path, "a")) == 2)
    one.tell(told)

    one.process.stdin.close()

    assert one.process.wait(WITHIN_S) == 0
    assert one.status["state"] == "stopped"
    assert marked(tmp_path) == []


def test_detached_supervisor_outlives_its_starter_and_heeds_a_signal(start, tmp_path: Path):
    one = start(Part("a", python(SLEEP)))
    one.start("a")
    one.tell(b"detach\n")
    one.process.stdin.close()
    time.sleep(5 * supervisor.LOOK_EACH_S)
    assert one.process.poll() is None

    one.process.send_signal(signal.SIGTERM)

    assert one.process.wait(WITHIN_S) == 0
    assert "asked to by SIGTERM" in one.log
    assert marked(tmp_path) == []


def test_parts_wait_for_what_they_need_and_the_last_is_stopped_last(start, tmp_path: Path):
    order, ready = tmp_path / "order", tmp_path / "ready"
    note = "import pathlib, signal, sys, time; o = pathlib.Path({!r}); say = lambda w: o.open('a').write(w + ' '); "
    stopping = "signal.signal(15, lambda *_: (say('{0}-stops'), sys.exit())); say('{0}'); time.sleep(600)"
    noted = note.format(str(order))
    one = start(
        Part("base", python(noted + stopping.format("base")), check=("test", "-e", str(ready)), last=True),
        Part("make", python(noted + "say('make')"), needs=("base",), once=True),
        Part("user", python(noted + stopping.format("user")), needs=("make",)),
    )
    await_that(lambda: order.exists() and order.read_text() == "base ")
    ready.touch()
    await_that(lambda: "user " in order.read_text())

    one.process.stdin.close()
    one.process.wait(WITHIN_S)

    assert order.read_text() == "base make user user-stops base-stops "


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_parts_end_with_a_killed_supervisor(start, tmp_path: Path):
    one = start(Part("a", python(SLEEP)))
    await_that(lambda: one.pid("a"))
    part = psutil.Process(one.pid("a"))

    one.process.kill()

    psutil.wait_procs([part], timeout=WITHIN_S)
    assert not supervisor.is_alive(part)


def test_last_lines_are_those_of_this_start_without_javas_frames(tmp_path: Path):
    log = tmp_path / "a.log"
    log.write_text("of the start before\n")
    start = log.stat().st_size
    with log.open("a") as sink:
        sink.write("Exception in thread main: no room\n\tat org.apache.Spark\n\t... 7 more\n\n")

    assert last_lines(log, start) == ["Exception in thread main: no room"]
