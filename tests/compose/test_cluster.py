"""docker compose up, for real: healthy, closed, equal to the embedded run, unmoved by losses (`make test-compose`)."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
import requests
from tests.compose.cluster import (
    HEALTHY_WITHIN_S,
    IMAGE,
    PUBLISHED,
    SIMULATOR_IMAGE,
    Cluster,
    engine_answers,
    eventually,
    free_ports,
)

from orbitlake.digits import same
from orbitlake.settings import CHECKOUT
from orbitlake.tables import TABLES

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]

RESUMED_WITHIN_S = 120
RUN_WITHIN_S = 400
DAGS = ("collect_positions", "compact_positions", "ingest_oem", "stream_positions")
# Runs of the continuous DAGs short enough to wait for, and long enough to lose something in the middle of.
PACE = {
    "ORBITLAKE_COLLECT_INTERVAL_S": "1",
    "ORBITLAKE_COLLECT_DURATION_S": "30",
    "ORBITLAKE_STREAM_TRIGGER": "available-now",
}
LONG = {
    "ORBITLAKE_COLLECT_DURATION_S": "3600",
    "ORBITLAKE_STREAM_TRIGGER": "5 seconds",
}
SECRETS = (
    "ORBITLAKE_ADMIN_PASSWORD",
    "ORBITLAKE_FERNET_KEY",
    "ORBITLAKE_JWT_SECRET",
    "ORBITLAKE_SESSION_SECRET",
    "ORBITLAKE_DATABASE_PASSWORD",
    "ORBITLAKE_SPARK_SECRET",
)
# Columns that tell when and from where a run fetched: two runs on the same input differ there and nowhere else.
OF_THE_RUN = ("fetch_time", "retrieved_at", "source_url")

# Rows of each table, a checksum of what was printed, and the derived numbers, whose last digit may be the processor's;
# not of coverage, gaps, what fills them and the audit of fixes: they tell of a run's own polls.
FINGERPRINT = f"""
import hashlib, json
from orbitlake.query import connect
from orbitlake.tables import FEED_TABLES, POSITION_AUDIT, POSITIONS_FILLED, TABLES
tables, found = connect(), {{}}
for name, table in TABLES.items():
    if table in (*FEED_TABLES, POSITIONS_FILLED, POSITION_AUDIT):
        continue
    derived = [c.name for c in table.columns if c.decimals is not None]
    printed = [c for c in tables.table(name).columns if c not in {OF_THE_RUN!r} and c not in derived]
    key = ', '.join(table.key)
    rows = tables.sql(f"SELECT {{', '.join(printed)}} FROM {{name}} ORDER BY {{key}}").fetchall()
    numbers = tables.sql(f"SELECT {{', '.join(derived)}} FROM {{name}} ORDER BY {{key}}").fetchall() if derived else []
    found[name] = [len(rows), hashlib.sha256(repr(rows).encode()).hexdigest(), numbers]
print(json.dumps(found))
"""
FIXES = """
import json
from pathlib import Path
import duckdb
from orbitlake.query import files
raw = set()
for file in Path("/data/raw/open_notify").glob("date=*/*.jsonl"):
    for line in file.read_text().splitlines():
        r = json.loads(line)
        if r["latitude"] is not None:
            raw.add((r["timestamp"], r["latitude"], r["longitude"]))
held = []
if parts := files("positions"):
    columns = "epoch(event_time)::BIGINT, latitude_deg, longitude_deg"
    held = duckdb.sql(f"SELECT {columns} FROM read_parquet({parts})").fetchall()
print(json.dumps([len(raw), len(held), len(set(held)), sorted(raw) == sorted(set(held))]))
"""


@pytest.fixture(scope="module", autouse=True)
def engine(request) -> None:
    if "compose" not in request.config.option.markexpr:
        pytest.skip("`make test-compose` runs this")
    if not engine_answers():
        pytest.skip("no Docker engine answers here (`docker info`)")
    # The host's network: a build finds the package index wherever the host does.
    build = ["docker", "build", "-q", "--network", "host"]
    subprocess.run([*build, "-t", IMAGE, str(CHECKOUT)], check=True)
    subprocess.run([*build, "--target", "simulator", "-t", SIMULATOR_IMAGE, str(CHECKOUT)], check=True)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, real_data: Path) -> dict[str, list]:
    """The fingerprint of every table after the embedded demo on the recorded files."""
    folder = tmp_path_factory.mktemp("embedded")
    ports = ("AIRFLOW", "SPARK", "SPARK_UI", "SPARK_WORKER_1_UI", "SPARK_WORKER_2_UI", "SIMULATOR")
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT / "plugins"),
        "ORBITLAKE_DATA": str(folder / "data"),
        **{f"ORBITLAKE_{name}_PORT": str(port) for name, port in zip(ports, free_ports(len(ports)), strict=True)},
    }
    demo = ["-m", "orbitlake.embedded", "demo", "--replay", str(real_data), "--run", str(folder / "run")]
    done = subprocess.run([sys.executable, *demo], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = subprocess.run(
        [sys.executable, "-c", FINGERPRINT], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose")
    (folder / ".env.example").write_text((CHECKOUT / ".env.example").read_text())
    subprocess.run([sys.executable, CHECKOUT / "docker" / "make_env.py", folder], check=True, capture_output=True)
    whole = Cluster(f"orbitlake-test-{secrets.token_hex(3)}", folder / ".env")
    whole.set(ORBITLAKE_UPSTREAM="simulator", **PACE, **dict(zip(PUBLISHED, map(str, free_ports(3)), strict=True)))
    try:
        yield whole
    finally:
        whole.compose("down", "-v", "--remove-orphans")


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> float:
    """Seconds from nothing to everything healthy."""
    return cluster.up()


def trigger(cluster: Cluster, dag_id: str, params: dict) -> str:
    airflow = cluster.airflow()
    run_id = airflow.trigger(dag_id, params)
    airflow.unpause(dag_id)
    return run_id


def finish(cluster: Cluster, dag_id: str, run_id: str) -> None:
    """Wait for a run's success, then leave the DAG paused with nothing at work."""
    airflow = cluster.airflow()
    airflow.wait(dag_id, run_id, RUN_WITHIN_S)
    airflow.pause(dag_id)
    unfinished = {"queued", "scheduled", "running", "restarting"}

    eventually(
        lambda: not unfinished & set(airflow.tasks(dag_id).values()), RUN_WITHIN_S, lambda: airflow.tasks(dag_id)
    )


def end_runs(cluster: Cluster, dag_id: str) -> None:
    """Pause a continuous DAG and end its run in hand."""
    airflow = cluster.airflow()
    airflow.pause(dag_id)
    for each in airflow.call("GET", f"dags/{dag_id}/dagRuns", params={"state": "running"})["dag_runs"]:
        airflow.call("PATCH", f"dags/{dag_id}/dagRuns/{each['dag_run_id']}", json={"state": "success"})


def simulate(cluster: Cluster, folder: Path | None) -> None:
    """Have the simulator serve the recorded files of `folder`, or its own orbit."""
    cluster.override = None
    if folder:
        cluster.override = cluster.env.with_name("replay.json")
        serve = ["python", "-m", "orbitlake.simulator", "--host", "0.0.0.0", "--replay", "/replay"]
        service = {"command": serve, "volumes": [f"{folder}:/replay:ro"]}
        cluster.override.write_text(json.dumps({"services": {"simulator": service}}))
    cluster.compose("up", "-d", "--no-deps", "simulator")
    cluster.wait_until_healthy(60)


@pytest.fixture(scope="module")
def replayed(running: float, cluster: Cluster, real_data: Path) -> dict[str, list]:
    """The fingerprint of every table after the DAGs, triggered over REST, on the recorded files."""
    simulate(cluster, real_data)
    ingest = trigger(cluster, "ingest_oem", {})
    collect = trigger(cluster, "collect_positions", {})
    finish(cluster, "ingest_oem", ingest)
    replay = f"{cluster.url('ORBITLAKE_SIMULATOR_PORT')}/replay"

    def all_served() -> bool:
        progress = requests.get(replay, timeout=10).json()
        return progress["served"] == progress["total"]

    eventually(all_served, RUN_WITHIN_S, lambda: "the recording was not collected")
    finish(cluster, "collect_positions", collect)
    finish(cluster, "stream_positions", trigger(cluster, "stream_positions", {}))
    day = cluster.python(
        "import json; from orbitlake.query import connect;"
        " print(json.dumps(str(connect().sql('SELECT max(date) FROM positions').fetchone()[0])))"
    )
    finish(cluster, "compact_positions", trigger(cluster, "compact_positions", {"date": day}))
    finish(cluster, "audit_positions", trigger(cluster, "audit_positions", {}))
    finish(cluster, "predict_passes", trigger(cluster, "predict_passes", {}))

    return cluster.python(FINGERPRINT)


@pytest.mark.real
def test_the_embedded_run_on_recorded_files_fills_its_tables(embedded: dict[str, list]):
    # First of all, so that the two topologies do not share the machine.
    assert embedded["state_vectors"][0] > 5000
    assert embedded["positions"][0] > 0


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_it_refuses_by_name(cluster: Cluster, tmp_path: Path, name: str):
    incomplete = tmp_path / "env"
    incomplete.write_text(re.sub(rf"^{name}=.*$", f"{name}=", cluster.env.read_text(), flags=re.MULTILINE))

    with pytest.raises(AssertionError, match=f"set {name} in .env"):
        Cluster(cluster.project, incomplete).compose("config")


def test_an_image_of_a_checkout_that_its_owner_alone_may_read_starts(tmp_path: Path):
    # As `umask 077` makes it; the two files that the packages come from keep their modes, so that those are not
    # installed again.
    for name in ("Dockerfile", ".dockerignore", "requirements.txt", "constraints.txt"):
        shutil.copy(CHECKOUT / name, tmp_path)
    for name in ("dags", "docker", "jobs", "plugins"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (tmp_path / name, *(tmp_path / name).rglob("*")):
            path.chmod(path.stat().st_mode & 0o700)
    build = ["docker", "build", "-q", "--network", "host", str(tmp_path)]
    image = subprocess.run(build, capture_output=True, text=True, check=True).stdout.split()[-1]
    starts = ["--rm", "--cap-drop", "ALL", image, "python", "-c", "import orbitlake.oem, orbitlake.page.app"]

    subprocess.run(["docker", "run", *starts], check=True)


def test_every_service_is_healthy_in_time(running: float, cluster: Cluster):
    print(f"healthy after {running:.0f} s")

    assert running < HEALTHY_WITHIN_S
    assert len(cluster.spark()["workers"]) == 2


def test_nothing_is_open_beyond_loopback(running: float, cluster: Cluster):
    beyond = {
        address.address.split("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }

    assert beyond
    for port in PUBLISHED:
        number = int(cluster.values[port])
        socket.create_connection(("127.0.0.1", number), timeout=5).close()
        for host in beyond:
            with pytest.raises(OSError), socket.create_connection((host, number), timeout=2):
                pass


def test_containers_run_without_root_and_cannot_change_code(running: float, cluster: Cluster):
    services = ("api-server", "scheduler", "dag-processor", "triggerer", "spark-master", "spark-worker", "simulator")
    attempt = """
import json, os
denied = []
for place in ("/opt/orbitlake/dags/x.py", "/opt/venv/x", "/usr/local/bin/x", "/etc/spark/x"):
    try:
        open(place, "w")
    except OSError:
        denied.append(place)
print(json.dumps([os.getuid(), len(denied)]))"""

    for service in services:
        assert cluster.python(attempt, service) == [50_000, 4], service


def test_the_database_keeps_no_capability_but_those_of_its_start(running: float, cluster: Cluster):
    database = cluster.containers("postgres")[0]
    shell = "for each in /proc/[0-9]*; do echo $(cat $each/comm) $(grep CapEff $each/status | cut -f2); done"
    told = subprocess.run(
        ["docker", "exec", "-u", "postgres", database, "bash", "-c", shell], capture_output=True, text=True, check=True
    )
    held = {int(line.split()[1], 16) for line in told.stdout.splitlines() if line.startswith("postgres ")}
    host = cluster.inspect(database)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert held == {0}, told.stdout


def test_the_simulator_lies_in_its_own_image_alone_and_the_embedded_topology_in_none(running: float, cluster: Cluster):
    look = """
import json
from pathlib import Path
package = Path("/opt/orbitlake/plugins/orbitlake")
print(json.dumps([(package / name).exists() for name in ("simulator", "embedded")]))"""

    assert cluster.python(look, "scheduler") == [False, False]
    assert cluster.python(look, "simulator") == [True, False]


@pytest.mark.parametrize("inner", ["http://api-server:8080/api/v2/version", "http://spark-master:8081/json/"])
def test_the_form_of_ingest_oem_reaches_no_service_of_the_cluster(running: float, cluster: Cluster, inner: str):
    asked = f"""
import json, urllib.request
from orbitlake.oem.ingest.batch import download
print(json.dumps([urllib.request.urlopen({inner!r}).status, download({inner!r}, is_last_try=True)]))"""
    status, outcomes = cluster.python(asked, "scheduler")

    assert status == 200, "it is there"
    assert [outcome["outcome"] for outcome in outcomes] == ["rejected"]
    assert "is not a public host" in outcomes[0]["reason"]


def test_who_does_not_know_the_secrets_stays_outside(running: float, cluster: Cluster):
    api = cluster.url("ORBITLAKE_AIRFLOW_PORT")
    login = {"username": "admin", "password": "admin"}
    network = next(iter(cluster.inspect(cluster.containers("spark-master")[0])["NetworkSettings"]["Networks"]))
    stranger = "from pyspark.sql import SparkSession; print(SparkSession.builder.getOrCreate().range(3).count())"
    command = ["spark-submit", "--master", "spark://spark-master:7077", "/tmp/job.py"]
    submit = ["bash", "-c", f"echo '{stranger}' > /tmp/job.py && {' '.join(command)}"]
    environment = ["-e", "ORBITLAKE_SPARK_SECRET=a-guess", "--network", network, "--tmpfs", "/tmp:exec"]
    refused = subprocess.run(
        ["docker", "run", "--rm", *environment, IMAGE, *submit],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert requests.get(f"{api}/api/v2/dags", timeout=10).status_code == 401
    assert requests.post(f"{api}/auth/token", json=login, timeout=10).status_code == 401
    assert refused.returncode != 0
    assert cluster.spark()["activeapps"] + cluster.spark()["completedapps"] == []


@pytest.mark.real
def test_every_dag_succeeds(replayed: dict[str, list], cluster: Cluster):
    assert all(cluster.airflow().succeeded(dag_id) for dag_id in DAGS)
    assert replayed["state_vectors"][0] > 5000
    assert replayed["positions"][0] > 0


@pytest.mark.real
def test_the_tables_equal_those_of_the_embedded_run(embedded: dict[str, list], replayed: dict[str, list]):
    """Container and host may compute on unlike processors: a unit in the last digit of a derived column is the same."""
    assert {name: found[:2] for name, found in replayed.items()} == {name: each[:2] for name, each in embedded.items()}
    for name, (_, _, numbers) in replayed.items():
        columns = [column for column in TABLES[name].columns if column.decimals is not None]
        for place, column in enumerate(columns):
            ours, theirs = (
                pa.chunked_array([pa.array([row[place] for row in rows], column.type)])
                for rows in (numbers, embedded[name][2])
            )

            assert same(ours, theirs, column).all(), f"{name}.{column.name}"


def test_the_stream_survives_the_loss_of_a_worker_of_the_scheduler_and_of_the_database(
    running: float, cluster: Cluster
):
    simulate(cluster, None)
    cluster.set(**LONG)
    cluster.up()
    trigger(cluster, "collect_positions", {})
    trigger(cluster, "stream_positions", {})

    def published() -> int:
        return cluster.python(FIXES)[1]

    def wait_for_more(within_s: float) -> float:
        begun, before = time.monotonic(), published()
        eventually(lambda: published() > before, within_s, lambda: f"no new fix within {within_s} s")
        return time.monotonic() - begun

    def at_work() -> tuple[list[str], list[int]]:
        spark = cluster.spark()
        return [app["name"] for app in spark["activeapps"]], [worker["coresused"] for worker in spark["workers"]]

    wait_for_more(RUN_WITHIN_S)
    # These fixes may be those of a short run that was under way; the long one follows it.
    eventually(lambda: at_work() == (["stream_positions"], [1, 1]), RUN_WITHIN_S, lambda: at_work())

    for service in ("spark-worker", "scheduler", "postgres"):
        cluster.crash(service)
        print(f"{service} lost: new fixes after {wait_for_more(RESUMED_WITHIN_S):.0f} s")
    cluster.wait_until_healthy(RESUMED_WITHIN_S)
    end_runs(cluster, "collect_positions")
    eventually(lambda: cluster.python(FIXES)[3], RESUMED_WITHIN_S, lambda: f"fixes lost: {cluster.python(FIXES)}")
    raw, rows, distinct, equal = cluster.python(FIXES)

    assert equal
    assert rows == distinct == raw


def test_down_and_up_keep_everything(running: float, cluster: Cluster):
    end_runs(cluster, "stream_positions")
    eventually(lambda: cluster.spark()["activeapps"] == [], RESUMED_WITHIN_S, lambda: "the stream does not end")
    before = cluster.python(FINGERPRINT)
    ended = {dag_id: cluster.airflow().succeeded(dag_id) for dag_id in DAGS}

    cluster.compose("down")
    cluster.up()

    assert cluster.python(FINGERPRINT) == before
    assert {dag_id: cluster.airflow().succeeded(dag_id) for dag_id in DAGS} == ended


def test_a_backup_brings_back_what_down_v_took(running: float, cluster: Cluster, tmp_path: Path):
    before = cluster.python(FINGERPRINT)
    ended = {dag_id: cluster.airflow().succeeded(dag_id) for dag_id in DAGS}
    compose = f"COMPOSE={' '.join(cluster.command())}"

    subprocess.run(["make", "backup", compose, f"TO={tmp_path / 'backup'}"], cwd=CHECKOUT, check=True)
    cluster.compose("down", "-v")
    subprocess.run(["make", "restore", compose, f"FROM={tmp_path / 'backup'}"], cwd=CHECKOUT, check=True)
    cluster.wait_until_healthy(HEALTHY_WITHIN_S)

    assert cluster.python(FINGERPRINT) == before
    assert {dag_id: cluster.airflow().succeeded(dag_id) for dag_id in DAGS} == ended


def test_with_its_profile_records_go_by_kafka_and_land_in_raw(running: float, cluster: Cluster):
    landed = """
import json
from pathlib import Path
found = [file.read_bytes().count(b"\\n") for file in Path("/data/raw/open_notify").glob("date=*/*-kafka-*.jsonl")]
print(json.dumps(sum(found)))"""
    cluster.profiles += ("kafka",)
    cluster.set(ORBITLAKE_KAFKA="kafka:19092", ORBITLAKE_KAFKA_PORT=str(free_ports(1)[0]), **LONG)
    cluster.up()
    trigger(cluster, "collect_positions", {})
    trigger(cluster, "stream_positions", {})

    eventually(lambda: cluster.python(landed) > 20, RUN_WITHIN_S, lambda: "nothing lands")
    broker = cluster.inspect(cluster.containers("kafka")[0])["HostConfig"]
    bound = {each["HostIp"] for each in broker["PortBindings"]["9092/tcp"]}
    assert broker["CapDrop"] == ["ALL"]
    assert bound == {"127.0.0.1"}
    end_runs(cluster, "collect_positions")
    eventually(lambda: cluster.python(FIXES)[3], RESUMED_WITHIN_S, lambda: f"fixes lost: {cluster.python(FIXES)}")


def test_with_its_profile_closed_partitions_go_to_the_object_store(replayed: dict[str, list], cluster: Cluster):
    published = """
import json
from orbitlake.query import connect
print(json.dumps(connect("s3://lake/orbitlake").sql("SELECT count(*) FROM state_vectors").fetchone()[0]))"""
    cluster.profiles += ("object-store",)
    cluster.set(
        ORBITLAKE_PUBLISH_URL="s3://lake/orbitlake",
        ORBITLAKE_PUBLISH_ENDPOINT="http://object-store:8333",
        ORBITLAKE_OBJECT_STORE_PORT=str(free_ports(1)[0]),
    )
    cluster.up()
    finish(cluster, "publish_lake", trigger(cluster, "publish_lake", {}))

    assert cluster.python(published, "scheduler") == replayed["state_vectors"][0] > 0
    store = cluster.inspect(cluster.containers("object-store")[0])["HostConfig"]
    assert {each["HostIp"] for of in store["PortBindings"].values() for each in of} == {"127.0.0.1"}
    refused = requests.get(f"{cluster.url('ORBITLAKE_OBJECT_STORE_PORT')}/lake/orbitlake/manifest.json", timeout=10)
    assert refused.status_code == 403
