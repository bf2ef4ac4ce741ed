"""The trigger forms: every field of every DAG with its limits, and what is wrong with a value, in words.

A form is judged twice. `RefuseBadForms` reads what a browser or a client sends before a run exists and answers with the
sentences below; the schema of each Param holds the same limits for whoever comes another way.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.sdk import Param

from orbitlake.orchestration.assets import LAKE_TABLES
from orbitlake.orchestration.site_fields import NAME_OR_NOTHING, SITE_FIELDS, SiteField, site_problems
from orbitlake.settings import FALLBACKS, from_environment

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_NAMED: Final = 8
"""So many words are named where none of them was chosen."""
SETTINGS: Final = from_environment()
TRIGGERS: Final = ("available-now", "2 seconds", "5 seconds", "10 seconds", "30 seconds", "1 minute")
URL: Final = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?", re.IGNORECASE)
"""Without a user or a password in it: Airflow keeps what a form holds."""
INBOX_NAME: Final = re.compile(r"(?!.*\.\.)[^\s/][^/\\\0\n]*(/[^/\\\0\n]+)*")
QUARANTINED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
LONGEST_SOURCE: Final = 2000
LARGEST_BODY_BYTES: Final = 2**20
"""A form is some hundred bytes; a larger body is not read here."""
RUNS: Final = re.compile(r"/api/v2/dags/([^/]+)/dagRuns/?$")
BACKFILLS: Final = re.compile(r"/api/v2/backfills(/dry_run)?/?$")


class Field(Protocol):
    """One field of a form."""

    def param(self) -> Param:
        """Return the field as Airflow shows and checks it."""

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, to follow the field's name; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `lowest` to `highest`; with `above` the lowest itself is refused."""

    title: str
    description: str
    default: float
    lowest: float
    highest: float
    above: bool = False

    def param(self) -> Param:
        # Inside allOf: the browser's field would silently put the nearest limit in place of what was typed.
        limits = {"exclusiveMinimum" if self.above else "minimum": self.lowest, "maximum": self.highest}
        return Param(self.default, type="number", allOf=[limits], title=self.title, description=self.description)

    def problem(self, value: Any) -> str | None:
        span = f"{'above' if self.above else 'from'} {self.lowest:g} {'up ' if self.above else ''}to {self.highest:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"is {shown(value)}: expected a number {span}"
        is_low = value <= self.lowest if self.above else value < self.lowest
        return f"is {value:g}: expected a number {span}" if is_low or not value <= self.highest else None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    title: str
    description: str
    default: str
    options: tuple[str, ...]

    def param(self) -> Param:
        return Param(
            self.default, type="string", enum=list(self.options), title=self.title, description=self.description
        )

    def problem(self, value: Any) -> str | None:
        if value in self.options:
            return None
        named = ", ".join(self.options[:MOST_NAMED]) + (", ..." if len(self.options) > MOST_NAMED else "")
        return f"is {shown(value)}: expected one of {named}"


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A UTC day that is over, or nothing."""

    title: str
    description: str

    def param(self) -> Param:
        return Param(None, type=["null", "string"], format="date", title=self.title, description=self.description)

    def problem(self, value: Any) -> str | None:
        if value is None:
            return None
        try:
            day = date.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            day = None
        # Other forms of ISO 8601, such as a week's, are no day of the tables.
        if day is not None and str(day) != value:
            day = None
        if day is None:
            return f"is {shown(value)}: expected a day such as 2026-11-20, or nothing"
        yesterday = today() - timedelta(days=1)
        if day > yesterday:
            return f"is {day}, which is not over in UTC: the newest day that can be compacted is {yesterday}"
        return None


@dataclass(frozen=True, slots=True)
class Source:
    """An http or https URL, the name of a file in the inbox, or nothing."""

    title: str
    description: str

    def param(self) -> Param:
        return Param(
            None,
            type=["null", "string"],
            pattern=f"^({URL.pattern.replace('https?', '[hH][tT][tT][pP][sS]?')}|{INBOX_NAME.pattern})$",
            maxLength=LONGEST_SOURCE,
            title=self.title,
            description=self.description,
        )

    def problem(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, str) and len(value) > LONGEST_SOURCE:
            return f"is longer than {LONGEST_SOURCE} characters"
        if isinstance(value, str) and "@" in re.split("[/?#]", value.partition("://")[2])[0]:
            return "holds a user or a password, which Airflow would keep: a URL of this form has none"
        if isinstance(value, str) and (URL.fullmatch(value) or ("://" not in value and INBOX_NAME.fullmatch(value))):
            return None
        return f"is {shown(value)}: expected an http or https URL, the name of a file in inbox/oem, or nothing"


@dataclass(frozen=True, slots=True)
class QuarantinedName:
    """The name of a file in quarantine."""

    title: str
    description: str

    def param(self) -> Param:
        pattern = f"^{QUARANTINED.pattern}$"
        return Param(None, type=["null", "string"], pattern=pattern, title=self.title, description=self.description)

    def problem(self, value: Any) -> str | None:
        if isinstance(value, str) and QUARANTINED.fullmatch(value):
            return None
        return f"is {shown(value)}: expected the name of a file in quarantine"


def today() -> date:
    """The current UTC day."""
    return datetime.now(UTC).date()


def shown(value: Any) -> str:
    """A value as a sentence can hold it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "nothing" if value in (None, "") else text if len(text) <= 60 else f"{text[:57]}..."


FORMS: Final[dict[str, dict[str, Field]]] = {
    "audit_positions": {
        "scope": Choice(
            "Scope",
            "changed: what follows from files that changed since the last run. everything: all is made again, and only "
            "what comes out otherwise is rewritten.",
            "changed",
            ("changed", "everything"),
        ),
    },
    "collect_positions": {
        "interval_s": Number(
            "Interval (s)",
            f"Time from one poll to the next, {SETTINGS.shortest_interval_s:g} to 3600. A run that you start takes "
            "over from the one at work within seconds; its values hold for that run alone.",
            SETTINGS.collect_interval_s,
            SETTINGS.shortest_interval_s,
            3600,
        ),
        "duration_s": Number(
            "Duration (s)",
            "How long this run polls before the next one takes over, 1 to 86400.",
            SETTINGS.collect_duration_s,
            1,
            86_400,
        ),
        "fallback": Choice(
            "Fallback",
            "The feed that is polled in the same tick where Open Notify gave no fix; off: none.",
            SETTINGS.fallback,
            FALLBACKS,
        ),
    },
    "compact_positions": {
        "date": ClosedDay(
            "UTC day",
            "A day that is over in UTC. Empty: the day of the run's partition key, else yesterday. Takes effect at "
            "once; a day that is done already is looked at again, and rewritten only where fixes came late.",
        ),
    },
    "ingest_oem": {
        "source": Source(
            "Source",
            "URL of an OEM file on a public host or on one that ORBITLAKE_ALLOWED_HOSTS names, without a password in "
            "it; or its name in inbox/oem. Empty: the whole inbox and NASA's newest issue.",
        ),
    },
    "settle_conflict": {
        "file": QuarantinedName(
            "File",
            "Name of a file in quarantine/ that contradicts an issue of the lake, as the outcome of the job that found "
            "it says under `quarantined`.",
        ),
    },
    "stream_positions": {
        "trigger": Choice(
            "Trigger",
            "How often a micro-batch starts; available-now handles what has arrived and ends. A run that you start "
            "takes over from the one at work once its batch in hand is done; its values hold for that run alone.",
            SETTINGS.stream_trigger,
            tuple(dict.fromkeys((SETTINGS.stream_trigger, *TRIGGERS))),
        ),
        "max_runtime_s": Number(
            "Longest run (s)",
            "The run ends after the micro-batch in hand and the next one takes over, 10 to 86400.",
            SETTINGS.stream_max_runtime_s,
            10,
            86_400,
        ),
    },
    "predict_passes": {
        "site": SiteField(
            "Site",
            "Name of the site whose passes the task's log and the run's note tell of; empty: all. Always all are "
            "predicted.",
            None,
            "name",
            NAME_OR_NOTHING,
        ),
        "days": Number("Days", "How far ahead log and note go, above 0 up to 60.", 5, 0, 60, above=True),
        "scope": Choice(
            "Scope",
            "changed: what follows from issues and places that changed since the last run. everything: all is made "
            "again, and only what comes out otherwise is rewritten.",
            "changed",
            ("changed", "everything"),
        ),
        **SITE_FIELDS,
    },
    "load_database": {
        "scope": Choice(
            "Scope",
            "changed: partitions whose files changed since they were loaded. everything: all are read again, and only "
            "rows that come out otherwise are replaced.",
            "changed",
            ("changed", "everything"),
        ),
        "check": Choice(
            "Check",
            "yes: the rows of each partition are compared with those of the lake afterwards, which takes as long as "
            "reading both.",
            "no",
            ("no", "yes"),
        ),
    },
    "alert_passes": {
        "test": Choice(
            "Test",
            "yes: each rule's next pass is told now as well, as a test, to each of its channels.",
            "no",
            ("no", "yes"),
        ),
    },
    "publish_lake": {
        "table": Choice(
            "Table",
            "all: every table that ORBITLAKE_PUBLISH_TABLES names; or one table alone.",
            "all",
            ("all", *(str(asset.name) for asset in LAKE_TABLES)),
        ),
        "verify": Choice(
            "Verify",
            "yes: every object there is read back and held against the manifest; what somebody else changed is sent "
            "again.",
            "no",
            ("no", "yes"),
        ),
    },
    "watch_freshness": {
        "feed_minutes": Number(
            "Feed (min)",
            "Without a fix for longer, the feed is silent; up to 1440. Holds for this run: the next one, within a "
            "minute, goes by the setting again.",
            SETTINGS.alert_feed_minutes,
            0,
            1440,
            above=True,
        ),
        "stream_minutes": Number(
            "Stream (min)",
            "When a raw record waits for longer, the stream is behind; up to 1440. Holds for this run.",
            SETTINGS.alert_stream_minutes,
            0,
            1440,
            above=True,
        ),
        "issue_days": Number(
            "Issue (days)",
            "When the newest issue is older, it is old; NASA publishes about three times a week. Up to 365. Holds "
            "for this run.",
            SETTINGS.alert_issue_days,
            0,
            365,
            above=True,
        ),
    },
}
"""The fields of each DAG, in the order of its form."""
TOGETHER: Final[Mapping[str, Callable[[Mapping[str, Any]], list[str]]]] = {"predict_passes": site_problems}
"""What is wrong with fields that are right each by itself."""


def params_of(dag_id: str) -> dict[str, Param]:
    """Return the params of a DAG, for its definition."""
    return {name: field.param() for name, field in FORMS[dag_id].items()}


def problems(dag_id: str, conf: Any) -> list[str]:
    """Return a sentence for each value that a DAG refuses, and for each name that it does not know."""
    fields = FORMS.get(dag_id)
    if fields is None or conf is None:
        return []
    if not isinstance(conf, Mapping):
        return [f"The values are {shown(conf)}: expected an object such as {{{json.dumps(next(iter(fields)))}: …}}."]
    found = []
    for name, value in conf.items():
        if name not in fields:
            found.append(f"{name[:60]} is no field of {dag_id}: it has {', '.join(fields)}.")
        elif problem := fields[name].problem(value):
            found.append(f"{name} {problem}.")
    return found or (TOGETHER[dag_id](conf) if dag_id in TOGETHER else [])


def key_problems(dag_id: str, key: Any) -> list[str]:
    """Return what is wrong with the partition key of a run: for compact_positions it is the UTC day."""
    day = FORMS.get(dag_id, {}).get("date")
    problem = day.problem(key) if day else None
    return [f"Partition key {problem}."] if problem else []


def refusal(path: str, body: bytes) -> str | None:
    """Return why a request to start runs is refused; None where it is not, or not one of ours."""
    run, backfill = RUNS.search(path), BACKFILLS.search(path)
    if run is None and backfill is None:
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None  # Airflow's own answer says what a body must be
    if not isinstance(asked, dict):
        return None
    if run:
        found = problems(run[1], asked.get("conf")) + key_problems(run[1], asked.get("partition_key"))
    else:
        found = problems(str(asked.get("dag_id")), asked.get("dag_run_conf"))
    return " ".join(found) or None


class RefuseBadForms:
    """A middleware of Airflow's API server: a form that cannot be right is answered before a run exists.

    It says nothing of the lake or of Airflow, only of the values themselves, so that whom it answers does not matter.
    """

    def __init__(self, app: "ASGIApp", refuse: Callable[[str, bytes], str | None] = refusal) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] != "POST" or not (RUNS.search(path) or BACKFILLS.search(path)):
            await self.app(scope, receive, send)
            return
        read: list[Message] = []
        body, is_whole = b"", False
        while not is_whole and len(body) <= LARGEST_BODY_BYTES:
            message = await receive()
            read.append(message)
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
        if is_whole and (reason := self.refuse(path, body)):
            await answer(send, reason)
            return

        async def replay() -> "Message":
            return read.pop(0) if read else await receive()

        await self.app(scope, replay, send)


async def answer(send: "Send", reason: str) -> None:
    """Answer 400 with a reason, in the form of Airflow's own refusals."""
    body = json.dumps({"detail": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
