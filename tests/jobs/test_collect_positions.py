"""The collector as people run it: nothing to set up but PYTHONPATH, and SIGTERM ends it in good order."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orbitlake.simulator import create_app, serve
from orbitlake.simulator.faults import Fault, FaultKind

CHECKOUT = Path(__file__).resolve().parents[2]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = {"latitude": "47.6153", "longitude": "-60.4797"}
        body = json.dumps({"message": "success", "timestamp": int(time.time()), "iss_position": place}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def job(tmp_path):
    """Start the job against a server of one good answer."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "plugins", "ORBITLAKE_DATA": str(tmp_path)}

    def start(*arguments: str) -> subprocess.Popen[str]:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        command = [sys.executable, "jobs/collect_positions.py", "--url", url, *arguments]
        return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)

    yield start
    server.shutdown()
    server.server_close()


def test_it_prints_a_line_a_fix_and_a_summary(job, tmp_path):
    process = job("--interval", "1", "--duration", "2")
    *fixes, summary = process.communicate(timeout=30)[0].splitlines()

    assert process.returncode == 0
    assert (
        len(fixes)
        == json.loads(summary)["fixes"]
        == sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("raw/open_notify/date=*/*.jsonl"))
        == 2
    )
    assert "47.6153" in fixes[0]


def test_sigterm_ends_it_with_the_summary(job):
    process = job("--interval", "1", "--duration", "600")
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=10)[0].splitlines()

    assert "47.6153" in first
    assert process.returncode == 0
    assert json.loads(rest[-1])["fixes"] >= 1


def test_the_fallback_of_the_settings_is_polled_unless_the_command_line_switches_it_off(tmp_path):
    fault = Fault(kind=FaultKind.HTML_OK, path="/iss-now.json")
    with serve(create_app(faults=[fault])) as url:
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": "plugins", "ORBITLAKE_DATA": str(tmp_path),
            "ORBITLAKE_UPSTREAM": "simulator", "ORBITLAKE_SIMULATOR_URL": url, "ORBITLAKE_FALLBACK": "wheretheiss",
        }  # fmt: skip

        def summary(*arguments: str) -> dict:
            command = [sys.executable, "jobs/collect_positions.py", "--duration", "1", *arguments]
            done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
            return json.loads(done.stdout.splitlines()[-1])

        assert summary()["fixes_by_source"] == {"wheretheiss": 1}
        assert summary("--fallback", "off")["fixes_by_source"] == {}
        assert summary("--source", "wheretheiss")["failures"] == {}


def test_it_loads_neither_spark_nor_pandas():
    script = "import sys; import collect_positions; print(sorted({'pandas', 'pyspark'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": "plugins:jobs"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"
