"""The Airflow plugin of runs: a form that cannot be right is refused before a run exists, and each run gets a note."""

from airflow.plugins_manager import AirflowPlugin

from orbitlake.orchestration.forms import RefuseBadForms
from orbitlake.orchestration.outcomes import RunNotes


class RunForms(AirflowPlugin):
    """What Airflow asks of a plugin: a middleware of its API server, and a listener of its scheduler."""

    name = "run_forms"
    fastapi_root_middlewares = [{"middleware": RefuseBadForms, "name": "Refuse bad forms"}]  # noqa: RUF012
    listeners = [RunNotes()]  # noqa: RUF012
