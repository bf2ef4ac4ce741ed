"""The tables of the ephemeris -> trajectory, prediction_error and what follows from it, burn_history.

Each function brings one table of a lake up to date: what follows from unchanged files is not made again, unless
everything is asked for. They need neither Airflow nor Spark, and may be cut off at any moment.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.derived import Partition, Published, publish_partitions, signature, source_digest
from orbitlake.lake.paths import ISSUE_PREFIX, PART
from orbitlake.tables import (
    BURN_HISTORY,
    PREDICTION_BANDS,
    PREDICTION_ERROR,
    PREDICTION_ERROR_SUMMARY,
    TRAJECTORY,
    Table,
)
from orbitlake.trajectory.best_path import BestPath
from orbitlake.trajectory.burn_history import burn_history
from orbitlake.trajectory.error_pairs import errors_in
from orbitlake.trajectory.error_summary import summarise
from orbitlake.trajectory.lake_issues import objects_of
from orbitlake.trajectory.learned_bands import learn_bands
from orbitlake.trajectory.prediction_error import compared_with, known_to, prediction_errors

RULES: Final = ("trajectory/*.py", "physics/*.py", "physics/*.txt", "tables.py", "digits.py")
"""The sources that the tables follow from: with new ones all is made anew, and what stays equal is left as it is."""


def update_trajectory(lake: Lake, *, everything: bool = False) -> Published:
    """Bring trajectory up to date."""
    return _publish(lake, TRAJECTORY, _days(lake), everything)


def update_prediction_error(lake: Lake, *, everything: bool = False) -> Published:
    """Bring prediction_error up to date."""
    return _publish(lake, PREDICTION_ERROR, _judgements(lake), everything)


def update_prediction_error_summary(lake: Lake, *, everything: bool = False) -> Published:
    """Bring prediction_error_summary up to date with prediction_error."""
    return _publish(lake, PREDICTION_ERROR_SUMMARY, _of_errors(lake, PREDICTION_ERROR_SUMMARY, summarise), everything)


def update_prediction_bands(lake: Lake, *, everything: bool = False) -> Published:
    """Bring prediction_bands up to date with prediction_error."""
    return _publish(lake, PREDICTION_BANDS, _of_errors(lake, PREDICTION_BANDS, learn_bands), everything)


def update_burn_history(lake: Lake, *, everything: bool = False) -> Published:
    """Bring burn_history up to date."""
    return _publish(lake, BURN_HISTORY, _histories(lake), everything)


def _publish(lake: Lake, table: Table, partitions: Iterator[Partition], everything: bool) -> Published:
    note = lake.checkpoints / "audit_positions" / f"{table.name}.json"
    return publish_partitions(lake, table, partitions, note, everything=everything)


def _days(lake: Lake) -> Iterator[Partition]:
    for issues in objects_of(lake):
        path = BestPath(issues)
        for day in path.days():
            file = lake.object_day(TRAJECTORY, issues.object_id, day.day)
            yield Partition(file, signature([], source_digest(RULES), *path.inputs(day)), partial(path.rows, day))


def _judgements(lake: Lake) -> Iterator[Partition]:
    for issues in objects_of(lake):
        for later, issue in enumerate(issues.all):
            numbers = {*compared_with(issues, later), *known_to(issues, later), later}
            signs = [issues.all[number].sign for number in sorted(numbers)]
            folder = lake.object_folder(PREDICTION_ERROR, issues.object_id) / f"{ISSUE_PREFIX}{issue.name}"
            make = partial(prediction_errors, issues, later)
            yield Partition(folder / PART, signature([], source_digest(RULES), *signs), make)


def _of_errors(lake: Lake, table: Table, make: Callable[[pa.Table], pa.Table]) -> Iterator[Partition]:
    """Yield the file of each object of a table that follows from all its rows of prediction_error."""
    for issues in objects_of(lake):
        errors = sorted(lake.object_folder(PREDICTION_ERROR, issues.object_id).glob(f"*/{PART}"))
        file = lake.object_file(table, issues.object_id)
        yield Partition(file, signature(errors, source_digest(RULES)), partial(_made_of, errors, make))


def _made_of(errors: list[Path], make: Callable[[pa.Table], pa.Table]) -> pa.Table:
    return make(errors_in(errors))


def _histories(lake: Lake) -> Iterator[Partition]:
    for issues in objects_of(lake):
        signs = [issue.sign for issue in issues.all]
        file = lake.object_file(BURN_HISTORY, issues.object_id)
        yield Partition(file, signature([], source_digest(RULES), *signs), partial(burn_history, issues))
