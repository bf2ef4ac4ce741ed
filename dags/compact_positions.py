"""Each closed UTC day: live positions and window_stats -> one file a table in the lake; then old live files go.

**Reads** `live/positions/` and, for late fixes, the day's closed file.
**Writes** `lake/positions/date=…/part-0.parquet` and `lake/window_stats/date=…/part-0.parquet`, each replaced whole.
**Removes** live files of days closed for a day or more, each row of them looked up in the closed day first.

**Read by** analysts and every query over more than today.

**A failed run** leaves the day as it was: queries still find it in the live tables.

**To run a day again** clear its run, or press Trigger and name the day. A range of days: Backfill, in any order.
Running a day again without new fixes rewrites nothing. A run also closes days before it that
never were, and takes in fixes that came late for closed ones.
"""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS, POSITIONS, WINDOW_STATS
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.spark import spark_job

# A run that a person triggers without a date has no data interval: it takes the day before.
DAY = (
    "{{ params.date or ((data_interval_start | default(none)) or (dag_run.run_after - macros.timedelta(days=1)))"
    ".strftime('%Y-%m-%d') }}"
)


@dag(
    dag_display_name="Compact positions",
    description="Live positions and window_stats of a closed UTC day -> one file a table",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["positions", "spark", "daily"],
    params={
        "date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="UTC day",
            description="A closed UTC day. Empty: the day of the run's data interval, else yesterday.",
        ),
    },
)
def compact_positions():
    @task
    def retire() -> dict:
        """Remove live files of closed days after their grace, and what the settings let go."""
        from orbitlake.positions.retention import ClosedDayError, retire

        try:
            return retire()
        except ClosedDayError as error:
            # What a closed day lacks now it lacks in ten seconds, too; no file of it was removed.
            raise AirflowFailException(str(error)) from None

    compact = spark_job(
        "compact",
        "compact_positions.py",
        ["--date", DAY, "--pending"],
        cores=2,
        timeout=timedelta(hours=2),
        inlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS],
        outlets=[POSITIONS, WINDOW_STATS],
    )
    compact >> retire()


compact_positions()
