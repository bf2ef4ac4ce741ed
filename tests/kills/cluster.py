"""A standalone cluster and a driver on loopback, each of their processes killed -9 at will and started again."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from orbitlake.settings import CHECKOUT

WORKERS = 2


def tool(name: str) -> str:
    """A command of this virtual environment, whatever the PATH says."""
    return str(Path(sys.executable).parent / name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kill(process: subprocess.Popen, choose: random.Random) -> None:
    """Kill a process and all below it with -9, in any order."""
    family = [psutil.Process(process.pid)] if process.poll() is None else []
    with suppress(psutil.NoSuchProcess):
        family += family[0].children(recursive=True) if family else []
    choose.shuffle(family)
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


class Cluster:
    """One master, two workers with a core each, and the driver of stream_positions."""

    def __init__(self, scratch: Path, data: Path, choose: random.Random):
        self.scratch, self.data, self.choose = scratch, data, choose
        self.port = free_port()
        self.driver: subprocess.Popen | None = None
        self.starts = 0
        self.settings: dict[str, str] = {}
        """Further ones of Spark's, for the driver."""
        known = ("PATH", "JAVA_HOME", "JDK_JAVA_OPTIONS")
        self.environment = {name: os.environ[name] for name in known if name in os.environ} | {
            "ORBITLAKE_DATA": str(data),
            "PYTHONPATH": str(CHECKOUT / "plugins"),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
            "SPARK_LOCAL_DIRS": str(scratch / "local"),
        }
        self.master = self.start_master()
        self.workers = [self.start_worker(number) for number in range(WORKERS)]

    def start(self, name: str, *command: str) -> subprocess.Popen:
        with (self.scratch / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd=CHECKOUT
            )

    def start_master(self) -> subprocess.Popen:
        place = ("--host", "127.0.0.1", "--port", str(self.port), "--webui-port", "0")
        return self.start("master", tool("spark-class"), "org.apache.spark.deploy.master.Master", *place)

    def start_worker(self, number: int) -> subprocess.Popen:
        folder = str(self.scratch / f"worker-{number}")
        size = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", folder)
        worker = "org.apache.spark.deploy.worker.Worker"
        return self.start(f"worker-{number}", tool("spark-class"), worker, *size, f"spark://127.0.0.1:{self.port}")

    def submit(self, *arguments: str) -> subprocess.Popen:
        settings = {
            "spark.cores.max": "1",
            "spark.executor.cores": "1",
            "spark.executor.memory": "512m",
            "spark.driver.memory": "640m",
            "spark.executorEnv.PYTHONPATH": str(CHECKOUT / "plugins"),
            "spark.pyspark.python": sys.executable,
            "spark.ui.enabled": "false",
            **self.settings,
        }
        conf = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        self.starts += 1
        master = f"spark://127.0.0.1:{self.port}"
        job = str(CHECKOUT / "jobs" / "stream_positions.py")
        self.driver = self.start("driver", tool("spark-submit"), "--master", master, *conf, job, *arguments)
        return self.driver

    def kill_driver(self) -> None:
        kill(self.driver, self.choose)

    def kill_worker(self) -> None:
        """Kill the worker that has the executor, if any has, with it; start it again."""
        at_work = [n for n, worker in enumerate(self.workers) if psutil.Process(worker.pid).children(recursive=True)]
        number = self.choose.choice(at_work or range(WORKERS))
        kill(self.workers[number], self.choose)
        self.workers[number] = self.start_worker(number)

    def kill_master(self) -> None:
        kill(self.master, self.choose)
        time.sleep(self.choose.uniform(0, 2))
        self.master = self.start_master()

    def stop(self) -> None:
        for process in (self.driver, *self.workers, self.master):
            if process is not None:
                kill(process, self.choose)

    def progress(self) -> dict[int, dict]:
        """What each batch reported, as of its last attempt."""
        log = self.data / "checkpoints" / "stream_positions" / "progress.jsonl"
        entries = [json.loads(text) for text in log.read_text().splitlines()] if log.exists() else []
        return {entry["batch"]: entry for entry in entries}

    def end_driver(self) -> int:
        self.driver.send_signal(signal.SIGTERM)
        return self.driver.wait(120)
