"""How Spark is started: Java with Spark's classes, without Spark's shell scripts, which split paths at spaces."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from orbitlake.embedded.java import java_options, quick_start
from orbitlake.embedded.roots import TopologyError


def java_with_spark() -> tuple[str, ...]:
    """The words before the name of a class of Spark's. Raises TopologyError where there is no Java."""
    # JAVA_HOME as the check of Java left it.
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None:
        raise TopologyError("no Java on the PATH")
    return (java, "-cp", str(spark_home() / "jars" / "*"), "-Xmx512m")


def for_spark(run: Path, *options: str) -> dict[str, str]:
    """What Spark's processes find in their environment, those of its scripts too; `options`: more of Java's."""
    folders = (f"-Djava.io.tmpdir={run / 'tmp'}", f"-Duser.home={run / 'home'}")
    return {
        **{name: os.environ[name] for name in ("JAVA_HOME",) if os.environ.get(name)},
        "SPARK_HOME": str(spark_home()),
        # Set by Spark's scripts: without it a worker looks for the sources that Spark was built from.
        "SPARK_SCALA_VERSION": scala_version(),
        # No such folder: no spark-defaults.conf or spark-env.sh of another Spark, and no folder before the jars, since
        # the archive of classes is for the jars alone.
        "SPARK_CONF_DIR": str(run / "spark" / "no-conf"),
        "SPARK_LOCAL_DIRS": str(run / "spark" / "local"),
        # Everything that Spark opens, its pages too, binds to this address.
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        # Every Java reads it: native libraries are unpacked here, since /tmp may forbid programs.
        "JDK_JAVA_OPTIONS": java_options(*quick_start(), *folders, *options),
    }


def spark_home() -> Path:
    """Where pyspark keeps Spark, found without starting it."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise TopologyError(f"pyspark is not installed for {sys.executable}: run `make setup`")
    return Path(found.origin).parent


def scala_version() -> str:
    """The version of Scala that Spark was built for, such as 2.13."""
    for jar in sorted((spark_home() / "jars").glob("spark-core_*.jar")):
        return jar.name.removeprefix("spark-core_").partition("-")[0]
    raise TopologyError(f"{spark_home()} holds no Spark: run `make setup`")
