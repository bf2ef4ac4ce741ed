"""Processes alone: a leader that is killed, and a member of its group that watches it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from orbitlake.endings import VARIABLE

# The leader starts the member, shares its output with it, and never waits for it.
LEADER = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(600)"
MEMBER = """
import os, signal, time
from orbitlake.endings import end_with_launcher
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"asked to end\\n"), os._exit(0)))
{before}
end_with_launcher()
print(os.getpid(), flush=True)
time.sleep(4)
print("left alone", flush=True)
"""
UNTIL_ORPHANED = (
    "parent = os.getppid(); os.kill(parent, signal.SIGKILL)\nwhile os.getppid() == parent: time.sleep(0.01)"
)


@pytest.fixture
def leader():
    """Start a leader and its member, which does something before it begins to watch."""
    started = []

    def start(before: str = "", **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LEADER, MEMBER.format(before=before)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": "plugins"} | environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def last_words(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=30)[0].splitlines()[-1]


def test_a_member_is_asked_to_end_when_its_leader_is_killed(leader):
    process = leader(**{VARIABLE: "1"})
    process.stdout.readline()
    process.kill()

    assert last_words(process) == "asked to end"


def test_a_leader_that_was_gone_before_is_noticed(leader):
    process = leader(UNTIL_ORPHANED, **{VARIABLE: "1"})
    process.wait(timeout=30)

    assert last_words(process) == "asked to end"


def test_a_leader_that_nobody_has_reaped_counts_as_gone(leader):
    process = leader(**{VARIABLE: "1"})
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    time.sleep(2.5)  # Popen reaps no child before it is asked

    assert process.stdout.readline().strip() == "asked to end"


def test_without_the_variable_a_member_lives_on(leader):
    process = leader()
    process.stdout.readline()
    process.kill()

    assert last_words(process) == "left alone"
