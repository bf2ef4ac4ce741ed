"""One Spark session that closes days on demand: `… compactor DATA`, a line `DAY ROWS_A_PART KEEP_LIVE_S` an order.

It answers each order with a line of JSON. With KEEP_LIVE_S not negative it then removes live files of closed days.
"""

import json
import os
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.kills.cluster import kill

from orbitlake.lake import Lake
from orbitlake.lake.session import open_session
from orbitlake.positions.spark import compaction
from orbitlake.retention import live_removals, remove
from orbitlake.settings import CHECKOUT

SETTINGS = {
    "spark_master": "local[2]",
    "spark_ui_enabled": "false",
    "spark_driver_memory": "1g",
    "spark_driver_host": "127.0.0.1",
    "spark_driver_bindAddress": "127.0.0.1",
    "spark_sql_shuffle_partitions": "2",
}
NEVER: Final = -1
WHOLE_DAY: Final = 5_000_000


class Compactor:
    """A process that closes days, killed -9 at will and started again."""

    def __init__(self, lake, log: Path):
        self.lake, self.log = lake, log
        self.process: subprocess.Popen | None = None

    def order(self, day, rows_a_part: int = WHOLE_DAY, keep_live_s: float = NEVER) -> None:
        if self.process is None:
            environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHECKOUT / "plugins"), str(CHECKOUT)))}
            command = [sys.executable, "-m", "tests.kills.compactor", self.lake.root]
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    command, stdin=-1, stdout=-1, stderr=log, text=True, env=environment, cwd=CHECKOUT
                )
            assert self.process.stdout.readline() == "ready\n", self.log.read_text()
        self.process.stdin.write(f"{day} {rows_a_part} {keep_live_s}\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        answered = self.process.stdout.readline()
        assert answered, self.log.read_text()[-4000:]
        return json.loads(answered)

    def kill(self, choose: random.Random) -> None:
        if self.process is not None:
            kill(self.process, choose)
            self.process = None


def main() -> None:
    lake = Lake(Path(sys.argv[1]))
    with open_session("compactor", **SETTINGS) as spark:
        print("ready", flush=True)
        for order in sys.stdin:
            day, rows_a_part, keep_live_s = order.split()
            compaction.ROWS_A_PART = int(rows_a_part)
            done = compaction.compact_day(spark, lake, date.fromisoformat(day)).as_json()
            removed = 0
            if float(keep_live_s) >= 0:
                for removal in list(live_removals(lake, datetime.now(UTC) - timedelta(seconds=float(keep_live_s)))):
                    remove(lake, removal)
                    removed += 1
            print(json.dumps(done | {"removed": removed}), flush=True)


if __name__ == "__main__":
    main()
