"""Loads under kill -9 while a reader looks on: the old rows of each day or the new ones, and in the end the lake's.

ORBITLAKE_KILLS sets how often; 50 is the full run.
"""

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from tests.database.random_rows import DAY, of_partition, put, take

from orbitlake.database import differences, load
from orbitlake.database.connecting import APPLICATION
from orbitlake.tables import PASSES, POSITIONS, TRAJECTORY

CHECKOUT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("ORBITLAKE_KILLS", "3"))
SEED = int(os.environ.get("ORBITLAKE_KILLS_SEED", "1"))
DAYS = [DAY + timedelta(days=number) for number in range(8)]
TABLES = (POSITIONS, TRAJECTORY, PASSES)
WITHIN_S = 60

pytestmark = [pytest.mark.long, pytest.mark.timeout(120 + 15 * KILLS)]


def change(lake, generation: int, chance: random.Random) -> None:
    """Make another state of the lake: days that change, come and go; each tells by a column of what state it is."""
    for day in chance.sample(DAYS, 5):
        rows = chance.randrange(500, 4000)
        put(
            lake,
            POSITIONS,
            of_partition(POSITIONS, rows, generation, date=day, altitude_km=float(generation)),
            date=day,
        )
        put(
            lake,
            TRAJECTORY,
            of_partition(TRAJECTORY, 300, generation, date=day, altitude_km=float(generation)),
            date=day,
        )
    put(lake, PASSES, of_partition(PASSES, chance.randrange(1, 50), generation))
    gone = chance.choice(DAYS)
    if lake.day(POSITIONS, gone).exists():
        take(lake, POSITIONS, date=gone)


def start(lake, url: str) -> subprocess.Popen:
    """Start the job."""
    environment = {"PYTHONPATH": str(CHECKOUT / "plugins"), "PATH": "", "ORBITLAKE_DATABASE_URL": url}
    command = [sys.executable, str(CHECKOUT / "jobs" / "load_database.py"), "--data", str(lake.root)]
    names = [word for table in TABLES for word in ("--table", table.name)]
    return subprocess.Popen([*command, *names], env=environment, cwd=CHECKOUT, stdout=subprocess.DEVNULL)


def watch(url: str, stop: Event, seen: list) -> None:
    """Look again and again whether each day is of one state, and of as many rows as the ledger says."""
    of_days = (
        "SELECT '{0}', coalesce(d.date, l.first_time::date), d.states, d.rows, l.row_count FROM "
        "(SELECT date, count(DISTINCT altitude_km) AS states, count(*) AS rows FROM orbitlake.{0} GROUP BY date) AS d "
        "FULL JOIN (SELECT * FROM orbitlake.loaded WHERE table_name = '{0}') AS l ON d.date = l.first_time::date"
    )
    with psycopg.connect(url) as reader:
        while not stop.is_set():
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for name in ("positions", "trajectory"):
                seen += reader.execute(of_days.format(name)).fetchall()
            reader.commit()
            time.sleep(0.01)


def test_whenever_a_load_is_killed_readers_see_whole_days_and_the_next_one_ends_it(lake, url, connection):
    chance = random.Random(SEED)
    change(lake, 0, chance)
    load(connection, lake, TABLES, "orbitlake")
    stop, seen = Event(), []
    watcher = Thread(target=watch, args=(url, stop, seen))
    watcher.start()
    killed = 0
    for generation in range(1, KILLS + 1):
        change(lake, generation, chance)
        job = start(lake, url)
        begun = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND backend_type = 'client backend'"
        latest = time.monotonic() + WITHIN_S
        # The connection of this test bears the same name.
        while connection.execute(begun, (APPLICATION,)).fetchone()[0] < 2 and job.poll() is None:
            assert time.monotonic() < latest
        time.sleep(chance.random() * 0.5)
        job.kill()
        killed += job.wait() != 0
        connection.rollback()
    stop.set()
    watcher.join()

    job = start(lake, url)
    assert job.wait(WITHIN_S) == 0
    print(f"{killed} of {KILLS} loads killed before their end, {len(seen)} looks at a day")
    assert killed
    assert seen
    assert [look for look in seen if look[2] != 1 or look[3] != look[4]] == []
    assert list(differences(connection, lake, TABLES, "orbitlake")) == []
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'orbitlake'").fetchall()
    attached = connection.execute("SELECT count(*) FROM pg_inherits").fetchone()[0]
    assert len([name for (name,) in tables if name[-8:].isdigit()]) * 2 == attached, "no day's table lies about"
