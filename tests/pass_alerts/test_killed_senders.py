"""Real senders, killed with SIGKILL at any moment: each pass is told, and what is repeated has the same id."""

import random
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.pass_alerts import sender
from tests.pass_alerts.passing import NINE, coming
from tests.pass_alerts.sky_lake import SITES, put_passes

from orbitlake.lake import Lake

PASSES = 6
KILLS = 5


def test_each_pass_is_told_whoever_is_killed(tmp_path: Path):
    root, outbox = tmp_path / "data", tmp_path / "outbox"
    lake = Lake(root)
    passes = [coming(NINE + number * timedelta(minutes=2), pass_id=f"pass-{number}") for number in range(PASSES)]
    put_passes(lake, passes)
    (root / "sites.toml").write_text(f'{SITES}\n[[alerts]]\nname = "all"\nminutes_before = 60\n')
    command = [sys.executable, sender.__file__, str(root), (NINE - timedelta(minutes=9)).isoformat(), str(outbox)]
    chance = random.Random(7)
    for _ in range(KILLS):
        sent = outbox.read_text().count("\n") if outbox.exists() else 0
        with subprocess.Popen([*command, "0.05"]) as process:
            # Kill one that is at work, wherever it is by then.
            while process.poll() is None and (outbox.read_text().count("\n") if outbox.exists() else 0) <= sent:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.12))
            process.kill()
    for _ in range(2):
        subprocess.run([*command, "0"], check=True)

    told = Counter(outbox.read_text().splitlines())
    assert len(told) == PASSES
    assert all(line.startswith("log alert ") for line in told)
    assert told.total() <= PASSES + KILLS
