"""The Spark session that jobs run in."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType


@contextmanager
def open_session(name: str, **defaults: str) -> "Iterator[SparkSession]":
    """A Spark session that speaks UTC and Arrow and whose executors find this package; stopped at the end.

    What the submitter set stays: the master (local[*] where nobody set one), executorEnv.PYTHONPATH, and any of
    `defaults`, which name settings with underscores for dots.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    # Executors of a local master would otherwise run the system's python3.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Java takes jars for the driver at its start alone, where it is Python that starts it.
    at_start = SparkConf(loadDefaults=False).set("spark.jars", jars) if (jars := defaults.get("spark_jars")) else None
    # The gateway first: only then does SparkConf know what spark-submit was given.
    SparkContext._ensure_initialized(conf=at_start)
    # The shell's bar would be written between our lines; it is on whenever Python starts the JVM.
    conf = SparkConf().setAppName(name).set("spark.ui.showConsoleProgress", "false")
    settings = {
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Thousands of small files a task, not one.
        "spark.sql.files.openCostInBytes": str(64 * 2**10),
    } | {key.replace("_", "."): value for key, value in defaults.items()}
    for key, value in settings.items():
        conf.setIfMissing(key, value)
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    try:
        yield session
    finally:
        session.stop()


def spark_schema(schema: pa.Schema) -> "StructType":
    """Return the Spark schema of an Arrow schema, every column nullable: `conform` sees to nulls on the way out."""
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(field.name, from_arrow_type(field.type)) for field in schema])
