"""The Airflow plugin of runs: their names, a note on each, and no run of a form that cannot be right."""

from airflow.plugins_manager import AirflowPlugin

from orbitlake.orchestration.forms import RefuseBadForms
from orbitlake.orchestration.outcomes import RunNotes
from orbitlake.orchestration.timetable import NamedByPartition


class RunForms(AirflowPlugin):
    """What Airflow asks of a plugin: a middleware of its API server, a listener of its scheduler, a timetable."""

    name = "run_forms"
    fastapi_root_middlewares = [{"middleware": RefuseBadForms, "name": "Refuse bad forms"}]  # noqa: RUF012
    listeners = [RunNotes()]  # noqa: RUF012
    timetables = [NamedByPartition]  # noqa: RUF012
