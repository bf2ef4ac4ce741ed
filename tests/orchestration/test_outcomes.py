"""The note of a run: from the listener that Airflow calls."""

from airflow.models.dagrun import DagRun
from sqlalchemy.orm import make_transient_to_detached

from orbitlake.orchestration.outcomes import RunNotes


def test_a_run_that_no_session_holds_stays_without_a_note():
    """As `airflow dags test` hands it over."""
    run = DagRun(dag_id="predict_passes", run_id="manual__1")
    run.id = 1
    make_transient_to_detached(run)

    RunNotes().on_dag_run_success(run)
