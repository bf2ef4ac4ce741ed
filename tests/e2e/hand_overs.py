"""What the page says while one run of the stream hands over to the next: asked each second, never once wrong.

    ORBITLAKE_STREAM_MAX_RUNTIME_S=60 ORBITLAKE_UPSTREAM=simulator make up   # and unpause the DAGs
    PYTHONPATH=plugins python -m tests.e2e.hand_overs --run .run --count 10

The feed is well and records arrive all the time, so any verdict that calls for a person is a wrong one. Prints the
states that were seen and ends with 1 where one was wrong.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from tests.e2e.clicks import Clicks

STREAM_RUNS = "api/v2/dags/stream_positions/dagRuns?limit=1&order_by=-run_after"
LONGEST_S = 3_600
ANSWER_WITHIN_S = 30
MOST_SHOWN = 20


def watched(url: str, http: requests.Session, count: int) -> tuple[int, int, Counter[str], list[str]]:
    """Ask until the stream has changed hands `count` times; return askings, hand-overs, states and wrong verdicts."""
    states: Counter[str] = Counter()
    wrong = []
    runs: list[str] = []
    asked = 0
    until = time.monotonic() + LONGEST_S
    while len(runs) <= count and time.monotonic() < until:
        answer = http.get(f"{url}/position/api/freshness", timeout=ANSWER_WITHIN_S)
        answer.raise_for_status()
        asked += 1
        for verdict in answer.json()["verdicts"]:
            states[f"{verdict['subject']}: {verdict['state']}"] += 1
            if verdict["level"] == "wrong":
                wrong.append(f"{time.strftime('%H:%M:%S')} {verdict['subject']} {verdict['state']}: {verdict['text']}")
        (newest,) = http.get(f"{url}/{STREAM_RUNS}", timeout=ANSWER_WITHIN_S).json()["dag_runs"]
        if newest["dag_run_id"] not in runs:
            runs.append(newest["dag_run_id"])
        time.sleep(1)
    return asked, len(runs) - 1, states, wrong


def main() -> int:
    """Watch the topology of a run folder; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the run folder of a topology that is up")
    parser.add_argument("--count", type=int, default=10, help="hand-overs to see (10)")
    arguments = parser.parse_args()
    airflow = Clicks.of_run(arguments.run)
    asked, hand_overs, states, wrong = watched(airflow.url, airflow.session(), arguments.count)
    print(f"asked {asked} times over {hand_overs} hand-overs: {len(wrong)} wrong verdicts")
    for state, times in states.most_common():
        print(f"  {times:6} {state}")
    print("\n".join(wrong[:MOST_SHOWN]))
    return 1 if wrong or hand_overs < arguments.count else 0


if __name__ == "__main__":
    sys.exit(main())
