"""The jobs as people run them: one line of JSON a source, an honest exit status, and never a traceback."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.oem.sample_oem import STATES, kvn, xml

from orbitlake.lake import Lake
from orbitlake.oem.ingest.sources import deliver
from orbitlake.oem.ingest.steps import archive
from orbitlake.settings import from_environment
from orbitlake.tables import OEM_ISSUES

CHECKOUT = Path(__file__).resolve().parents[3]
KEYS = ["source", "outcome", "object_id", "creation_date", "states", "thrust_episodes", "reason"]


def run(lake: Lake, *words: str, job: str = "ingest_oem.py", **environment: str) -> tuple[int, list[dict], str]:
    """Run a job with nothing set up but PYTHONPATH; return status, outcomes and standard error."""
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "jobs" / job), *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "plugins", "ORBITLAKE_DATA": str(lake.root), **environment},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def put(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


@pytest.fixture
def upstream():
    """A server of one OEM file with an ETag."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            statuses.append(304 if self.headers["If-None-Match"] == '"1"' else 200)
            self.send_response(statuses[-1])
            self.send_header("ETag", '"1"')
            self.end_headers()
            if statuses[-1] == 200:
                self.wfile.write(kvn())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ISS.OEM_J2K_EPH.txt", statuses
        server.shutdown()


def test_a_url_of_the_command_line_is_fetched_wherever_it_is_and_leads_nowhere_else(lake, upstream):
    url, statuses = upstream

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        status, [outcome], error = run(lake, f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()

    assert (status, outcome["outcome"], error, statuses) == (1, "rejected", "", [])
    assert "is not a public host" in outcome["reason"]
    assert [(code, each["outcome"]) for code, [each], _ in [run(lake, url)]] == [(0, "ingested")]


def test_an_issue_that_a_killed_run_left_in_staging_is_published_by_the_next_and_has_the_last_line(lake, tmp_path):
    (left,) = archive(deliver(put(tmp_path / "a.txt", kvn()), lake, from_environment({})), lake)
    other = put(tmp_path / "b.txt", kvn().replace(b"22:55:31", b"22:55:32"))
    status, outcomes, error = run(lake, other)

    assert (status, error) == (0, "")
    assert [(outcome["source"], outcome["outcome"]) for outcome in outcomes] == [
        (other, "ingested"),
        (left["raw_path"], "ingested"),
    ]
    assert len(list(lake.closed(OEM_ISSUES).glob("**/*.parquet"))) == 2


def test_every_source_has_its_line_and_one_bad_file_holds_up_no_other(lake, tmp_path):
    good = put(tmp_path / "a.txt", kvn())
    bad = put(tmp_path / "b.txt", b"CCSDS_OEM_VERS = 2.0\n")
    again = put(tmp_path / "c.xml", xml())
    other = put(tmp_path / "d.txt", kvn(states=(STATES[0].replace("4482", "4483"), *STATES[1:])))
    missing = str(tmp_path / "nowhere.txt")
    status, outcomes, error = run(lake, missing, other, again, bad, good)

    assert status == 1
    in_quarantine = [outcome.pop("quarantined") for outcome in outcomes if outcome["outcome"] == "conflict"]
    assert [(lake.root / place).read_bytes() for place in in_quarantine] == [Path(other).read_bytes()]
    assert [list(outcome) for outcome in outcomes] == [KEYS] * 5
    assert {outcome["source"]: outcome["outcome"] for outcome in outcomes} == {
        good: "ingested",
        bad: "rejected",
        again: "unchanged",
        other: "conflict",
        missing: "rejected",
    }
    assert error == ""


def test_a_comment_block_of_another_layout_is_a_warning_in_the_summary(lake, tmp_path):
    odd = put(tmp_path / "a.txt", kvn(comments=["MASS=heavy"]))
    many = put(tmp_path / "b.txt", kvn(comments=["MASS=heavy"] * 30).replace(b"22:55:31", b"22:55:32"))
    status, outcomes, _ = run(lake, odd, many)

    assert (status, [outcome["outcome"] for outcome in outcomes]) == (0, ["ingested", "ingested"])
    assert outcomes[0]["warnings"] == ["comment block: MASS is not a number: 'MASS=heavy'"]
    assert (len(outcomes[1]["warnings"]), outcomes[1]["warnings"][-1]) == (21, "and 10 more")


def test_without_sources_the_inbox_and_the_default_url_are_taken(lake, upstream):
    url, statuses = upstream
    put(lake.inbox_oem / "dropped.txt", kvn().replace(b"22:55:31", b"22:55:32"))
    first = run(lake, ORBITLAKE_OEM_URL=url)
    second = run(lake, ORBITLAKE_OEM_URL=url)

    assert (first[0], [outcome["outcome"] for outcome in first[1]]) == (0, ["ingested", "ingested"])
    assert (second[0], [outcome["outcome"] for outcome in second[1]]) == (0, ["unchanged"])
    assert second[1][0]["source"] == url
    assert second[1][0]["states"] == 3
    assert statuses == [200, 304]


def test_data_overrides_the_environment(lake, tmp_path):
    status, _, _ = run(lake, "--data", str(tmp_path / "elsewhere"), put(tmp_path / "a.txt", kvn()))

    assert status == 0
    assert (tmp_path / "elsewhere" / "lake").is_dir()
    assert not lake.root.exists()


@pytest.mark.parametrize("job", ["ingest_oem.py", "ingest_oem_archive.py"])
def test_a_setting_that_cannot_be_used_is_one_line_that_names_it(lake, tmp_path, job):
    status, outcomes, error = run(lake, str(tmp_path), job=job, ORBITLAKE_HTTP_TIMEOUT_S="soon")

    assert (status, outcomes) == (1, [])
    assert error == f"{job}: ORBITLAKE_HTTP_TIMEOUT_S is 'soon': expected a number\n"


@pytest.mark.parametrize("job", ["ingest_oem.py", "ingest_oem_archive.py"])
def test_help_explains_the_outcomes_before_anything_is_touched(lake, job):
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "jobs" / job), "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "plugins"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "rejected" in done.stdout
    assert "exit" in done.stdout.lower()
    assert "--data" in done.stdout


@pytest.mark.real
def test_files_that_break_the_standard_leave_no_traceback(lake, real_data):
    status, outcomes, error = run(lake, str(real_data / "oem" / "invalid"))

    assert status == 1
    assert len(outcomes) == len(list((real_data / "oem" / "invalid").iterdir()))
    assert all(outcome["reason"] for outcome in outcomes if outcome["outcome"] != "ingested")
    assert error == ""


@pytest.mark.spark
@pytest.mark.real
def test_the_archive_job_on_spark_gives_the_same_bytes(lake, real_data, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in sorted((real_data / "oem" / "iss").glob("*.2023-0[2-3]-*")):
        (folder / path.name).symlink_to(path)
    put(folder / "broken.txt", b"no OEM")
    on_spark = Lake(tmp_path / "on_spark")
    alone_status, alone, _ = run(lake, str(folder))
    status, outcomes, _ = run(on_spark, str(folder), job="ingest_oem_archive.py")

    def tables(root: Path) -> dict[str, bytes]:
        return {
            str(file.relative_to(root)): file.read_bytes()
            for top in ("lake", "raw")
            for file in root.glob(f"{top}/**/*.*")
        }

    assert alone_status == status == 1
    assert sorted(map(str, outcomes)) == sorted(map(str, alone))
    assert tables(on_spark.root) == tables(lake.root)
