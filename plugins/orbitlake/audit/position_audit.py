"""positions, gaps and the tables of the ephemeris -> lake/position_audit: the days whose inputs have changed.

A day's file is a function of its fixes, of the issues that hold on it, of what is known of their errors, and of how
its feeds were judged by the end of the day before.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from orbitlake.audit.ephemeris import Ephemeris
from orbitlake.audit.fix_days import FIX_COLUMNS, GAP_COLUMNS, States, judge_day
from orbitlake.audit.fix_verdicts import FeedState
from orbitlake.audit.issue_bounds import IssueBounds
from orbitlake.lake import Lake
from orbitlake.lake.derived import (
    Partition,
    Published,
    load_note,
    publish_partitions,
    save_note,
    signature,
    source_digest,
)
from orbitlake.lake.listing import days_in, parts_of
from orbitlake.lake.locks import is_locked
from orbitlake.lake.parquet import open_checked
from orbitlake.positions.store.minute_files import live_files
from orbitlake.tables import GAPS, POSITION_AUDIT, POSITIONS, PREDICTION_ERROR_SUMMARY, Table
from orbitlake.trajectory.best_path import BestPath
from orbitlake.trajectory.lake_issues import objects_of

RULES: Final = ("audit/*.py", "trajectory/*.py", "physics/*.py", "physics/*.txt", "tables.py", "digits.py")
"""The sources that the table follows from: with new ones all is made anew, and what stays equal is left as it is."""
ONE_DAY: Final = timedelta(days=1)


def update_position_audit(lake: Lake, *, everything: bool = False) -> Published:
    """Bring position_audit up to date. Raises LakeError where files are of another version than the tables here."""
    note = note_of(lake)
    partitions = Update(lake, note.with_suffix(".states.json")).partitions()
    return publish_partitions(lake, POSITION_AUDIT, partitions, note, everything=everything)


def note_of(lake: Lake) -> Path:
    """What the table was made from; beside it lies the lock that an update holds."""
    return lake.checkpoints / "audit_positions" / f"{POSITION_AUDIT.name}.json"


def is_being_updated(lake: Lake) -> bool:
    """Whether another process is at work on the table, which can take long where much is new."""
    return is_locked(note_of(lake).with_suffix(".lock"))


class Update:
    """One update: the issues of each object, and how feeds were judged by the end of each day.

    `note` remembers the latter, by what they follow from. It is a cache: without it days are judged again.
    """

    def __init__(self, lake: Lake, note: Path) -> None:
        self.lake, self.note = lake, note
        self.ephemerides: dict[str, Ephemeris] = {}
        self.holding: dict[date, list[str]] = {}
        """Of each day that issues cover: what changes with what they say of it."""
        for issues in objects_of(lake):
            bounds = IssueBounds.of(self.summary(issues.object_id))
            self.ephemerides[issues.object_id] = Ephemeris.of(issues, bounds)
            path = BestPath(issues)
            for day in path.days():
                self.holding.setdefault(day.day, []).extend([issues.object_id, bounds.text, *path.inputs(day)])
        self.judged: dict[date, States] = {}

    def summary(self, object_id: str) -> list[dict[str, object]]:
        """Return what is known of the errors of an object's issues."""
        file = self.lake.object_file(PREDICTION_ERROR_SUMMARY, object_id)
        rows: list[dict[str, object]] = read(
            PREDICTION_ERROR_SUMMARY, [file], PREDICTION_ERROR_SUMMARY.column_names
        ).to_pylist()
        return rows

    def partitions(self) -> Iterator[Partition]:
        """Yield the days that have fixes and that issues cover, in order: each follows from the one before, too."""
        known, now_known = load_note(self.note), {}
        states: States = {}
        days = {*days_in(self.lake.closed(POSITIONS)), *days_in(self.lake.live(POSITIONS))} & set(self.holding)
        for day in sorted(days):
            before = as_text(states)
            gap_files = [file for each in (day, day + ONE_DAY) if (file := self.lake.day(GAPS, each)).exists()]
            inputs = signature([*self.fix_files(day), *gap_files], source_digest(RULES), before, *self.holding[day])
            yield Partition(self.lake.day(POSITION_AUDIT, day), inputs, partial(self.rows, day, gap_files, states))
            # By now the day has been made, where it had to be.
            if day not in self.judged and known.get(str(day), [""])[0] == inputs:
                states = of_text(known[str(day)][1])
            else:
                if day not in self.judged:
                    self.rows(day, gap_files, states)
                states = self.judged.pop(day)
            now_known[str(day)] = [inputs, as_text(states)]
        if now_known != known:
            save_note(self.note, now_known, self.lake)

    def fix_files(self, day: date) -> list[Path]:
        """Return the files that hold the fixes of a day: of the closed day, else live ones."""
        return parts_of(self.lake, POSITIONS, day) or live_files(self.lake, POSITIONS, day)

    def rows(self, day: date, gap_files: list[Path], states: States) -> pa.Table:
        """Return the rows of a day, and remember the states after it."""
        fixes = read(POSITIONS, self.fix_files(day), FIX_COLUMNS)
        found, self.judged[day] = judge_day(fixes, read(GAPS, gap_files, GAP_COLUMNS), self.ephemerides, states)
        return found


def read(table: Table, files: list[Path], columns: tuple[str, ...]) -> pa.Table:
    """Return some columns of files of a table; one that is gone by now holds nothing."""
    parts = [table.schema.empty_table().select(columns)]
    for file in files:
        with suppress(FileNotFoundError), open_checked(file, table, at_once=True) as opened:
            parts.append(opened.read(list(columns), use_threads=False))
    return pa.concat_tables(parts)


def as_text(states: States) -> str:
    """Return the states of feeds as text, equal ones as equal text."""
    return json.dumps([[*feed, state.text] for feed, state in sorted(states.items())])


def of_text(text: str) -> States:
    """Return the states that a text tells of."""
    return {(object_id, source): FeedState.read(state) for object_id, source, state in json.loads(text)}
