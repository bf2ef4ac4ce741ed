"""Submit one of our jobs to the Spark cluster of connection `spark_default`, with the same Python everywhere."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

from orbitlake.settings import CHECKOUT

PLUGINS: Final = str(CHECKOUT / "plugins")


def spark_job(
    task_id: str,
    script: str,
    arguments: Sequence[str],
    *,
    cores: int,
    timeout: timedelta | None = None,
    **operator: Any,
) -> SparkSubmitOperator:
    """Return the task that runs `jobs/<script>` with templated `arguments` on `cores` executors of one core each.

    One core an executor lets the master spread a job over its workers, and the cap leaves room for the other jobs:
    without it the first application of a standalone cluster takes every core and the next one waits for ever.
    """
    return SparkSubmitOperator(
        task_id=task_id,
        name=task_id,
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
