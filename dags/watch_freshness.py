"""Every minute: what has arrived -> alerts, each told once when it is raised and once when it is over.

**Reads** the newest of `raw/open_notify/`, the stream's log of progress, the names of the issues in `lake/oem_issues/`.
**Writes** `alerts/`, a small file an alert that stands, and tells the channels of setting `ORBITLAKE_ALERTS`.

**Read by** whoever is on duty: in this log, by webhook or by e-mail. Failed runs of the other DAGs raise their alerts
themselves; what a channel did not take then is told from here.

**A failed run** means that the lake cannot be read or that a channel cannot be told; the next run tries again.

**To run again** press Trigger, with other limits if wanted: what stands is told once, however often it is looked at.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from orbitlake.orchestration.assets import LIVE_POSITIONS, OEM_ISSUES, RAW_OPEN_NOTIFY
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING
from orbitlake.settings import from_environment

SETTINGS = from_environment()


@dag(
    dag_display_name="Watch freshness",
    description="Silent feed, stream behind, old issue -> one alert each, cleared once",
    schedule="* * * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    # The next run comes within a minute anyway.
    default_args=RETRYING | {"retries": 1, "execution_timeout": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["positions", "oem", "alerts"],
    params={
        "feed_minutes": Param(
            SETTINGS.alert_feed_minutes,
            type="number",
            exclusiveMinimum=0,
            maximum=1440,
            title="Feed (min)",
            description="Without a fix for longer, the feed is silent.",
        ),
        "stream_minutes": Param(
            SETTINGS.alert_stream_minutes,
            type="number",
            exclusiveMinimum=0,
            maximum=1440,
            title="Stream (min)",
            description="When a raw record waits for longer, the stream is behind.",
        ),
        "issue_days": Param(
            SETTINGS.alert_issue_days,
            type="number",
            exclusiveMinimum=0,
            maximum=365,
            title="Issue (days)",
            description="When the newest issue is older, it is old; NASA publishes about three times a week.",
        ),
    },
)
def watch_freshness():
    @task(inlets=[RAW_OPEN_NOTIFY, LIVE_POSITIONS, OEM_ISSUES])
    def watch(params: dict, dag) -> dict:
        from orbitlake.orchestration import alerting

        return alerting.watch(dag.dag_id, params["feed_minutes"], params["stream_minutes"], params["issue_days"])

    watch()


watch_freshness()
