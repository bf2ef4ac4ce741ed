"""Every minute: what has arrived -> alerts, each told once when it is raised and once when it is over.

### Reads
The newest of `raw/open_notify/`, the stream's log of progress, the names of the issues in `lake/oem_issues/`; the live
fixes and the tables of the ephemeris.

### Writes
`alerts/`, a small file an alert that stands, and tells the channels of setting `ORBITLAKE_ALERTS`. While the stream is
at work it also announces, minute by minute, what the live tables have gained, as events of their assets. It keeps
`lake/coverage/`, `lake/gaps/` and `lake/position_audit/` up to the minute, and tells of a feed that is wrong.

### Read by
Whoever is on duty: on the position page, as the note of a run, in this log, by webhook or by e-mail. Failed runs of the
other DAGs raise their alerts themselves; what a channel did not take then is told from here.

### A failed run
The lake cannot be read or a channel cannot be told; the next run tries again.

### To run again
Press Trigger, with other limits if wanted: what stands is told once, however often it is looked at.
"""

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import (
    COVERAGE,
    GAPS,
    LIVE_POSITIONS,
    LIVE_WINDOW_STATS,
    OEM_ISSUES,
    POSITION_AUDIT,
    RAW_OPEN_NOTIFY,
)
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING_EACH_MINUTE
from orbitlake.orchestration.forms import params_of


@dag(
    dag_display_name="Watch freshness",
    description="Silent or wrong feed, stream behind, old issue -> one alert each, cleared once",
    schedule="* * * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING_EACH_MINUTE,
    doc_md=__doc__,
    tags=["positions", "oem", "alerts"],
    params=params_of("watch_freshness"),
)
def watch_freshness():
    @task(
        inlets=[RAW_OPEN_NOTIFY, OEM_ISSUES],
        outlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS, COVERAGE, GAPS, POSITION_AUDIT],
    )
    def watch(params: dict, **context) -> dict:
        from orbitlake.orchestration import alerting, audits

        try:
            return alerting.watch(context, params["feed_minutes"], params["stream_minutes"], params["issue_days"])
        finally:
            # Also where a channel could not be told.
            audits.compare_live({"coverage": COVERAGE, "gaps": GAPS, "position_audit": POSITION_AUDIT}, context)

    watch()


watch_freshness()
