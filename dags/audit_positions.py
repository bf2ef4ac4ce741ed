"""When an issue, a closed day or raw records are new: what both feeds say of each other, and where they were silent.

### Reads
The tables of the ephemeris: every issue that bears on what is new. `raw/open_notify/`: the polls of days that changed.
`lake/positions/`, of open days `live/positions/`: the fixes of days that changed.

### Writes
`lake/trajectory/`, a file an object and UTC day; `lake/prediction_error/`, one an issue; `lake/burn_history/`,
`lake/prediction_error_summary/` and `lake/prediction_bands/`, one an object; `lake/coverage/`, `lake/gaps/`,
`lake/positions_filled/` and `lake/position_audit/`, one a UTC day. Each is written aside and renamed, where it comes
out otherwise. A feed that is stale, frozen or off the track raises an alert, told once, and cleared once.

### Read by
Whoever asks where an object was or will be, how far a prediction may be off, what became of a planned burn, when and
why a position feed gave nothing, where the object was meanwhile, and whether what a feed gives is right.

### A failed run
The tables are as they were, or some of them newer than others. Nothing is lost: all of it follows from the ephemeris
and the raw records.

### To run again
Clear the run or press Trigger: what follows from unchanged files is not made again, unless the form asks for
everything. A run that was killed is simply run again.
"""

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import (
    BURN_HISTORY,
    COVERAGE,
    GAPS,
    LIVE_POSITIONS,
    OEM_ISSUES,
    OEM_SEGMENTS,
    POSITION_AUDIT,
    POSITIONS,
    POSITIONS_FILLED,
    PREDICTION_BANDS,
    PREDICTION_ERROR,
    PREDICTION_ERROR_SUMMARY,
    RAW_OPEN_NOTIFY,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY,
    TRAJECTORY_EVENTS,
)
from orbitlake.orchestration.audits import bring_up_to_date, compare_the_feeds, follow_the_feeds
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of

EPHEMERIS = [OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, TRAJECTORY_EVENTS]


@dag(
    dag_display_name="Audit positions",
    description="What issues say of each other and what was flown; where feeds were silent, and why",
    # An issue is complete when oem_issues lists it: its other tables are there then.
    schedule=(OEM_ISSUES | POSITIONS | RAW_OPEN_NOTIFY),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem", "positions"],
    params=params_of("audit_positions"),
)
def audit_positions():
    @task(inlets=EPHEMERIS, outlets=[TRAJECTORY])
    def trajectory(**context) -> dict:
        from orbitlake.trajectory.audit_tables import update_trajectory

        return bring_up_to_date(update_trajectory, TRAJECTORY, context)

    @task(inlets=EPHEMERIS, outlets=[PREDICTION_ERROR])
    def prediction_error(**context) -> dict:
        from orbitlake.trajectory.audit_tables import update_prediction_error

        return bring_up_to_date(update_prediction_error, PREDICTION_ERROR, context)

    @task(inlets=[PREDICTION_ERROR], outlets=[PREDICTION_ERROR_SUMMARY])
    def prediction_error_summary(**context) -> dict:
        from orbitlake.trajectory.audit_tables import update_prediction_error_summary

        return bring_up_to_date(update_prediction_error_summary, PREDICTION_ERROR_SUMMARY, context)

    @task(inlets=[PREDICTION_ERROR], outlets=[PREDICTION_BANDS])
    def prediction_bands(**context) -> dict:
        from orbitlake.trajectory.audit_tables import update_prediction_bands

        return bring_up_to_date(update_prediction_bands, PREDICTION_BANDS, context)

    @task(inlets=EPHEMERIS, outlets=[BURN_HISTORY])
    def burn_history(**context) -> dict:
        from orbitlake.trajectory.audit_tables import update_burn_history

        return bring_up_to_date(update_burn_history, BURN_HISTORY, context)

    @task(inlets=[RAW_OPEN_NOTIFY], outlets=[COVERAGE, GAPS])
    def gaps(**context) -> dict:
        return follow_the_feeds({"coverage": COVERAGE, "gaps": GAPS}, context)

    @task(inlets=[GAPS, TRAJECTORY, PREDICTION_BANDS], outlets=[POSITIONS_FILLED])
    def positions_filled(**context) -> dict:
        from orbitlake.audit import fill

        return bring_up_to_date(fill, POSITIONS_FILLED, context)

    @task(
        inlets=[*EPHEMERIS, POSITIONS, LIVE_POSITIONS, GAPS, PREDICTION_ERROR_SUMMARY],
        outlets=[POSITION_AUDIT],
    )
    def position_audit(**context) -> dict:
        return compare_the_feeds(POSITION_AUDIT, context)

    prediction_error() >> [(summary := prediction_error_summary()), (bands := prediction_bands())]
    [trajectory(), gaps(), bands] >> (filled := positions_filled())
    burn_history()
    # What fills a gap is written into it: the audit reads gaps after that.
    [summary, filled] >> position_audit()


audit_positions()
