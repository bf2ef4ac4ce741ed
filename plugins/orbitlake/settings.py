"""Environment -> one frozen dataclass, whose fields are the settings: docs/settings.md is made of them."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

CHECKOUT: Final = Path(__file__).resolve().parents[2]
DATA: Final = str(CHECKOUT / "data") if (CHECKOUT / "jobs").is_dir() else "data"
"""Installed as a library there is no checkout: then it is a folder of where the program runs."""
OPEN_NOTIFY_URL: Final = "http://api.open-notify.org/iss-now.json"
WHERETHEISS_URL: Final = "https://api.wheretheiss.at/v1/satellites/25544"
NASA_OEM_URL: Final = "https://nasa-public-data.s3.amazonaws.com/iss-coords/current/ISS_OEM/ISS.OEM_J2K_EPH.txt"

PARTITION_KEYS: Final = ("date=", "object_id=", "issue=", "site=", "point=")
OFF: Final = "off"
FOREVER: Final = "forever"
FALLBACKS: Final = (OFF, "wheretheiss")
STANDARD: Final = "standard"
SITES_NAME: Final = "sites.toml"
CHANNEL: Final = re.compile(r"log|mqtt|(webhook|smtp):[\w.-]+")
"""Where an alert can go: the log, the broker of ORBITLAKE_MQTT_URL, or a connection of Airflow."""
CHANNELS_IN_WORDS: Final = "log, mqtt, webhook:<connection> or smtp:<connection>"
TOPIC: Final = re.compile(r"[^\s/+#$\0][^\s/+#\0]*(/[^\s/+#\0]+)*")
IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
ALL: Final = "all"
KAFKA_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
KAFKA_SECURITY: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
KAFKA_SASL: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
KAFKA_COMPRESSION: Final = ("none", "gzip", "snappy", "lz4", "zstd")
MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
STORE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
HOST: Final = re.compile(r"([\w-]+(\.[\w-]+)*\.?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
"""A name or an address, with or without a port; IPv6 with a port stands in brackets, as in a URL."""

MAX_FILE_BYTES: Final = "ORBITLAKE_MAX_DOWNLOAD_BYTES"
MOST_BUCKETS: Final = 1024
LIVE: Final = "live"
SIMULATOR: Final = "simulator"
LIVE_INTERVAL_S: Final = 1.0
"""Open Notify's position moves once a second; asking more often repeats it and burdens a free service."""
SIMULATED_INTERVAL_S: Final = 0.5
"""Nobody else waits for it; in a shorter tick an answer could come too late on a busy machine."""
SIMULATOR_URL: Final = "{simulator_url}"
REFUSED: Final = 3
"""Exit status of a job that is asked for what it must not do: trying again is no use."""


class SettingError(ValueError):
    """A variable of the environment holds something that cannot be used; the message names it."""


Reader = Callable[[str], Any]
"""What makes a value of a text; raises ValueError, whose message goes on where the variable's name ends."""


def url(raw: str) -> str:
    """Take a URL without the slash at its end."""
    return raw.rstrip("/")


def one_of(*words: str) -> Reader:
    """Take one of some words."""

    def read(raw: str) -> str:
        if raw not in words:
            raise ValueError(f"is {raw!r}: expected {' or '.join(words)}")
        return raw

    return read


def number(raw: str) -> float:
    """Take a finite number above zero."""
    try:
        value = float(raw)
    except ValueError:
        raise ValueError(f"is {raw!r}: expected a number") from None
    if not 0 < value < float("inf"):
        raise ValueError(f"is {raw!r}: expected a number above zero")
    return value


def number_or(word: str) -> Reader:
    """Take a number above zero, or a word, for which None stands."""
    return lambda raw: None if raw == word else number(raw)


def size(raw: str) -> int:
    """Take bytes, whole ones."""
    return int(number(raw))


def bucket_count(raw: str) -> int:
    """Take how many files a minute is split into."""
    count = number(raw)
    if count != int(count) or count > MOST_BUCKETS:
        raise ValueError(f"is {count:g}: expected a whole number from 1 to {MOST_BUCKETS}")
    return int(count)


def channels(raw: str) -> tuple[str, ...]:
    """Take where alerts go, each once."""
    wanted = tuple(dict.fromkeys(word.strip() for word in raw.split(",")))
    for channel in wanted:
        if not CHANNEL.fullmatch(channel):
            raise ValueError(f"holds {channel!r}: expected {CHANNELS_IN_WORDS}")
    return wanted


def hosts(raw: str) -> tuple[str, ...]:
    """Take hosts, addresses and networks."""
    wanted = tuple(word for part in raw.split(",") if (word := part.strip()))
    for entry in wanted:
        if not is_host(entry) and not is_network(entry):
            raise ValueError(f"holds {entry!r}: expected a host, host:port, an address or a network")
    return wanted


def broker(raw: str) -> str:
    """Take the URL of an MQTT broker, without user and password in it, or nothing."""
    if not raw:
        return raw
    parts = urlsplit(raw)
    is_plain = "@" not in parts.netloc and parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme not in MQTT_PORTS or not is_plain or not is_host(parts.netloc):
        raise ValueError("is no broker: expected mqtt://host:1883, or mqtts://host:8883 with TLS")
    return f"{parts.scheme}://{parts.netloc}"


def kafka_servers(raw: str) -> str:
    """Take where to ask for the brokers of Kafka, `host:port` with commas between, or nothing."""
    servers = [word for part in raw.split(",") if (word := part.strip())]
    for server in servers:
        if not is_host(server) or not server.rpartition(":")[2].isdecimal():
            raise ValueError(f"holds {server!r}: expected host:port, commas between")
    return ",".join(servers)


def kafka_topic(raw: str) -> str:
    """Take the name of a topic of Kafka."""
    if not KAFKA_TOPIC.fullmatch(raw) or raw in (".", ".."):
        raise ValueError(f"is {raw!r}: expected letters, digits, . _ and -, at most 249")
    return raw


def topic(raw: str) -> str:
    """Take the first levels of a topic of MQTT."""
    if not TOPIC.fullmatch(raw) or len(raw) > 200:
        raise ValueError(f"is {raw!r}: expected levels of a topic, / between, without spaces, + # $")
    return raw


def database_url(raw: str) -> str:
    """Take the URL of a PostgreSQL database, or nothing; it may hold a password, and is not quoted."""
    if raw and not raw.startswith(("postgresql://", "postgres://")):
        raise ValueError("is no URL of PostgreSQL: expected postgresql://user@host:5432/name")
    return raw


def identifier(raw: str) -> str:
    """Take a name as SQL writes it without quotation marks."""
    if not IDENTIFIER.fullmatch(raw) or raw.startswith("pg_"):
        raise ValueError(f"is {raw!r}: expected lower-case letters, digits and _, at most 40")
    return raw


def names_or_all(raw: str) -> tuple[str, ...]:
    """Take names of tables, each once; none stands for all."""
    return () if raw == ALL else tuple(dict.fromkeys(word for part in raw.split(",") if (word := part.strip())))


def store(raw: str) -> str:
    """Take the URL of a store, without user, password, query or fragment in it, or nothing; logs tell it."""
    if not raw:
        return raw
    if "?" in raw or "#" in raw:
        raise ValueError("has a query or fragment, which may hold a secret, and logs tell this URL: leave that out")
    parts = urlsplit(raw)
    is_place = bool(parts.path.strip("/") if parts.scheme == "file" else parts.netloc or parts.path.strip("/"))
    if not STORE_SCHEME.fullmatch(parts.scheme) or "://" not in raw or "@" in parts.netloc or not is_place:
        raise ValueError("is no place to publish to: expected s3://bucket/prefix or another URL without a user")
    return raw.rstrip("/")


def endpoint(raw: str) -> str:
    """Take the URL of an S3 server, without user and password in it, or nothing."""
    if not raw:
        return raw
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not is_host(parts.netloc) or parts.path.strip("/") or parts.query:
        raise ValueError("is no endpoint: expected https://host or http://host:port")
    return raw.rstrip("/")


def file_or_none(raw: str) -> Path | None:
    """Take the path of a file, `~` being the home, or nothing."""
    return Path(raw).expanduser().absolute() if raw else None


def setting(
    read: Reader, default: str, meaning: str, *, simulated: str | None = None, shown: str = "", secret: bool = False
) -> Any:
    """Declare a setting: how its text is read, the text where it is absent or empty, and what it means.

    `simulated` is the default where the simulator is the upstream; `shown` says the default in words. A `secret` is
    left out where the settings are printed.
    """
    facts = {"read": read, "default": default, "meaning": meaning, "simulated": simulated, "shown": shown}
    return field(metadata=facts, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run can be told from outside, by ORBITLAKE_ and the field's name; times in seconds, sizes in bytes."""

    data: Path = setting(
        lambda raw: data_root(raw, "ORBITLAKE_DATA"),
        DATA,
        "root of everything written",
        shown="`data/` in the checkout",
    )
    upstream: str = setting(one_of(LIVE, SIMULATOR), LIVE, "`live`: the real feeds; `simulator`: the simulated ones")
    simulator_url: str = setting(url, "http://127.0.0.1:8090", "where the jobs find the simulator")
    open_notify_url: str = setting(
        str,
        OPEN_NOTIFY_URL,
        "the live position feed",
        simulated=f"{SIMULATOR_URL}/iss-now.json",
        shown="Open Notify's `iss-now.json`",
    )
    fallback: str = setting(
        one_of(*FALLBACKS), OFF, "`wheretheiss`: where the first feed gives no fix, that one is polled in the same tick"
    )
    wheretheiss_url: str = setting(
        str,
        WHERETHEISS_URL,
        "the fallback; its last part is the NORAD number that an answer must bear",
        simulated=f"{SIMULATOR_URL}/v1/satellites/25544",
        shown="wheretheiss.at's `/v1/satellites/25544`",
    )
    oem_url: str = setting(
        str,
        NASA_OEM_URL,
        "the OEM file of the daily run",
        simulated=f"{SIMULATOR_URL}/ISS.OEM_J2K_EPH.txt",
        shown="NASA's current ISS ephemeris",
    )
    sites: Path | None = setting(
        file_or_none,
        "",
        "file of the sites and points that passes and approaches are predicted for ([places](#places))",
        shown="`sites.toml` in the data root",
    )
    refraction: str = setting(
        one_of(OFF, STANDARD),
        OFF,
        "`standard`: elevations and horizons of sites are as air of 10 C and 1010 hPa shows them (Saemundsson 1986)",
    )
    object_id: str = setting(str, "1998-067A", "designator of the object that the position feed tells of")
    http_timeout_s: float = setting(number, "30", "longest wait for an answer")
    # Half a million states in text: eleven days of powered flight at 2 s; a whole ISS issue takes 0.8.
    max_download_bytes: int = setting(
        size, str(64 * 2**20), "larger files are refused, packed or unpacked, downloaded or not", shown="64 MiB"
    )
    allowed_hosts: tuple[str, ...] = setting(
        hosts,
        "",
        "hosts that the form of `ingest_oem` and redirects may reach although they are not public: `host`, "
        "`host:port`, address or network, commas between ([downloads](#downloads))",
        shown="none",
    )
    clock_tolerance_s: float | None = setting(
        number_or(OFF),
        "300",
        "a fix whose time is further from now is a failed poll",
        simulated=OFF,
        shown="`300`, `off` when simulated",
    )
    collect_interval_s: float = setting(number, "5", "from one poll to the next in scheduled runs")
    collect_duration_s: float = setting(number, "3600", "length of a scheduled run of the collector")
    stream_trigger: str = setting(str, "5 seconds", "how often a micro-batch starts in scheduled runs")
    stream_max_runtime_s: float = setting(number, "3600", "length of a scheduled run of the stream")
    buckets: int = setting(
        bucket_count,
        "1",
        "into how many files a minute of the live tables is split, by object, each derived by a task of its own: one "
        "for each 60,000 fixes a minute; a day keeps the number that it began with",
    )
    spark_pool: str = setting(
        str,
        "default_pool",
        "Airflow's pool of the Spark tasks; `make up` and compose make one, `spark`, of two slots: the stream and "
        "one more",
    )
    keep_live_hours: float = setting(number, "24", "live files of a closed day go so long after its closing")
    keep_raw_days: float | None = setting(
        number_or(FOREVER), FOREVER, "sealed raw records of closed days go after so many days"
    )
    keep_quarantine_days: float | None = setting(
        number_or(FOREVER), FOREVER, "what lies in quarantine goes after so many days"
    )
    keep_quarantine_bytes: int = setting(
        size, str(2**30), "what quarantine may hold; the oldest entries go first, and are named", shown="1 GiB"
    )
    alerts: tuple[str, ...] = setting(
        channels,
        "log",
        "who is told of alerts: `log`, `mqtt`, `webhook:<connection>`, `smtp:<connection>`, commas between",
    )
    alert_feed_minutes: float = setting(number, "10", "without a fix for longer, the feed is silent")
    alert_stream_minutes: float = setting(
        number, "5", "a raw record that waits for longer means that the stream is behind"
    )
    alert_issue_days: float = setting(
        number, "5", "a newest issue that is older is told; NASA publishes about three times a week"
    )
    mqtt_url: str = setting(
        broker,
        "",
        "MQTT broker that passes go to ([MQTT](pass-alerts.md#mqtt-and-home-assistant)): `mqtt://host:1883`, or "
        "`mqtts://host:8883` with TLS",
        shown="none",
    )
    mqtt_topic: str = setting(topic, "orbitlake", "first levels of the topics that are published there")
    mqtt_discovery: str = setting(
        topic, "homeassistant", "first levels of the topics where Home Assistant looks for what there is"
    )
    mqtt_user: str = setting(str, "", "user of the broker", shown="none")
    mqtt_password: str = setting(
        str, "", "password of the broker; only from the environment", shown="none", secret=True
    )
    mqtt_ca: Path | None = setting(
        file_or_none, "", "file of the certificates that vouch for the broker", shown="those of the system"
    )
    database_url: str = setting(
        database_url,
        "",
        "PostgreSQL that `load_database` keeps up to the lake ([a database](database.md)), such as "
        "`postgresql://lake_loader@127.0.0.1:5432/lake`, maybe with a password; only from the environment",
        shown="none",
        secret=True,
    )
    database_connection: str = setting(
        str, "", "the same as the id of a connection of Airflow, which goes before the URL in the DAG", shown="none"
    )
    database_schema: str = setting(
        identifier,
        "orbitlake",
        "schema of the tables there; the role that may read them is called the same and `_reader`",
    )
    database_tables: tuple[str, ...] = setting(
        names_or_all, ALL, "which tables are loaded, commas between; `all`: every table of the lake"
    )
    publish_url: str = setting(
        store,
        "",
        "where `publish_lake` puts closed partitions ([object store](object-store.md)): `s3://bucket/prefix`, or "
        "another URL that Arrow or fsspec knows; credentials only from the environment or a connection",
        shown="none",
    )
    publish_endpoint: str = setting(
        endpoint,
        "",
        "the S3 server, such as `http://host:8333`",
        shown="that of `AWS_ENDPOINT_URL`, else Amazon's",
    )
    publish_region: str = setting(str, "", "region of the bucket", shown="that of `AWS_REGION`")
    publish_connection: str = setting(
        str, "", "Airflow connection of type `aws` with credentials and endpoint, instead of `AWS_…`", shown="none"
    )
    publish_tables: tuple[str, ...] = setting(
        names_or_all, ALL, "which tables are published, commas between; `all`: every table of the lake"
    )

    kafka: str = setting(
        kafka_servers,
        "",
        "Kafka's brokers, `host:port` with commas between: raw records go by [Kafka](kafka.md) instead of files",
        shown="none: by files",
    )
    kafka_topic: str = setting(kafka_topic, "orbitlake.positions", "the topic of raw records")
    kafka_security: str = setting(
        one_of(*KAFKA_SECURITY), "PLAINTEXT", "how Kafka is reached: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`"
    )
    kafka_sasl: str = setting(
        one_of(*KAFKA_SASL), "SCRAM-SHA-512", "how the user is proved, with SASL: `PLAIN`, `SCRAM-SHA-256` or `-512`"
    )
    kafka_user: str = setting(str, "", "user of Kafka, with SASL", shown="none")
    kafka_password: str = setting(
        str, "", "password of that user; only from the environment", shown="none", secret=True
    )
    kafka_ca: Path | None = setting(
        file_or_none,
        "",
        "file (PEM) of the certificates that vouch for the brokers",
        shown="those of the system, and of Java",
    )
    kafka_compression: str = setting(
        one_of(*KAFKA_COMPRESSION), "zstd", "of what is published: `none`, `gzip`, `snappy`, `lz4`, `zstd`"
    )
    kafka_jars: Path = setting(
        file_or_none,
        str(Path(sys.prefix) / "kafka" / "spark"),
        "folder of the four jars by which Spark reads Kafka",
        shown="`kafka/spark` in the virtual environment",
    )

    @property
    def uses_simulator(self) -> bool:
        return self.upstream == SIMULATOR

    @property
    def shortest_interval_s(self) -> float:
        """The least time from one poll to the next."""
        return SIMULATED_INTERVAL_S if self.uses_simulator else LIVE_INTERVAL_S

    @property
    def sites_file(self) -> Path:
        """Where the sites and points are."""
        return self.sites or self.data / SITES_NAME

    @property
    def feed_urls(self) -> dict[str, str]:
        """Where each position feed is, by the name that its records bear as `source`."""
        return {"open_notify": self.open_notify_url, "wheretheiss": self.wheretheiss_url}


DECLARED: Final = {each.name: each for each in fields(Settings)}


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; a variable that is absent or empty takes its default. Raises SettingError by name."""
    env = os.environ if environment is None else environment
    is_simulated = value_of("upstream", env) == SIMULATOR
    simulator_url = value_of("simulator_url", env)
    return Settings(**{name: value_of(name, env, simulator_url if is_simulated else None) for name in DECLARED})


def value_of(name: str, environment: Mapping[str, str] | None = None, simulator_url: str | None = None) -> Any:
    """Read one setting; its default is the simulated one where the simulator's URL is given."""
    env = os.environ if environment is None else environment
    declared = DECLARED[name].metadata
    default = declared["default"]
    if simulator_url is not None and declared["simulated"] is not None:
        default = declared["simulated"].replace(SIMULATOR_URL, simulator_url)
    text = env.get(variable(DECLARED[name]), "").strip() or default
    try:
        return declared["read"](text)
    except SettingError:
        raise
    except ValueError as error:
        raise SettingError(f"{variable(DECLARED[name])} {error}") from None


def variable(declared: "Field[Any]") -> str:
    """Return the name of a setting in the environment."""
    return f"ORBITLAKE_{declared.name.upper()}"


def overview() -> str:
    """Return the settings as Markdown, for docs/settings.md."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for declared in DECLARED.values():
        default = declared.metadata["shown"] or f"`{declared.metadata['default']}`"
        rows.append(f"| `{variable(declared)}` | {default} | {declared.metadata['meaning']} |")
    return "\n".join(rows)


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


def max_file_bytes() -> int:
    """Return the largest file that is taken, packed and unpacked, in bytes. Raises SettingError by name."""
    return int(value_of("max_download_bytes"))


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
        parts = urlsplit(root)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
            raise SettingError(
                f"{name} is {root!r}: expected a folder, or its file:// URL; object stores: see docs/operations.md"
            )
        path = Path(unquote(parts.path))
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
