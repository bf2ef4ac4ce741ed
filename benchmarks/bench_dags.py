"""How long Airflow takes to parse the DAG folder, beyond importing its own SDK."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bars import Bar, print_machine, scaled, verdict

CHECKOUT = Path(__file__).resolve().parents[1]
ROUNDS = scaled(5, 1)
BAR_S = 0.5
PROBE = """
import importlib.util, sys, time
from pathlib import Path
from airflow.sdk import Asset, CronDataIntervalTimetable, Param, dag, task
begun = time.perf_counter()
for source in sorted(Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location("parsed_" + source.stem, source)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(time.perf_counter() - begun)
"""


def main() -> int:
    """Print the figures of a few fresh interpreters and whether the median keeps the bar."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(CHECKOUT / "plugins")}
        command = [sys.executable, "-c", PROBE, str(CHECKOUT / "dags")]
        times_s = [
            float(
                subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()[-1]
            )
            for _ in range(ROUNDS)
        ]
    print_machine()
    return verdict([Bar(f"parsing dags/, median of {ROUNDS} (s)", statistics.median(times_s), BAR_S, at_least=False)])


if __name__ == "__main__":
    sys.exit(main())
