"""When a closed day, an issue, burns or passes are new: the tables of the lake -> PostgreSQL or TimescaleDB.

### Reads
`lake/`: the partitions of each table whose files changed since they were loaded.

### Writes
Tables of the same names in the database that `ORBITLAKE_DATABASE_CONNECTION` or `ORBITLAKE_DATABASE_URL` names, each
partition in one transaction with the ledger `loaded` there. Where neither is set, nothing: the run says so and ends.

### Read by
People and dashboards that speak SQL to a server, by the role `orbitlake_reader`; the Grafana dashboard of
`docs/grafana/orbitlake.json`.

### A failed run
The database was not reached, or a partition could not be read; the database keeps what it held of it, and all others
are loaded. Nothing is lost: all of it follows from the lake.

### To run again
Clear the run or press Trigger: what is loaded already is not read again, unless the form asks for everything. A run
that was killed is simply run again.
"""

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import (
    APPROACHES,
    BURN_HISTORY,
    COVERAGE,
    GAPS,
    OEM_ISSUES,
    OEM_TABLES,
    PASSES,
    POSITION_AUDIT,
    POSITIONS,
    POSITIONS_FILLED,
    PREDICTION_BANDS,
    PREDICTION_ERROR,
    PREDICTION_ERROR_SUMMARY,
    TRAJECTORY,
    WINDOW_STATS,
)
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of

AUDIT = [PREDICTION_ERROR, PREDICTION_ERROR_SUMMARY, PREDICTION_BANDS, COVERAGE, GAPS, POSITIONS_FILLED, POSITION_AUDIT]


@dag(
    dag_display_name="Load database",
    description="Closed days, issues, burns and passes -> PostgreSQL or TimescaleDB, where one is set",
    # What the audit writes each minute of the day at hand comes along with the next of these.
    schedule=(POSITIONS | OEM_ISSUES | TRAJECTORY | BURN_HISTORY | PASSES | APPROACHES),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem", "positions"],
    params=params_of("load_database"),
)
def load_database():
    @task(inlets=[POSITIONS, WINDOW_STATS, *OEM_TABLES, TRAJECTORY, BURN_HISTORY, *AUDIT, PASSES, APPROACHES])
    def load(**context) -> dict:
        from orbitlake.orchestration.loading import load_database

        return load_database(context)

    load()


load_database()
