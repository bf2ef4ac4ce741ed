"""The schedule of a DAG whose runs are of one UTC day each: a run's name begins with its day."""

import secrets
from typing import Any

from airflow.timetables.trigger import CronPartitionTimetable


class NamedByPartition(CronPartitionTimetable):
    """Airflow's schedule of partitions, with names such as `scheduled__2026-11-27__5f0c91ab`.

    Airflow's own names have the time at which the run is due before the partition key, and its list of runs cuts a name
    after two short lines: the day would not be seen.
    """

    def generate_run_id(self, **run: Any) -> str:
        """Return a name that no other run has: by the partition key, and Airflow's own where there is none."""
        key = run.get("partition_key")
        return f"{run['run_type']}__{key}__{secrets.token_hex(4)}" if key else super().generate_run_id(**run)
