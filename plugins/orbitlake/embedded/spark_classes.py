"""An archive of Spark's classes, which Java maps into memory instead of reading and checking each when it starts.

`python -m orbitlake.embedded.spark_classes` runs a small session and keeps the classes that it needed in `.venv`. The
archive is Java's own kind (class data sharing): another Java, or other jars, leave it unused.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from orbitlake.embedded.environment import passed_on, private
from orbitlake.embedded.java import ARCHIVE
from orbitlake.embedded.spark import for_spark

WITHIN_S: Final = 300
"""For the session, on a busy machine."""


def make() -> bool:
    """Make the archive anew; returns whether there is one now. Where there is none, Spark has said why."""
    aside = ARCHIVE.with_name(f"{ARCHIVE.name}.new")
    for earlier in (ARCHIVE, aside):
        earlier.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=ARCHIVE.parent) as folder:
        run = Path(folder)
        for name in ("tmp", "home"):
            (run / name).mkdir()
        environment = passed_on(os.environ) | private(run) | for_spark(run, f"-XX:ArchiveClassesAtExit={aside}")
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        # Two Javas one after the other, the submitter's and Spark's: what the latter writes stays.
        submit = [str(Path(sys.prefix, "bin", "spark-submit")), "--master", "local[2]", __file__]
        ended = subprocess.run(submit, env=environment, stdin=subprocess.DEVNULL, timeout=WITHIN_S, check=False)
    if ended.returncode or not aside.is_file():
        aside.unlink(missing_ok=True)
        return False
    # Whole or not at all: Java dies of half an archive.
    aside.replace(ARCHIVE)
    return True


def session() -> None:
    """Run what nearly every job does of Spark: rows grouped, Parquet out and in again. More saved nothing more."""
    from orbitlake.lake.session import open_session

    with tempfile.TemporaryDirectory() as folder, open_session("classes") as spark:
        spark.range(100).selectExpr("id % 7 AS bucket", "id").groupBy("bucket").sum().write.parquet(f"{folder}/sums")
        spark.read.parquet(f"{folder}/sums").collect()


if __name__ == "__main__":
    # Spark's submitter runs this file again, and says by which port it listens.
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        session()
    else:
        sys.exit(not make())
