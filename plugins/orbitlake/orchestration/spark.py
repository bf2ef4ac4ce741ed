"""Submit one of our jobs to the Spark cluster of connection `spark_default`, with the same Python everywhere."""

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from orbitlake.orchestration.outcomes import announce, note
from orbitlake.orchestration.succession import Succession
from orbitlake.settings import CHECKOUT, REFUSED, from_environment

PLUGINS: Final = str(CHECKOUT / "plugins")
EXIT_STATUS: Final = re.compile(r"Error code is: (-?\d+)")
RAISED: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Invalid)\b(?:: .+)?")
"""How Python ends the print of an exception; Arrow calls what it cannot read ArrowInvalid."""
SPARKS_CHATTER: Final = re.compile(
    r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d INFO |WARNING: Using incubator modules|Using Spark's default log4j profile"
    r"|Setting default log level to|To adjust logging level use|.*WARN (NativeCodeLoader|ResolveWriteToStream): "
    r"|.*WARN DAGScheduler: Failed to cancel job group|NOTE: Picked up JDK_JAVA_OPTIONS: "
    # Our own line a minute tells the longest batch and the lag.
    r"|.*WARN ProcessingTimeExecutor: Current batch is falling behind"
)
"""Lines that a Spark driver prints however well it goes."""
JAVA_OPTIONS: Final = "-XX:+UseSerialGC"
"""A heap of a gigabyte and a core have no use for a garbage collector with threads of its own."""
BOTH_COMPILERS: Final = "-XX:TieredStopAtLevel=4"
"""For Java, which `make up` starts with its first alone: each message of Kafka is a row, which is work for the JVM."""
SAY_EVERY_S: Final = 60.0
FIRST_RESULT_WITHIN_S: Final = 300.0
"""How long a job that gives way has for its first result, the start of Java and Spark on a busy machine included."""


class SparkJob(SparkSubmitOperator):
    """A job of ours on the cluster: its last line of JSON is the task's result, its own words the error.

    `told` makes the sentence of the run's note from all objects that the job printed, `wrote` the rows that it wrote to
    each outlet, by name: an asset event exists only where there are some. `summary_of` makes one line of the log from
    the objects of a minute. With `gives_way` the job is asked to end once another run of its DAG waits, but not before
    its first object, for which it has `FIRST_RESULT_WITHIN_S`.
    """

    def __init__(
        self,
        *,
        told: Callable[[list[dict[str, Any]]], str] | None = None,
        wrote: Callable[[list[dict[str, Any]]], dict[str, int]] | None = None,
        summary_of: Callable[[list[dict[str, Any]]], str] | None = None,
        gives_way: bool = False,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.told, self.wrote, self.summary_of, self.gives_way = told, wrote, summary_of, gives_way

    def execute(self, context: Any) -> Any:
        """Run the job; return the last object that it printed, None without one.

        Raises AirflowException with the cause, AirflowFailException where trying again is no use.
        """
        self.said = ""
        self.results: list[dict[str, Any]] = []
        self.succession = Succession(context) if self.gives_way else None
        self.began = time.monotonic()
        try:
            super().execute(context)
        except AirflowException as error:
            status = EXIT_STATUS.search(str(error))
            if status is None:
                raise
            kind = AirflowFailException if int(status[1]) == REFUSED else AirflowException
            # The original holds the whole command and hundreds of lines that the log has already.
            raise kind(self.said or f"spark-submit gave no reason (exit status {status[1]})") from None
        if self.told:
            note(context, self.told(self.results))
        if self.wrote:
            outlets = {asset.name: asset for asset in self.outlets if isinstance(asset, Asset)}
            announce(context, {outlets[name]: rows for name, rows in self.wrote(self.results).items()})
        return self.results[-1] if self.results else None

    def _get_hook(self) -> SparkSubmitHook:
        # The hook reads the job's output in a method that it does not offer: there is no other place to listen.
        hook: Any = super()._get_hook()
        hook._process_spark_submit_log = self.listening(hook._process_spark_submit_log)
        found: SparkSubmitHook = hook
        return found

    def listening(self, log: Callable[[Iterator[str]], None]) -> Callable[[Iterator[str]], None]:
        """Return what logs the job's output as `log` does, less Spark's chatter, and remembers what matters of it."""
        return lambda lines: log(self.condensed(self.heard(lines)))

    def condensed(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass lines on without Spark's chatter; of the JSON objects of a minute pass one line on, where asked to."""
        objects: list[dict[str, Any]] = []
        since = time.monotonic()
        for line in lines:
            words = line.strip()
            if SPARKS_CHATTER.match(words):
                continue
            if self.summary_of is None or not words.startswith("{"):
                yield line
                continue
            with suppress(ValueError):
                found = json.loads(words)
                # The sums of the whole run come last: they are the task's result.
                objects += [found] if "batch" in found else []
            if objects and time.monotonic() - since >= SAY_EVERY_S:
                yield self.summary_of(objects)
                objects, since = [], time.monotonic()
        if self.summary_of and objects:
            yield self.summary_of(objects)

    @property
    def has_worked(self) -> bool:
        """Whether the job has printed a result; one that had long enough for it is taken to have nothing to do."""
        return bool(self.results) or time.monotonic() - self.began >= FIRST_RESULT_WITHIN_S

    def give_way(self) -> None:
        """Ask the job to end in good order once it has done something and another run of its DAG waits for it."""
        # Asked while it starts, it would end without a batch: runs triggered in quick succession would never do one.
        if self.succession and self.has_worked and self.succession.is_due():
            self.log.info("another run of this DAG waits: this one ends after the batch in hand")
            script = str(self.application)
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    # Python's driver alone takes the signal as a wish; Java beside it would die of it.
                    if script in process.cmdline() and "java" not in process.name():
                        process.send_signal(signal.SIGTERM)

    def heard(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on; keep the JSON objects, and the last line that names an error: the job's own wins.

        Of a job whose objects are summed up by the minute the last one alone is kept: it has the sums of all.
        """
        ours = re.compile(rf"{re.escape(Path(self.application).stem)}(?:\.py)?: (.+)")
        is_ours = False
        for line in lines:
            self.give_way()
            words = line.strip()
            if told := ours.fullmatch(words):
                self.said, is_ours = told[1], True
            elif not is_ours and RAISED.fullmatch(words):
                self.said = words
            elif words.startswith("{") and words.endswith("}"):
                try:
                    found = json.loads(words)
                    self.results = [found] if self.summary_of else [*self.results, found]
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
    reads_kafka: bool = False,
    **operator: Any,
) -> SparkJob:
    """Return the task that runs `jobs/<script>` with templated `arguments` on `cores` executors of one core each.

    One core an executor lets the master spread a job over its workers, and the cap leaves room for the other jobs:
    without it the first application of a standalone cluster takes every core and the next one waits for ever. The
    pool holds back a backfill that asks for many days at once: each would bring a driver of its own. One that
    `reads_kafka` gets Spark's jars for it where Kafka is set, and both of Java's compilers.
    """
    settings = from_environment()
    java_options = JAVA_OPTIONS
    if reads_kafka and settings.kafka:
        java_options = f"{JAVA_OPTIONS} {BOTH_COMPILERS}"
        operator["jars"] = ",".join(map(str, sorted(settings.kafka_jars.glob("*.jar"))))
    return SparkJob(
        task_id=task_id,
        name=task_id,
        pool=settings.spark_pool,
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
            "spark.driver.extraJavaOptions": java_options,
            "spark.executor.extraJavaOptions": java_options,
            "spark.sql.session.timeZone": "UTC",
        },
        execution_timeout=timeout,
        **operator,
    )
