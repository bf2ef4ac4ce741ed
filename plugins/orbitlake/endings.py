"""How a job ends: after the work in hand where a signal asks for it, and with the task that started it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

VARIABLE: Final = "ORBITLAKE_END_WITH_LAUNCHER"
CHECK_EACH_S: Final = 1.0


@contextmanager
def asked_by_signals() -> Iterator[threading.Event]:
    """Take SIGTERM and SIGINT meanwhile as the wish to end after the work in hand: they set this event, and no more."""
    asked = threading.Event()
    before = {each: signal.signal(each, lambda *_: asked.set()) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def end_with_launcher() -> None:
    """From now on take the launcher's end as a SIGTERM; does nothing where `VARIABLE` is not 1.

    The launcher is the process that leads our process group: Airflow gives each task a group of its own, and neither
    spark-submit nor Java leaves it. A killed task can pass no signal on, and its spark-submit would work on, beside
    the next try. No other process takes the leader's number while the group lives, so that it can be looked for late.
    """
    if os.environ.get(VARIABLE) == "1":
        threading.Thread(target=watch, args=(os.getpgrp(),), name="launcher", daemon=True).start()


def watch(launcher: int) -> None:
    """Wait for the end of process `launcher`, then ask this one to end, too."""
    while is_alive(launcher):
        time.sleep(CHECK_EACH_S)
    os.kill(os.getpid(), signal.SIGTERM)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits for its parent to take notice has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
