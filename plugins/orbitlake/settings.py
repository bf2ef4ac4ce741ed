"""Environment -> one frozen dataclass. Every setting of ours is an ORBITLAKE_ variable; .env.example lists them all."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

CHECKOUT: Final = Path(__file__).resolve().parents[2]
OPEN_NOTIFY_URL: Final = "http://api.open-notify.org/iss-now.json"
WHERETHEISS_URL: Final = "https://api.wheretheiss.at/v1/satellites/25544"
NASA_OEM_URL: Final = "https://nasa-public-data.s3.amazonaws.com/iss-coords/current/ISS_OEM/ISS.OEM_J2K_EPH.txt"

PARTITION_KEYS: Final = ("date=", "object_id=", "issue=")
OFF: Final = "off"
FALLBACKS: Final = (OFF, "wheretheiss")
CHANNEL: Final = re.compile(r"log|(webhook|smtp):[\w.-]+")
"""Where an alert can go: the log, or a connection of Airflow."""
HOST: Final = re.compile(r"([\w-]+(\.[\w-]+)*\.?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
"""A name or an address, with or without a port; IPv6 with a port stands in brackets, as in a URL."""

MAX_FILE_BYTES: Final = "ORBITLAKE_MAX_DOWNLOAD_BYTES"
DEFAULT_MAX_FILE_BYTES: Final = 64 * 2**20
"""Half a million states in text: eleven days of powered flight at 2 s; a whole ISS issue takes 0.8."""

MOST_BUCKETS: Final = 1024
LIVE: Final = "live"
REFUSED: Final = 3
"""Exit status of a job that is asked for what it must not do: trying again is no use."""


class SettingError(ValueError):
    """A variable of the environment holds something that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run can be told from outside; times are in seconds, sizes in bytes."""

    data: Path
    upstream: str
    simulator_url: str
    open_notify_url: str
    wheretheiss_url: str
    fallback: str
    oem_url: str
    object_id: str
    http_timeout_s: float
    max_download_bytes: int
    allowed_hosts: tuple[str, ...]
    clock_tolerance_s: float | None
    collect_interval_s: float
    collect_duration_s: float
    stream_trigger: str
    stream_max_runtime_s: float
    buckets: int
    spark_pool: str
    keep_live_hours: float
    keep_raw_days: float | None
    keep_quarantine_days: float | None
    keep_quarantine_bytes: int
    alerts: tuple[str, ...]
    alert_feed_minutes: float
    alert_stream_minutes: float
    alert_issue_days: float

    @property
    def uses_simulator(self) -> bool:
        return self.upstream == "simulator"

    @property
    def feed_urls(self) -> dict[str, str]:
        """Where each position feed is, by the name that its records bear as `source`."""
        return {"open_notify": self.open_notify_url, "wheretheiss": self.wheretheiss_url}


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; a variable that is absent or empty takes its default. Raises SettingError by name."""
    env = os.environ if environment is None else environment

    text, number = partial(_text, env), partial(_number, env)

    def number_or_forever(name: str) -> float | None:
        return None if text(name, "forever") == "forever" else number(name, 0)

    def buckets() -> int:
        count = number("ORBITLAKE_BUCKETS", 1)
        if count != int(count) or count > MOST_BUCKETS:
            raise SettingError(f"ORBITLAKE_BUCKETS is {count:g}: expected a whole number from 1 to {MOST_BUCKETS}")
        return int(count)

    def channels(name: str) -> tuple[str, ...]:
        wanted = tuple(dict.fromkeys(word.strip() for word in text(name, "log").split(",")))
        for channel in wanted:
            if not CHANNEL.fullmatch(channel):
                raise SettingError(f"{name} holds {channel!r}: expected log, webhook:<connection> or smtp:<connection>")
        return wanted

    def hosts(name: str) -> tuple[str, ...]:
        wanted = tuple(word for part in text(name, "").split(",") if (word := part.strip()))
        for entry in wanted:
            if not is_host(entry) and not is_network(entry):
                raise SettingError(f"{name} holds {entry!r}: expected a host, host:port, an address or a network")
        return wanted

    upstream = text("ORBITLAKE_UPSTREAM", "live")
    if upstream not in ("live", "simulator"):
        raise SettingError(f"ORBITLAKE_UPSTREAM is {upstream!r}: expected live or simulator")
    fallback = text("ORBITLAKE_FALLBACK", OFF)
    if fallback not in FALLBACKS:
        raise SettingError(f"ORBITLAKE_FALLBACK is {fallback!r}: expected {' or '.join(FALLBACKS)}")
    simulator_url = text("ORBITLAKE_SIMULATOR_URL", "http://127.0.0.1:8090").rstrip("/")
    simulated = upstream == "simulator"
    tolerance = text("ORBITLAKE_CLOCK_TOLERANCE_S", OFF if simulated else "300")
    return Settings(
        data=data_root(text("ORBITLAKE_DATA", str(CHECKOUT / "data")), "ORBITLAKE_DATA"),
        upstream=upstream,
        simulator_url=simulator_url,
        open_notify_url=text(
            "ORBITLAKE_OPEN_NOTIFY_URL", f"{simulator_url}/iss-now.json" if simulated else OPEN_NOTIFY_URL
        ),
        wheretheiss_url=text(
            "ORBITLAKE_WHERETHEISS_URL", f"{simulator_url}/v1/satellites/25544" if simulated else WHERETHEISS_URL
        ),
        fallback=fallback,
        oem_url=text("ORBITLAKE_OEM_URL", f"{simulator_url}/ISS.OEM_J2K_EPH.txt" if simulated else NASA_OEM_URL),
        object_id=text("ORBITLAKE_OBJECT_ID", "1998-067A"),
        http_timeout_s=number("ORBITLAKE_HTTP_TIMEOUT_S", 30),
        max_download_bytes=max_file_bytes(env),
        allowed_hosts=hosts("ORBITLAKE_ALLOWED_HOSTS"),
        clock_tolerance_s=None if tolerance == OFF else number("ORBITLAKE_CLOCK_TOLERANCE_S", 300),
        collect_interval_s=number("ORBITLAKE_COLLECT_INTERVAL_S", 5),
        collect_duration_s=number("ORBITLAKE_COLLECT_DURATION_S", 3600),
        stream_trigger=text("ORBITLAKE_STREAM_TRIGGER", "5 seconds"),
        stream_max_runtime_s=number("ORBITLAKE_STREAM_MAX_RUNTIME_S", 3600),
        buckets=buckets(),
        spark_pool=text("ORBITLAKE_SPARK_POOL", "default_pool"),
        keep_live_hours=number("ORBITLAKE_KEEP_LIVE_HOURS", 24),
        keep_raw_days=number_or_forever("ORBITLAKE_KEEP_RAW_DAYS"),
        keep_quarantine_days=number_or_forever("ORBITLAKE_KEEP_QUARANTINE_DAYS"),
        keep_quarantine_bytes=int(number("ORBITLAKE_KEEP_QUARANTINE_BYTES", 2**30)),
        alerts=channels("ORBITLAKE_ALERTS"),
        alert_feed_minutes=number("ORBITLAKE_ALERT_FEED_MINUTES", 10),
        alert_stream_minutes=number("ORBITLAKE_ALERT_STREAM_MINUTES", 5),
        alert_issue_days=number("ORBITLAKE_ALERT_ISSUE_DAYS", 5),
    )


def is_host(text: str) -> bool:
    """Say whether a text is a host as a URL has it, with or without a port."""
    if not HOST.fullmatch(text):
        return False
    try:
        parts = urlsplit(f"//{text}")
        # Reading it raises ValueError where it is beyond all ports.
        return parts.port != 0 and (not text.startswith("[") or is_network(parts.hostname or ""))
    except ValueError:
        return False


def is_network(text: str) -> bool:
    """Say whether a text is an address, or a network such as 10.1.0.0/16."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def max_file_bytes(environment: Mapping[str, str] | None = None) -> int:
    """Return the largest file that is taken, packed and unpacked, in bytes. Raises SettingError by name."""
    return int(_number(os.environ if environment is None else environment, MAX_FILE_BYTES, DEFAULT_MAX_FILE_BYTES))


def _text(environment: Mapping[str, str], name: str, default: str) -> str:
    return environment.get(name, "").strip() or default


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    raw = _text(environment, name, str(default))
    try:
        value = float(raw)
    except ValueError:
        raise SettingError(f"{name} is {raw!r}: expected a number") from None
    if not 0 < value < float("inf"):
        raise SettingError(f"{name} is {raw!r}: expected a number above zero")
    return value


def data_root(root: str, name: str) -> Path:
    """Return the folder that a path or a file:// URL names, `~` being the home.

    Raises SettingError, by `name`, where it cannot be used.

    A lake needs atomic renames and locks, which object stores do not have.
    """
    try:
        root.encode()
    except UnicodeEncodeError:
        raise SettingError(f"{name} is {os.fsencode(root)!r}: expected a path in UTF-8") from None
    try:
        path = Path(root).expanduser()
    except RuntimeError:
        raise SettingError(f"{name} is {root!r}: nobody has that home folder") from None
    if "://" in root:
        url = urlsplit(root)
        if url.scheme != "file" or url.netloc not in ("", "localhost") or not url.path:
            raise SettingError(
                f"{name} is {root!r}: expected a folder, or its file:// URL; object stores: see docs/operations.md"
            )
        path = Path(unquote(url.path))
    for folder in path.absolute().parts:
        if folder.startswith(PARTITION_KEYS):
            raise SettingError(f"{name} is {root!r}: readers would take {folder!r} for a partition of every table")
    return path.absolute()


def of_command_line(data: str | None) -> Settings:
    """Return the settings, with the data root that a command names; one that cannot be used ends it with a line."""
    try:
        settings = from_environment()
        return replace(settings, data=data_root(data, "--data")) if data else settings
    except SettingError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
