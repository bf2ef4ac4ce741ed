"""The environment of what the topology starts: little of the caller's, nothing of another Spark, Airflow or Python."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PASSED: Final = ("PATH", "USER", "LOGNAME", "JAVA_HOME", "LD_LIBRARY_PATH", "SPARK_LOCAL_HOSTNAME")
"""What this machine needs to find and run programs."""
CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
OURS: Final = "ORBITLAKE_"
FOR_STORE: Final = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE"),
)
"""How a store is reached, handed on where one is named to publish to, and not otherwise."""
PUBLISH_URL: Final = "ORBITLAKE_PUBLISH_URL"
FOR_AIRFLOW: Final = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_")
"""With ORBITLAKE_ before it such a name is handed on to Airflow: ORBITLAKE_AIRFLOW__CORE__PARALLELISM, for example."""
UTF_8: Final = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


def passed_on(given: Mapping[str, str]) -> dict[str, str]:
    """What of the caller's environment reaches the processes: names of the system, proxies, and our own settings."""
    kept = {name: given[name] for name in PASSED if name in given}
    kept |= {name: given[name] for name in CERTIFICATES if Path(given.get(name, "")).is_absolute()}
    kept |= {name: value for name, value in given.items() if name.startswith(OURS)}
    if kept.get(PUBLISH_URL):
        kept |= {name: given[name] for name in FOR_STORE if name in given}
    kept.setdefault("PATH", os.defpath)
    return kept | proxies(given)


def proxies(given: Mapping[str, str]) -> dict[str, str]:
    """The caller's proxies, never for loopback. SOCKS is left out: Airflow's own client would not even start."""
    kept = {
        name: value
        for wanted in PROXIES
        for name in (wanted, wanted.upper())
        if (value := given.get(name)) and not value.lower().startswith("socks")
    }
    direct = given.get("no_proxy") or given.get("NO_PROXY") or ""
    if direct.strip() != "*":
        words = [word.strip() for word in direct.split(",") if word.strip()]
        direct = ",".join([*words, *(host for host in LOOPBACK if host not in words)])
    return kept | {"no_proxy": direct, "NO_PROXY": direct}


def for_airflow(given: Mapping[str, str]) -> dict[str, str]:
    """What the caller sets of Airflow by our names, under Airflow's own."""
    return {
        name.removeprefix(OURS): value
        for name, value in given.items()
        if name.removeprefix(OURS).startswith(FOR_AIRFLOW) and name.startswith(OURS)
    }


def private(run: Path) -> dict[str, str]:
    """Home, temporary folder, language and clock that are the same for everyone.

    The home is a folder of the topology's: a `~/.netrc` or `~/airflow` of the caller's means nothing to it.
    """
    return {
        "HOME": str(run / "home"),
        "TMPDIR": str(run / "tmp"),
        "TZ": "UTC",
        "LANG": UTF_8,
        "LC_ALL": UTF_8,
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        # Airflow's processes name themselves, and would write over the marks in their environment.
        "SPT_NOENV": "1",
    }


def restart_in_own_environment(module: str) -> None:
    """Start this command again, in UTF-8 and without the caller's PYTHON… settings, unless it runs so already."""
    ours = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}
    if {name: value for name, value in os.environ.items() if name.startswith("PYTHON")} != ours:
        rest = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], rest | ours)  # noqa: S606 - as meant
