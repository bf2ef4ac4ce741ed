"""Submit one of our jobs to the Spark cluster of connection `spark_default`, with the same Python everywhere."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from orbitlake.settings import CHECKOUT, REFUSED, from_environment

PLUGINS: Final = str(CHECKOUT / "plugins")
EXIT_STATUS: Final = re.compile(r"Error code is: (-?\d+)")
RAISED: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b(?:: .+)?")
"""How Python ends the print of an exception."""


class SparkJob(SparkSubmitOperator):
    """A job of ours on the cluster: its last line of JSON is the task's result, its own words the error."""

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Run the job. Raises AirflowException with the cause, AirflowFailException where trying again is no use."""
        self.said, self.result = "", None
        try:
            super().execute(context)
        except AirflowException as error:
            status = EXIT_STATUS.search(str(error))
            if status is None:
                raise
            kind = AirflowFailException if int(status[1]) == REFUSED else AirflowException
            # The original holds the whole command and hundreds of lines that the log has already.
            raise kind(self.said or f"spark-submit gave no reason (exit status {status[1]})") from None
        return self.result

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        hook._process_spark_submit_log = self.listening(hook._process_spark_submit_log)
        return hook

    def listening(self, log: Callable[[Iterator[str]], None]) -> Callable[[Iterator[str]], None]:
        """Return what logs the job's output as `log` does and remembers what matters of it."""
        return lambda lines: log(self.heard(lines))

    def heard(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on; keep the last JSON object, and the last line that names an error: the job's own wins."""
        ours = re.compile(rf"{re.escape(Path(self.application).stem)}(?:\.py)?: (.+)")
        is_ours = False
        for line in lines:
            words = line.strip()
            if told := ours.fullmatch(words):
                self.said, is_ours = told[1], True
            elif not is_ours and RAISED.fullmatch(words):
                self.said = words
            elif words.startswith("{") and words.endswith("}"):
                try:
                    self.result = json.loads(words)
                except ValueError:
                    self.log.debug("no JSON: %s", words)
            yield line


def spark_job(
    task_id: str,
    script: str,
    arguments: Sequence[str],
    *,
    cores: int,
    timeout: timedelta,
    **operator: Any,
) -> SparkJob:
    """Return the task that runs `jobs/<script>` with templated `arguments` on `cores` executors of one core each.

    One core an executor lets the master spread a job over its workers, and the cap leaves room for the other jobs:
    without it the first application of a standalone cluster takes every core and the next one waits for ever. The
    pool holds back a backfill that asks for many days at once: each would bring a driver of its own.
    """
    return SparkJob(
        task_id=task_id,
        name=task_id,
        pool=from_environment().spark_pool,
        conn_id="spark_default",
        application=str(CHECKOUT / "jobs" / script),
        application_args=list(arguments),
        env_vars={"PYTHONPATH": PLUGINS, "ORBITLAKE_END_WITH_LAUNCHER": "1"},
        conf={
            "spark.cores.max": str(cores),
            "spark.executor.cores": "1",
            "spark.executor.memory": "1g",
            "spark.driver.memory": "1g",
            "spark.executorEnv.PYTHONPATH": PLUGINS,
            "spark.pyspark.python": sys.executable,
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "UTC",
        },
        execution_timeout=timeout,
        **operator,
    )
