"""When an issue is new: when the object passes over each site, when it can be seen, and how sure that is.

### Reads
The tables of the ephemeris, `lake/prediction_bands/` for how far predictions were off so far, and the file of places:
`sites.toml` in the data root, or the one that `ORBITLAKE_SITES` names. Without it there is one site, Paris.

### Writes
`lake/passes/`, a file an object and site, and `lake/approaches/`, one an object and point. Each is written aside and
renamed, where it comes out otherwise. With the fields of a new site filled in, that site is appended to the file of
places first, whose text stays as it is.

### Read by
Whoever wants to see the object pass, with how many seconds to be early; alerts, the calendar, the position page.

### A failed run
The tables are as they were, or one is newer than the other. Nothing is lost: all of it follows from the ephemeris and
the file of places. A file of places that cannot be used fails at once, with the line and the reason.

### To run again
Clear the run or press Trigger: what follows from unchanged issues and places is not made again, unless the form asks
for everything. A site that was added before is not added twice.
"""

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import (
    APPROACHES,
    OEM_ISSUES,
    OEM_SEGMENTS,
    PASSES,
    PREDICTION_BANDS,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY,
    TRAJECTORY_EVENTS,
)
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of

INPUTS = [OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, TRAJECTORY_EVENTS, PREDICTION_BANDS]


@dag(
    dag_display_name="Predict passes",
    description="When the object passes over each site, when it can be seen, and how sure that is",
    # Both are of audit_positions: trajectory follows each new issue, prediction_bands what it said of those before.
    schedule=(TRAJECTORY | PREDICTION_BANDS),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem"],
    params=params_of("predict_passes"),
)
def predict_passes():
    @task
    def sites(params: dict) -> list[str]:
        from orbitlake.orchestration.predictions import add_site_of_form

        return add_site_of_form(params)

    @task(inlets=INPUTS, outlets=[PASSES])
    def passes(**context) -> dict:
        from orbitlake.orchestration.predictions import predict_passes

        return predict_passes(PASSES, context)

    @task(inlets=INPUTS, outlets=[APPROACHES])
    def approaches(**context) -> dict:
        from orbitlake.orchestration.predictions import predict_approaches

        return predict_approaches(APPROACHES, context)

    # What a run came to is said by its last sentence: that of the passes.
    sites() >> approaches() >> passes()


predict_passes()
