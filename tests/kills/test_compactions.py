"""Compactions while every kind of reader looks on, and compactions under kill -9: the old rows or the new ones.

ORBITLAKE_COMPACTIONS and ORBITLAKE_KILLS set how often; 100 and 50 are the full runs.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pytest
from tests.kills.compactor import WHOLE_DAY
from tests.kills.day_readers import READERS
from tests.kills.days import Day, assert_published, parts_published, read_all, states_by_day

from orbitlake.embedded.topology import CHECKOUT
from orbitlake.positions.store.day_files import pending_days
from orbitlake.query import files
from orbitlake.tables import POSITION_TABLES

COMPACTIONS = int(os.environ.get("ORBITLAKE_COMPACTIONS", "8"))
GOES = 3 if COMPACTIONS < 50 else 9
KILLS = int(os.environ.get("ORBITLAKE_KILLS", "3"))
KEEP_LIVE_S = 20
"""Longer than any read takes: who listed live files just before their day was closed may still open them."""
SMALL_PARTS = 400
TWO_OBJECTS = ("1998-067A", "2021-035A")
SIX_OBJECTS = tuple(f"20{number}-001A" for number in range(10, 16))

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(300 + 20 * COMPACTIONS + 40 * KILLS)]


@pytest.fixture
def watch(tmp_path, lake):
    """Start the readers and wait for their first reads; the returned function ends them and gives their accounts."""
    out = tmp_path / "readers"
    out.mkdir()
    readers = {}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHECKOUT / "plugins"), str(CHECKOUT)))}

    def reads(kind):
        account = out / f"{kind}.jsonl"
        return [json.loads(text) for text in account.read_text().splitlines()] if account.exists() else []

    def start():
        for kind in READERS:
            command = [sys.executable, "-m", "tests.kills.day_readers", kind, lake.root, out]
            with (out / f"{kind}.log").open("wb") as log:
                readers[kind] = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=CHECKOUT)
        deadline = time.monotonic() + 120
        while not all(map(reads, READERS)) and time.monotonic() < deadline:
            time.sleep(0.2)

        def end():
            (out / "stop").touch()
            assert {kind: reader.wait(120) for kind, reader in readers.items()} == dict.fromkeys(READERS, 0)
            return {kind: reads(kind) for kind in READERS}

        return end

    yield start
    for reader in readers.values():
        reader.kill()
        reader.wait()


class History:
    """The states of each day and table in turn, each with the times at which it could and must be seen."""

    def __init__(self, lake):
        self.lake, self.states = lake, defaultdict(list)
        self.note(0.0, 0.0)

    def note(self, began: float, ended: float) -> None:
        """Write down what is published now, by a compaction between `began` and `ended`."""
        for table in POSITION_TABLES:
            rows = read_all(files(table.name, self.lake.root), table)
            for day, state in states_by_day(rows, table).items():
                before = self.states[table.name, day]
                if not before or before[-1][0] != state:
                    before.append((state, began, ended))

    def wrong(self, read: dict) -> list[str]:
        """What a read cannot have seen."""
        if "error" in read:
            return [f"{read['look']} {read['table']}: {read['error']}"]
        problems = []
        for (table, day), states in self.states.items():
            superseded = [ended for _, _, ended in states[1:]] + [float("inf")]
            possible = [
                state
                for (state, began, _), until in zip(states, superseded, strict=True)
                if began <= read["ended"] and until >= read["began"]
            ]
            if len(possible) > 1 and possible[0] == states[0][0]:
                # A plan of before the first closing names live files, where late fixes show minute by minute.
                continue
            seen = tuple(read["days"].get(day, ()))
            if table == read["table"] and seen not in possible:
                problems.append(f"{read['look']} {table} {day}: saw {seen}, not one of {possible}")
        return problems


def test_no_reader_notices_a_compaction(lake, compactor, watch, choose):
    days = [Day(number, GOES, TWO_OBJECTS, choose) for number in range(COMPACTIONS // (GOES + 1))]
    for day in days:
        day.go_live(lake)
    fixes = [row for day in days for row in day.fixes]
    history = History(lake)
    end_watch = watch()
    turns = [day for day in days for _ in range(GOES + 1)]
    choose.shuffle(turns)
    closed, removed = set(), 0
    for day in turns:
        # A late fix changes the first rows of the day after, too, where those are live still.
        began = time.monotonic()
        if day.date in closed:
            day.come_late(lake)
        closed.add(day.date)
        compactor.order(day.date, keep_live_s=KEEP_LIVE_S)
        removed += compactor.answer()["removed"]
        history.note(began, time.monotonic())
        assert set(parts_published(lake)) == {
            f"{table.name}/date={one}/part-0.parquet" for one in closed for table in POSITION_TABLES
        }
    # Days that the late fixes of the day before bear on.
    for day in pending_days(lake, date.max):
        began = time.monotonic()
        compactor.order(day, keep_live_s=KEEP_LIVE_S)
        removed += compactor.answer()["removed"]
        history.note(began, time.monotonic())
    accounts = end_watch()
    reads = [read for account in accounts.values() for read in account]
    steps = sum(len(states) - 1 for states in history.states.values())
    looks = {kind: len(account) for kind, account in accounts.items()}
    print(f"{len(turns)} compactions, {steps} new states, {removed} live files removed, reads {looks}")

    assert [problem for read in reads for problem in history.wrong(read)] == []
    assert_published(lake, fixes)
    assert all(account[-1]["last"] for account in accounts.values())


def test_a_compaction_killed_at_any_moment_is_finished_by_the_next(lake, compactor, choose):
    days = [Day(number, 2, SIX_OBJECTS, choose) for number in range((KILLS + 2) // 3 + 1)]
    for day in days:
        day.go_live(lake)
    fixes = [row for day in days for row in day.fixes]
    before_all = [(day, go) for day in days for go in range(3)][: KILLS + 1]
    lasted_s, left, outcomes = 3.0, 0, Counter()
    for number, (day, go) in enumerate(before_all):
        if go:
            day.come_late(lake)
        # Every other day in several parts.
        rows_a_part = SMALL_PARTS if days.index(day) % 2 else WHOLE_DAY
        old = parts_published(lake)
        midway = None
        if number:
            compactor.order(day.date, rows_a_part)
            time.sleep(choose.uniform(0, lasted_s))
            compactor.kill(choose)
            midway = parts_published(lake)
            left += len(list(lake.staging.iterdir()))
        compactor.order(day.date, rows_a_part)
        began = time.monotonic()
        compactor.answer()
        again = time.monotonic()
        # What the next kill is to hit is a compaction by a session that has done one already.
        compactor.order(day.date, rows_a_part)
        assert not compactor.answer()["replaced"]
        lasted_s = min(again - began, time.monotonic() - again) * 1.2
        new = parts_published(lake)
        if midway is not None:
            outcomes["old" if midway == old else "new" if midway == new else "between"] += 1
            assert all(midway.get(place) in (old.get(place), new.get(place)) for place in {*old, *midway, *new})
            for folder in {str(Path(place).parent) for place in new}:
                assert in_folder(midway, folder) in (in_folder(old, folder), in_folder(new, folder))
    print(f"{KILLS} kills: {dict(outcomes)}, {left} left in staging")
    for day in days:
        while day.late:
            day.come_late(lake)
    yesterday = time.time() - 2 * 86_400
    for path in lake.staging.iterdir():
        os.utime(path, (yesterday, yesterday))
    for day in days:
        compactor.order(day.date)
        compactor.answer()

    assert [path for path in lake.staging.rglob("*") if path != lake.stream_staging] == []
    assert_published(lake, fixes)


def in_folder(parts, folder):
    return {place for place in parts if str(Path(place).parent) == folder}
