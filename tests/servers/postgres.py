"""PostgreSQL on loopback: the programs that the topology brings along, with files that need outlive no machine."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orbitlake.embedded.database import Database, free_port

STARTED_WITHIN_S = 60
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server; the URL of its superuser and of the database postgres. Raises TopologyError where it cannot run."""
    made = Database(folder / "database", "secret", free_port())
    made.make(ENVIRONMENT, folder / "initdb.log")
    log = folder / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen((*made.command, "-c", "fsync=off"), env=ENVIRONMENT, stderr=sink)
    try:
        latest = time.monotonic() + STARTED_WITHIN_S
        while subprocess.run(made.check, env=ENVIRONMENT, check=False).returncode:
            if process.poll() is not None or time.monotonic() > latest:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.05)
        yield made.url.replace("+psycopg2", "")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STARTED_WITHIN_S)
