"""Whether another run of a DAG waits for the one at work: a run that a person starts need not wait for an hour."""

import time
from typing import Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError

ASK_EVERY_S: Final = 3.0


class Succession:
    """Asks Airflow, now and then, whether a run of the same DAG is queued. `is_due` is true once, at the first one."""

    def __init__(self, context: Any) -> None:
        self.count = context["ti"].get_dr_count
        self.dag_id = context["dag"].dag_id
        self.asked = time.monotonic()
        self.given = False

    def is_due(self) -> bool:
        """Say whether the run at work shall end now. An Airflow that does not answer asks for nothing."""
        if self.given or time.monotonic() - self.asked < ASK_EVERY_S:
            return False
        self.asked = time.monotonic()
        try:
            self.given = self.count(dag_id=self.dag_id, states=["queued"]) > 0
        except AirflowRuntimeError:
            return False
        return self.given
