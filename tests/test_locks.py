"""A lock keeps other processes out for as long as its holder lives, and no longer after kill -9."""

import os
import subprocess
import sys
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest

from orbitlake.lake import locks
from orbitlake.settings import CHECKOUT

HOLDER = """
import sys, time
from pathlib import Path
from orbitlake.lake import locks
with getattr(locks, sys.argv[1])(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""


def is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@pytest.mark.parametrize("kind", ["lock_folder", "lock_file"])
def test_lock_is_held_until_its_holder_is_killed(tmp_path: Path, kind: str):
    place = tmp_path if kind == "lock_folder" else tmp_path / "new" / "lock"
    command = [sys.executable, "-c", HOLDER, kind, str(place)]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        while_alive = is_free(place)
        holder.kill()

    assert not while_alive
    with getattr(locks, kind)(place):
        assert not is_free(place)
    assert is_free(place)


def test_whether_another_process_holds_a_lock_can_be_asked_without_waiting(tmp_path: Path):
    place = tmp_path / "lock"
    assert not locks.is_locked(place)
    assert not place.exists()
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    command = [sys.executable, "-c", HOLDER, "lock_file", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        while_alive = locks.is_locked(place)
        holder.kill()

    assert while_alive
    assert not locks.is_locked(place)


def test_locked_folder_holds_nothing_more(tmp_path: Path):
    with locks.lock_folder(tmp_path):
        assert list(tmp_path.iterdir()) == []
