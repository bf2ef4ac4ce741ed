"""When a day is closed or an issue is new, and each morning: closed partitions of the lake -> an object store.

### Reads
`lake/`: every closed partition of the tables that `ORBITLAKE_PUBLISH_TABLES` names, all by default; of tables by day
those of days that are over. Live minutes are not published.

### Writes
`ORBITLAKE_PUBLISH_URL`, such as `s3://bucket/prefix`: what changed since the last run, under the names of the lake,
read back and held against its SHA-256; `manifest.json` last. What is gone in the lake is removed there after that.
Without that setting it does nothing, and nothing starts it.

### Read by
DuckDB, pandas, Polars and Spark of whoever can read the store, `orbitlake.query.connect("s3://...")`. A reader sees the
old or the new of each partition.

### A failed run
What could not be sent is there as it was before; all else was sent, and the manifest says so. The next run goes on.

### To run again
Clear the run or press Trigger: what is there already is not sent again. The form can ask for every object to be read
back and mended. A run that was killed is simply run again.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from orbitlake.orchestration.assets import (
    APPROACHES,
    LAKE_TABLES,
    OEM_ISSUES,
    PASSES,
    POSITIONS,
    POSITIONS_FILLED,
    PREDICTION_BANDS,
    TRAJECTORY,
)
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import SETTINGS, params_of

# Not those that also change each minute, while their day is open: the morning's run takes what these leave.
NEWS = OEM_ISSUES | TRAJECTORY | PREDICTION_BANDS | POSITIONS | POSITIONS_FILLED | PASSES | APPROACHES
EACH_MORNING = CronTriggerTimetable("30 6 * * *", timezone="UTC")


@dag(
    dag_display_name="Publish lake",
    description="Closed partitions -> an object store, each whole, the manifest last",
    schedule=AssetOrTimeSchedule(timetable=EACH_MORNING, assets=NEWS) if SETTINGS.publish_url else None,
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem", "positions"],
    params=params_of("publish_lake"),
)
def publish_lake():
    @task(inlets=LAKE_TABLES)
    def publish(**context) -> dict:
        from orbitlake.orchestration.publications import publish_lake

        return publish_lake(context)

    publish()


publish_lake()
