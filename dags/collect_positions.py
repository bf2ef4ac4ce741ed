"""Around the clock: Open Notify's live position -> one raw record a poll, failed polls included.

### Reads
The feed of setting `ORBITLAKE_OPEN_NOTIFY_URL`, and where it gives no fix the fallback, if there is one.

### Writes
A segment in `raw/open_notify/date=…/`, a new one at each start and midnight UTC, each record under the `source` that
it comes from. Where `ORBITLAKE_KAFKA` is set, a record goes to its topic instead, and to `spool/` while the broker is
away.

### Read by
The stream of positions.

### A failed run
The collector itself broke: a feed that is down or talks nonsense does not fail it, each such poll is a record with its
reason and a warning in the log. Records written before stay.

### To run again
Press Trigger: the run at work ends within seconds and yours begins, with the values of its form. After it the schedule
goes on by the settings. Polls of the past cannot be made good.
"""

import logging
from datetime import timedelta

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import RAW_OPEN_NOTIFY
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of
from orbitlake.orchestration.outcomes import announce, note, of_collection, polls_of
from orbitlake.orchestration.succession import Succession

LOG = logging.getLogger("airflow.task")


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
    params=params_of("collect_positions"),
)
def collect_positions():
    @task(outlets=[RAW_OPEN_NOTIFY], execution_timeout=timedelta(days=1, hours=1))
    def collect(params: dict, **context) -> dict:
        from orbitlake.positions.collect import collector

        summary = collector.run(
            params["interval_s"],
            params["duration_s"],
            fallback=params["fallback"],
            show=LOG.info,
            warn=LOG.warning,
            is_relieved=Succession(context).is_due,
        )
        note(context, of_collection(summary))
        announce(context, {RAW_OPEN_NOTIFY: polls_of(summary)})
        return summary

    collect()


collect_positions()
