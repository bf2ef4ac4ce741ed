"""A compose project of its own, driven as a person would: compose, the REST API, what a container shows of itself."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from orbitlake.embedded.airflow_api import Airflow
from orbitlake.settings import CHECKOUT

IMAGE = "orbitlake:0.1.0"
SIMULATOR_IMAGE = "orbitlake-simulator:0.1.0"
PUBLISHED = ("ORBITLAKE_AIRFLOW_PORT", "ORBITLAKE_SPARK_UI_PORT", "ORBITLAKE_SIMULATOR_PORT")
HEALTHY_WITHIN_S = 240


def compose_command() -> list[str]:
    """Compose v2 where the engine has it, else docker-compose."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


def engine_answers() -> bool:
    return bool(
        shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as probes:
        taken = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in taken:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in taken]


@dataclass
class Cluster:
    """One project; its settings lie in `env`, and `override` may be changed between two calls of `up`."""

    project: str
    env: Path
    override: Path | None = None
    profiles: tuple[str, ...] = ("simulator",)

    @property
    def values(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+)=(.*)$", self.env.read_text(), re.MULTILINE))

    def set(self, **values: str) -> None:
        """Change settings; the next `up` takes them."""
        text = self.env.read_text()
        for name, value in values.items():
            text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        self.env.write_text(text)

    def command(self) -> list[str]:
        files = ["-f", str(CHECKOUT / "docker-compose.yml"), *(["-f", str(self.override)] if self.override else [])]
        profiles = [word for profile in self.profiles for word in ("--profile", profile)]
        return [*compose_command(), *files, "-p", self.project, "--env-file", str(self.env), *profiles]

    def compose(self, *arguments: str, within_s: float = 600) -> str:
        outcome = subprocess.run(
            [*self.command(), *arguments], capture_output=True, text=True, check=False, cwd=CHECKOUT, timeout=within_s
        )
        said = outcome.stdout[-2000:] + outcome.stderr[-2000:]
        assert outcome.returncode == 0, f"compose {' '.join(arguments)}: {said}"
        return outcome.stdout

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        shown = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True).stdout
        return dict(json.loads(shown)[0])

    def python(self, code: str, service: str = "api-server") -> Any:
        """What `code` prints as JSON, run in a container."""
        return json.loads(self.compose("exec", "-T", service, "python", "-c", code).strip().splitlines()[-1])

    def unhealthy(self) -> list[str]:
        """The services that are not (yet) what they should be: initialise done, every other one healthy."""
        wanting = []
        for service in self.services():
            states = [self.inspect(each)["State"] for each in self.containers_of_any_state(service)]
            if service == "initialise":
                fine = [state["Status"] == "exited" and state["ExitCode"] == 0 for state in states]
            else:
                fine = [state.get("Health", {}).get("Status") == "healthy" for state in states]
            if not fine or not all(fine):
                wanting.append(service)
        return wanting

    def services(self) -> list[str]:
        """The services that run: those of a profile only where it is asked for, which not every compose can say."""
        described = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
        asked = set(self.profiles)
        return [name for name, each in described.items() if "profiles" not in each or asked & set(each["profiles"])]

    def containers_of_any_state(self, service: str) -> list[str]:
        labels = (f"label=com.docker.compose.project={self.project}", f"label=com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", label)]
        return subprocess.run(
            ["docker", "ps", "-aq", *filters], capture_output=True, text=True, check=True
        ).stdout.split()

    def up(self) -> float:
        """Start everything; returns the seconds until all of it is healthy."""
        begun = time.monotonic()
        self.compose("up", "-d", within_s=2 * HEALTHY_WITHIN_S)
        self.wait_until_healthy(2 * HEALTHY_WITHIN_S - (time.monotonic() - begun))
        return time.monotonic() - begun

    def wait_until_healthy(self, within_s: float) -> None:
        eventually(lambda: not self.unhealthy(), within_s, lambda: f"not healthy: {self.unhealthy()}")

    def crash(self, service: str) -> None:
        """End the first container of a service as a crash would, and wait until its policy has restarted it.

        From within: what `docker kill` ends counts as stopped by wish and stays so.
        """
        container = self.containers(service)[0]
        started = self.inspect(container)["State"]["StartedAt"]
        # PostgreSQL is the first process of its container, which no SIGKILL from within reaches: SIGQUIT ends it on the
        # spot, without a checkpoint. Its root may not signal what runs as another user.
        first = "kill -QUIT $(head -1 /var/lib/postgresql/data/postmaster.pid)"
        end = first if service == "postgres" else "pkill -KILL -P 1"
        user = ["-u", "postgres"] if service == "postgres" else []
        subprocess.run(["docker", "exec", *user, container, "sh", "-c", end], check=True, capture_output=True)
        eventually(
            lambda: self.inspect(container)["State"]["StartedAt"] != started, 60, lambda: f"{service} stays down"
        )

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.values[port]}"

    def airflow(self) -> Airflow:
        session = Airflow(self.url("ORBITLAKE_AIRFLOW_PORT"), "admin", self.values["ORBITLAKE_ADMIN_PASSWORD"])
        session.log_in()
        return session

    def spark(self) -> dict[str, Any]:
        """What the Spark master tells of itself, with none but its living workers."""
        told = requests.get(f"{self.url('ORBITLAKE_SPARK_UI_PORT')}/json/", timeout=10).json()
        return {**told, "workers": [worker for worker in told["workers"] if worker["state"] == "ALIVE"]}


def eventually(holds: Any, within_s: float, otherwise: Any) -> None:
    """Return once `holds` is true; AssertionError with `otherwise` after the time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(2)
