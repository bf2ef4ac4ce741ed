"""Each day: NASA's ephemeris file -> oem_issues, state_vectors, trajectory_events, thrust_episodes.

**Reads** the newest issue from the setting `ORBITLAKE_OEM_URL`, and what people dropped into `inbox/oem/`.
**Writes** `raw/oem/` and the four tables, one folder an issue.

**Read by** analysts, the position page, anyone who plans around a reboost.

**A failed run** leaves the tables as they were, with yesterday's issue. A file that cannot be read, or that contradicts
an issue already held, is kept in `quarantine/` with its reason.

**To run again** clear the run or press Trigger: an issue that is held already is `unchanged` and rewrites nothing.
"""

from airflow.sdk import Param, dag, task

from orbitlake.orchestration.assets import (
    OEM_ISSUES,
    RAW_OEM,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY_EVENTS,
)
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING


@dag(
    dag_display_name="Ingest OEM",
    description="NASA's daily ISS ephemeris -> four tables",
    schedule="0 6 * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    doc_md=__doc__,
    tags=["oem", "daily"],
    params={
        "source": Param(
            None,
            type=["null", "string"],
            title="Source",
            description="URL of an OEM file. Empty: the newest issue of NASA, and the inbox.",
        ),
    },
)
def ingest_oem(): ...


ingest_oem()
