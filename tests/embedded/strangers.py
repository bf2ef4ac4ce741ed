"""What machines of strangers are like: another Spark and Airflow around, odd paths, proxies, foreign languages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import free_ports

from orbitlake.settings import CHECKOUT

ODD_NAME = 'it\'s "$x" ü;# (1)&'


def checkout_at(folder: Path) -> Path:
    """A checkout in `folder`: its own copy of the code, and the virtual environment as if it had been made there."""
    folder.mkdir(parents=True)
    for part in ("dags", "jobs", "plugins"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    return folder


def command(checkout: Path, *words: str) -> list[str]:
    """A command of ours as `make` gives it."""
    return [str(checkout / ".venv" / "bin" / "python"), "-m", "orbitlake.embedded", *words]


def plain_environment(data: Path | str, ports: dict[str, int]) -> dict[str, str]:
    """What a command needs at least."""
    return {
        **{name: os.environ[name] for name in ("PATH", "JAVA_HOME", "HOME") if name in os.environ},
        "PYTHONPATH": "plugins",
        "ORBITLAKE_DATA": str(data),
        **{name: str(port) for name, port in ports.items()},
    }


def hostile_environment(scratch: Path) -> dict[str, str]:
    """An environment that points everything that can be pointed away from what the topology brings along."""
    home, spark, hadoop, junk = (scratch / name for name in ("home", "spark-conf", "hadoop-conf", "junk"))
    for folder in (home / "airflow", home / ".spark", spark, hadoop, junk):
        folder.mkdir(parents=True)
    (home / ".netrc").write_text("default login nobody password nothing\n")
    (home / ".netrc").chmod(0o600)
    (home / "airflow" / "airflow.cfg").write_text("[core]\nexecutor = NoSuchExecutor\n")
    (home / ".pgpass").write_text("*:*:*:*:wrong\n")
    (home / ".pgpass").chmod(0o600)
    (spark / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {scratch}/none\nspark.authenticate true\n"
        f"spark.sql.streaming.checkpointLocation {scratch}/elsewhere\nspark.driver.extraJavaOptions -Xmx1k\n"
    )
    (spark / "spark-env.sh").write_text("echo spark-env.sh of another Spark >&2; exit 7\n")
    (hadoop / "core-site.xml").write_text(
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://nowhere.invalid:8020</value></property>"
        "</configuration>\n"
    )
    proxy = "http://127.0.0.1:9"
    return {
        "HOME": str(home),
        "LC_ALL": "tr_TR.ISO-8859-9",
        "LANG": "xx_XX",
        "TMPDIR": str(junk),
        "http_proxy": proxy,
        "HTTPS_PROXY": proxy,
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "NO_PROXY": "example.org",
        "SPARK_HOME": "/opt/another-spark",
        "SPARK_CONF_DIR": str(spark),
        "SPARK_LOCAL_DIRS": "/nonexistent",
        "SPARK_MASTER_OPTS": "-Dspark.authenticate=true",
        "SPARK_SUBMIT_OPTS": "-Xmx1k",
        "PYSPARK_PYTHON": "python2",
        "PYSPARK_DRIVER_PYTHON": "jupyter",
        "PYSPARK_DRIVER_PYTHON_OPTS": "notebook",
        "PYSPARK_SUBMIT_ARGS": "--master yarn",
        "HADOOP_CONF_DIR": str(hadoop),
        "YARN_CONF_DIR": str(hadoop),
        "HADOOP_HOME": "/nonexistent",
        "JDK_JAVA_OPTIONS": "-Duser.language=tr -Djava.io.tmpdir=/nonexistent",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW_CONFIG": str(home / "airflow" / "airflow.cfg"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "mysql://nobody@nowhere.invalid/airflow",
        "AIRFLOW__CORE__DAGS_FOLDER": "/nonexistent",
        "PGHOST": "nowhere.invalid",
        "PGSSLMODE": "verify-full",
        "PYTHONWARNINGS": "ignore",
        "PYTHONIOENCODING": "ascii",
        "PYTHONOPTIMIZE": "1",
        "BASH_ENV": "/nonexistent",
        "CDPATH": "/",
        "GREP_OPTIONS": "--color=always",
        "ORBITLAKE_OPEN_NOTIFY_URL": "http://nowhere.invalid/iss-now.json",
        "ORBITLAKE_OEM_URL": "http://nowhere.invalid/oem",
        "ORBITLAKE_STREAM_TRIGGER": "1 minute",
        "ORBITLAKE_TOPOLOGY": "/nowhere",
    }


def without_programs_in_tmp(words: list[str]) -> list[str] | None:
    """The command in a mount namespace whose /tmp permits no programs.

    None where that needs rights we lack, or would hide our own virtual environment.
    """
    if Path(sys.prefix).resolve().is_relative_to("/tmp"):
        return None
    mounting = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o noexec tmpfs /tmp && exec "$@"', "sh"]
    if shutil.which("unshare") is None:
        return None
    trial = subprocess.run([*mounting, "true"], capture_output=True, check=False)
    return None if trial.returncode else [*mounting, *words]


def ports() -> dict[str, int]:
    """Ports that nobody listens on now."""
    return free_ports()
