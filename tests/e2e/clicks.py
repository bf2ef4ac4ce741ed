"""Many clicks at once on a running topology: pairs of triggers in one moment, and users who go about the web UI.

    PYTHONPATH=plugins python -m tests.e2e.clicks --run .run --pairs 200 --users 5 --seconds 300

prints what was answered and how fast; ends with 1 where an answer was a server error or 95 of 100 took longer than 2 s.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests

from orbitlake.embedded.running import status

DAG = "watch_freshness"
"""What is triggered: it runs in seconds and changes no table."""
P95_BAR_S = 2.0
ANSWER_WITHIN_S = 120
THINKS_S = (0.2, 1.0)
"""How long a user looks before the next click."""


@dataclass
class Clicks:
    """Answers of one topology."""

    url: str
    password: str
    answers: list[tuple[str, int, float]] = field(default_factory=list)
    """What was clicked, the status, seconds; status 0 where no answer came."""

    @classmethod
    def of_run(cls, run: Path) -> "Clicks":
        """Return clicks on the topology of a run folder. Ends the program where nothing runs there."""
        known = status(run)
        if known is None:
            sys.exit(f"nothing runs with its state in {run}")
        return cls(known["airflow"], json.loads((run / "passwords.json").read_text())["admin"])

    def session(self) -> requests.Session:
        http = requests.Session()
        http.trust_env = False
        body = {"username": "admin", "password": self.password}
        answer = http.post(f"{self.url}/auth/token", json=body, timeout=ANSWER_WITHIN_S)
        answer.raise_for_status()
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return http

    def click(self, http: requests.Session, what: str, method: str, path: str, body: dict | None = None) -> None:
        begun = time.monotonic()
        try:
            code = http.request(method, f"{self.url}/{path}", json=body, timeout=ANSWER_WITHIN_S).status_code
        except requests.RequestException:
            code = 0
        self.answers.append((what, code, time.monotonic() - begun))

    def trigger(self, http: requests.Session) -> None:
        self.click(http, "trigger", "POST", f"api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {}})

    def pairs(self, count: int) -> None:
        """Trigger twice in the same moment, `count` times."""
        sessions = [self.session() for _ in range(2)]
        moment = threading.Barrier(2)

        def together(http: requests.Session) -> None:
            moment.wait()
            self.trigger(http)

        with ThreadPoolExecutor(2) as both:
            for _ in range(count):
                list(both.map(together, sessions))

    def user(self, number: int, until: float) -> None:
        """Go about the web UI: lists, a DAG, its runs, a pause, a trigger, the position page."""
        http, chance = self.session(), random.Random(number)
        paused = itertools.cycle((True, False))
        pages: tuple[Callable[[], None], ...] = (
            lambda: self.click(http, "health", "GET", "api/v2/monitor/health"),
            lambda: self.click(http, "list of DAGs", "GET", "ui/dags?limit=50&dag_runs_limit=14"),
            lambda: self.click(http, "DAG", "GET", f"api/v2/dags/{DAG}/details"),
            lambda: self.click(http, "runs", "GET", f"api/v2/dags/{DAG}/dagRuns?limit=25&order_by=-run_after"),
            lambda: self.click(http, "tasks", "GET", f"api/v2/dags/{DAG}/dagRuns/~/taskInstances?limit=50"),
            lambda: self.click(http, "assets", "GET", "api/v2/assets?limit=50"),
            lambda: self.click(http, "pause", "PATCH", f"api/v2/dags/{DAG}", {"is_paused": next(paused)}),
            lambda: self.click(http, "position page", "GET", "position/api/freshness"),
            lambda: self.trigger(http),
        )
        while time.monotonic() < until:
            chance.choice(pages)()
            time.sleep(chance.uniform(*THINKS_S))

    def run(self, pairs: int, users: int, seconds: float) -> None:
        """The pairs, then the users, each with DAGs at work."""
        self.session().patch(
            f"{self.url}/api/v2/dags/{DAG}", json={"is_paused": False}, timeout=ANSWER_WITHIN_S
        ).raise_for_status()
        self.pairs(pairs)
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(max(users, 1)) as people:
            list(people.map(lambda number: self.user(number, until), range(users)))

    @property
    def failed(self) -> list[tuple[str, int, float]]:
        return [answer for answer in self.answers if answer[1] == 0 or answer[1] >= 500]

    @property
    def p95_s(self) -> float:
        return statistics.quantiles([seconds for _, _, seconds in self.answers], n=20)[-1]

    def report(self) -> str:
        lines = [f"{len(self.answers)} clicks, {len(self.failed)} failed, p95 {self.p95_s:.2f} s"]
        for what in sorted({name for name, _, _ in self.answers}):
            found = [(code, seconds) for name, code, seconds in self.answers if name == what]
            times = sorted(seconds for _, seconds in found)
            codes = dict(Counter(code for code, _ in found))
            lines.append(f"  {what:14} {codes} median {statistics.median(times):.2f} s, slowest {times[-1]:.2f} s")
        return "\n".join(lines)


def main() -> int:
    """Click on the topology of a run folder; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the run folder of a topology that is up")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--users", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    clicks = Clicks.of_run(arguments.run)
    clicks.run(arguments.pairs, arguments.users, arguments.seconds)
    print(clicks.report())
    return 1 if clicks.failed or clicks.p95_s > P95_BAR_S else 0


if __name__ == "__main__":
    sys.exit(main())
