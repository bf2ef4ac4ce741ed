"""The command: starts, says where it listens, stops on SIGTERM, and refuses in one line."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from orbitlake.simulator.__main__ import main

CHECKOUT = Path(__file__).resolve().parents[2]
STOP_LIMIT_S = 10


@contextmanager
def simulator(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "orbitlake.simulator", "--port", "0", *arguments],
        cwd=CHECKOUT / "plugins",
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_and_stops_cleanly():
    with simulator("--start", "2026-11-20T23:58:00", "--fault", "html_ok,path=/other") as (process, url):
        health = requests.get(f"{url}/health", timeout=10).json()
        process.send_signal(signal.SIGTERM)

        assert process.wait(STOP_LIMIT_S) in (0, -signal.SIGTERM)
    assert health["mode"] == "simulated"
    assert health["simulated_time"].startswith("2026-11-20T23:58:")


@pytest.mark.real
def test_the_command_replays_a_folder_of_recordings(real_data: Path):
    with simulator("--replay", str(real_data)) as (_, url):
        first = requests.get(f"{url}/iss-now.json", timeout=10).json()
        oem = requests.get(f"{url}/ISS.OEM_J2K_EPH.txt", timeout=10).text
        progress = requests.get(f"{url}/replay", timeout=10).json()

    assert first["timestamp"] == 1719732733
    assert oem.startswith("CCSDS_OEM_VERS = 2.0")
    assert progress == {"served": 1, "total": 101}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--start", "tomorrow"], "tomorrow"),
        (["--start", "2016-01-01"], "outside"),
        (["--rate", "0"], "rate"),
        (["--fault", "unheard_of"], "unheard_of"),
        (["--feed", "/nowhere/feed.csv"], "/nowhere/feed.csv"),
        (["--feed", __file__, "--fault", "clock_skew"], "test_main.py"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(arguments: list[str], reason: str, capsys: pytest.CaptureFixture):
    assert main(arguments) == 1
    assert reason in capsys.readouterr().err


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["--port", str(port)]) == 1
    assert f"127.0.0.1:{port}" in capsys.readouterr().err
