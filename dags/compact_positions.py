"""Each closed UTC day: live positions and window_stats -> one file a table in the lake; then old live files go.

### Reads
`live/positions/` and, for late fixes, the day's closed file.

### Writes
`lake/positions/date=…/part-0.parquet` and `lake/window_stats/date=…/part-0.parquet`, each replaced whole. Live files of
days closed for a day or more are **removed**, each row of them looked up in the closed day first.

### Read by
Analysts and every query over more than today.

### A failed run
The day is as it was: queries still find it in the live tables.

### To run again
A run's partition key is the UTC day that it closes: the list of runs shows it, whatever the time zone of your browser.
Clear a run to do its day again, or press Trigger and name the day. A range of days is a Backfill, in any order: one run
a day; days that have a run already are left out unless "Reprocess behavior" asks for them. A day done again without new
fixes rewrites nothing. A run also closes days before it that never were, and takes in fixes that came late for closed
ones.
"""

from datetime import timedelta

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS, POSITIONS, WINDOW_STATS
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of
from orbitlake.orchestration.outcomes import compacted, of_compaction
from orbitlake.orchestration.spark import spark_job
from orbitlake.orchestration.timetable import NamedByPartition

# The partition is the day that ended when the run is due; a run that a person triggers may have none.
DAY = "{{ params.date or partition_key or (dag_run.run_after - macros.timedelta(days=1)).strftime('%Y-%m-%d') }}"


@dag(
    dag_display_name="Compact positions",
    description="Live positions and window_stats of a closed UTC day -> one file a table",
    schedule=NamedByPartition("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["positions", "spark", "daily"],
    params=params_of("compact_positions"),
)
def compact_positions():
    @task
    def retire() -> dict:
        """Remove live files of closed days after their grace, and what the settings let go."""
        from orbitlake.retention import ClosedDayError, retire

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
        told=of_compaction,
        wrote=compacted,
        inlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS],
        outlets=[POSITIONS, WINDOW_STATS],
    )
    compact >> retire()


compact_positions()
