"""Around the clock: raw position records -> live positions and window_stats, on the Spark cluster.

### Reads
`raw/open_notify/`, and what people drop into `inbox/open_notify/`. Where `ORBITLAKE_KAFKA` is set its topic,
too, which lands in `raw/open_notify/` first.

### Writes
`live/positions/` and `live/window_stats/`, each fix exactly once. At the end of a run the raw records of closed days
are sealed, one file a day.

### Read by
The position page, the daily compaction, anyone who asks for the newest fix.

### A failed run
The live tables stand still while raw records keep arriving; nothing is lost. The next run resumes from the checkpoint
where the last whole micro-batch ended.

### To run again
Press Trigger: the run at work ends after its batch in hand, one that has just begun after its first, and yours begins,
with the values of its form. After it the schedule goes on by the settings. A second stream on the same checkpoint
refuses to start, so nothing is done twice. `available-now` handles what has arrived and ends.
"""

from datetime import timedelta

from airflow.sdk import dag

from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS, RAW_OPEN_NOTIFY
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of
from orbitlake.orchestration.outcomes import of_batches, of_stream, streamed
from orbitlake.orchestration.spark import spark_job


@dag(
    dag_display_name="Stream positions",
    description="Raw position records -> live positions and window_stats",
    schedule="@continuous",
    # Without a start the first run has an interval of no length, and Airflow never creates a second one.
    start_date=FIRST_DAY,
    max_active_runs=1,
    catchup=False,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["positions", "spark", "continuous"],
    params=params_of("stream_positions"),
)
def stream_positions():
    spark_job(
        "stream",
        "stream_positions.py",
        ["--trigger", "{{ params.trigger }}", "--max-runtime", "{{ params.max_runtime_s }}"],
        cores=2,
        timeout=timedelta(days=1, hours=1),
        told=of_stream,
        summary_of=of_batches,
        wrote=streamed,
        gives_way=True,
        reads_kafka=True,
        inlets=[RAW_OPEN_NOTIFY],
        outlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS],
    )


stream_positions()
