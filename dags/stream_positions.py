"""Around the clock: raw position records -> live positions and window_stats, on the Spark cluster.

**Reads** `raw/open_notify/`. **Writes** `live/positions/` and `live/window_stats/`, each fix exactly once. At the end
of a run the raw records of closed days are packed, one file a day.

**Read by** the position page, the daily compaction, anyone who asks for the newest fix.

**A failed run** means that the live tables stand still while raw records keep arriving; nothing is lost. The next run
resumes from the checkpoint where the last whole micro-batch ended.

**To run again** press Trigger: a second stream on the same checkpoint refuses to start, so a run in progress is safe.
`available-now` handles what has arrived and ends.
"""

from datetime import timedelta

from airflow.sdk import Param, dag

from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS, RAW_OPEN_NOTIFY
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.spark import spark_job
from orbitlake.settings import from_environment

SETTINGS = from_environment()


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
    params={
        "trigger": Param(
            SETTINGS.stream_trigger,
            type="string",
            enum=["available-now", "2 seconds", "5 seconds", "10 seconds", "30 seconds", "1 minute"],
            title="Trigger",
            description="How often a micro-batch starts; available-now handles what has arrived and ends.",
        ),
        "max_runtime_s": Param(
            SETTINGS.stream_max_runtime_s,
            type="number",
            minimum=10,
            maximum=86_400,
            title="Longest run (s)",
            description="The run ends after the micro-batch in hand and the next one takes over.",
        ),
    },
)
def stream_positions():
    spark_job(
        "stream",
        "stream_positions.py",
        ["--trigger", "{{ params.trigger }}", "--max-runtime", "{{ params.max_runtime_s }}"],
        cores=2,
        timeout=timedelta(days=1, hours=1),
        inlets=[RAW_OPEN_NOTIFY],
        outlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS],
    )


stream_positions()
