"""Around the clock: Open Notify's live position -> one raw record a poll, failed polls included.

**Reads** the feed of setting `ORBITLAKE_OPEN_NOTIFY_URL`, and where it gives no fix the fallback, if there is one.
**Writes** `raw/open_notify/date=…/hour=…/`, each record under the `source` it comes from.

**Read by** the stream of positions.

**A failed run** means that the collector itself broke: a feed that is down or talks nonsense does not fail it, each
such poll is a record with its reason. Records written before stay.

**To run again** press Trigger; polls of the past cannot be made good.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from orbitlake.orchestration.assets import RAW_OPEN_NOTIFY
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.settings import FALLBACKS, from_environment

SETTINGS = from_environment()


@dag(
    dag_display_name="Collect positions",
    description="Open Notify's live position -> raw records",
    schedule="@continuous",
    # Without a start the first run has an interval of no length, and Airflow never creates a second one.
    start_date=FIRST_DAY,
    max_active_runs=1,
    catchup=False,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["positions", "continuous"],
    params={
        "interval_s": Param(
            SETTINGS.collect_interval_s,
            type="number",
            minimum=1,
            maximum=3600,
            title="Interval (s)",
            description="Time from one poll to the next; never below one second.",
        ),
        "duration_s": Param(
            SETTINGS.collect_duration_s,
            type="number",
            minimum=1,
            maximum=86_400,
            title="Duration (s)",
            description="How long this run polls before the next one takes over.",
        ),
        "fallback": Param(
            SETTINGS.fallback,
            type="string",
            enum=list(FALLBACKS),
            title="Fallback",
            description="The feed that is polled in the same tick where Open Notify gave no fix; off: none.",
        ),
    },
)
def collect_positions():
    @task(outlets=[RAW_OPEN_NOTIFY], execution_timeout=timedelta(days=1, hours=1))
    def collect(params: dict) -> dict:
        from orbitlake.positions import collector

        return collector.run(params["interval_s"], params["duration_s"], fallback=params["fallback"], show=print)

    collect()


collect_positions()
