"""A signal that asks a command to end becomes an exception, so that each command ends in one orderly stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ASKING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, a closed terminal."""
_received: list[signal.Signals] = []


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end."""


def raise_when_asked() -> None:
    """From now on raise Interrupted at the first such signal and ignore any later one, so that the stop is completed.

    A signal that the command was started to ignore, as `nohup` does with SIGHUP, stays ignored.
    """
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    ignore_requests()
    _received.append(signal.Signals(number))
    raise Interrupted(_received[0].name)


def ignore_requests() -> None:
    """Let no such signal disturb what is done from now on: a stop, above all."""
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)


def received() -> signal.Signals | None:
    """The signal that asked this command to end, if one did."""
    return _received[0] if _received else None


def check() -> None:
    """Raise Interrupted where a signal came: a library may have swallowed the exception."""
    if _received:
        raise Interrupted(_received[0].name)


@contextmanager
def held_back() -> Iterator[None]:
    """Let such a signal wait until the block is through."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
