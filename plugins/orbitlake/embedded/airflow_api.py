"""Airflow's REST API as the web UI uses it: log in, unpause, trigger, watch."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

POLL_S: Final = 1.0
ANSWER_WITHIN_S: Final = 90
"""The first trigger after a start loads half of Airflow: on a machine that does much else that takes half a minute."""
FINAL: Final = frozenset({"success", "failed"})


class RunError(RuntimeError):
    """A DAG run ended otherwise than in success; the message names the task and the cause that its log gives."""


@dataclass
class Airflow:
    """A session of one user. Every call raises requests.HTTPError with Airflow's own answer where it refuses."""

    url: str
    user: str
    password: str
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        # A `~/.netrc` of the caller's would take the place of the token, a proxy that of Airflow.
        self.http.trust_env = False

    def log_in(self) -> None:
        answer = self.http.post(
            f"{self.url}/auth/token", json={"username": self.user, "password": self.password}, timeout=ANSWER_WITHIN_S
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        answer = self.http.request(method, f"{self.url}/api/v2/{path}", timeout=ANSWER_WITHIN_S, **arguments)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:300]}", response=answer)
        return dict(answer.json())

    def dags(self) -> list[str]:
        return sorted(dag["dag_id"] for dag in self.call("GET", "dags")["dags"])

    def import_errors(self) -> list[str]:
        found = self.call("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found]

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", json={"is_paused": True})

    def is_paused(self, dag_id: str) -> bool:
        return bool(self.call("GET", f"dags/{dag_id}")["is_paused"])

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Trigger a run with the given params; returns its run_id."""
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf)})
        return str(run["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def succeeded(self, dag_id: str) -> int:
        """How many runs of a DAG have ended in success."""
        return int(self.call("GET", f"dags/{dag_id}/dagRuns", params={"state": "success", "limit": 1})["total_entries"])

    def tasks(self, dag_id: str, run_id: str = "~") -> dict[str, str | None]:
        """The state of each task, as `run_id.task_id`; of every run by default."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {f"{task['dag_run_id']}.{task['task_id']}": task["state"] for task in found}

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path, params={"deserialize": "true"})["value"]

    def wait(self, dag_id: str, run_id: str, within_s: float, watch: Callable[[], None] = lambda: None) -> None:
        """Return when the run has succeeded; `watch` is called at each look. Raises RunError."""
        deadline = time.monotonic() + within_s
        while (state := self.state(dag_id, run_id)) not in FINAL:
            if time.monotonic() > deadline:
                raise RunError(f"{dag_id} is still {state} after {within_s:.0f} s: {self.tasks(dag_id, run_id)}")
            watch()
            time.sleep(POLL_S)
        if state != "success":
            raise RunError(f"{dag_id} ended {state}: {self.tasks(dag_id, run_id)}")
