"""What the trigger forms refuse, in words, before a run exists; and what they let pass."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from orbitlake.orchestration import forms
from orbitlake.orchestration.forms import FORMS, RefuseBadForms, problems, refusal

TODAY = datetime.now(UTC).date()
BAD = {
    "alert_passes": [
        {"test": ""}, {"test": True}, {"test": None}, {"test": "YES"}, {"test": " yes"}, {"test": "maybe"},
        {"test": 1}, {"test": ["yes"]}, {"test": {"yes": 1}}, {"tests": "yes"},
    ],
    "collect_positions": [
        {"interval_s": 0.5}, {"interval_s": 3601}, {"interval_s": "5"}, {"interval_s": None}, {"interval_s": True},
        {"duration_s": 0}, {"duration_s": 1e9}, {"fallback": ""}, {"fallback": "open_notify"}, {"intervall_s": 5},
    ],
    "audit_positions": [
        {"scope": ""}, {"scope": "all"}, {"scope": "Changed"}, {"scope": " changed"}, {"scope": None}, {"scope": 1},
        {"scope": True}, {"scope": ["changed"]}, {"scope": {"changed": 1}}, {"scopes": "changed"},
    ],
    "compact_positions": [
        {"date": str(TODAY)}, {"date": str(TODAY + timedelta(days=400))}, {"date": "yesterday"}, {"date": ""},
        {"date": "2026-02-30"}, {"date": "20.11.2026"}, {"date": "20261120"}, {"date": "2026-W47-5"}, {"date": 7},
        {"day": "2026-11-20"},
    ],
    "ingest_oem": [
        {"source": "ftp://example.org/a.txt"}, {"source": "/etc/passwd"}, {"source": "file:///etc/passwd"},
        {"source": "../a.txt"}, {"source": "a/../../b"}, {"source": ""}, {"source": " "}, {"source": "http://"},
        {"source": "https://h/" + "a" * 2000}, {"source": ["a.txt"]},
        {"source": "https://user:secret@host/a.txt"}, {"source": "https://user@host"}, {"url": "https://host/a.txt"},
    ],
    "load_database": [
        {"scope": ""}, {"scope": "all"}, {"scope": None}, {"scope": True}, {"check": ""}, {"check": "maybe"},
        {"check": True}, {"check": None}, {"check": 1}, {"table": "positions"},
    ],
    "predict_passes": [
        {"site": ""}, {"site": "../Paris"}, {"site": 7}, {"days": 0}, {"days": "five"}, {"scope": "all"},
        {"new_site": "a/b"}, {"new_site": " Rome"}, {"new_site": "Rome\u202e"}, {"latitude_deg": 90.1},
        {"longitude_deg": "2"}, {"height_m": None}, {"horizon_deg": 90}, {"time_zone": "Mars/Olympus"},
        {"new_site": "Rome"}, {"new_site": "Rome", "latitude_deg": 41.9}, {"latitude_deg": 41.9}, {"place": "Rome"},
    ],
    "publish_lake": [
        {"table": ""}, {"table": "raw_oem"}, {"table": "Positions"}, {"table": None}, {"table": 7},
        {"table": ["positions"]}, {"verify": ""}, {"verify": True}, {"verify": "YES"}, {"tables": "all"},
    ],
    "settle_conflict": [
        {"file": ""}, {"file": None}, {"file": " "}, {"file": "../a.txt"}, {"file": "/etc/passwd"}, {"file": "a b"},
        {"file": ".hidden"}, {"file": "a" * 151}, {"file": 7}, {"file": ["a"]}, {"file": "a\n"}, {"name": "a"},
    ],
    "stream_positions": [
        {"trigger": ""}, {"trigger": "0 seconds"}, {"trigger": "1 fortnight"}, {"trigger": 5}, {"trigger": None},
        {"max_runtime_s": 0}, {"max_runtime_s": 9}, {"max_runtime_s": 86_401}, {"max_runtime_s": "long"},
        {"runtime": 60},
    ],
    "watch_freshness": [
        {"feed_minutes": 0}, {"feed_minutes": -1}, {"feed_minutes": 1441}, {"feed_minutes": "ten"},
        {"stream_minutes": 0}, {"stream_minutes": None}, {"issue_days": 0}, {"issue_days": 366}, {"issue_days": "NaN"},
        {"days": 5},
    ],
}  # fmt: skip
GOOD = {
    "alert_passes": [None, {}, {"test": "no"}, {"test": "yes"}],
    "collect_positions": [None, {}, {"interval_s": 1}, {"interval_s": 2.5, "duration_s": 86_400, "fallback": "off"}],
    "audit_positions": [None, {}, {"scope": "changed"}, {"scope": "everything"}],
    "compact_positions": [None, {}, {"date": None}, {"date": str(TODAY - timedelta(days=1))}, {"date": "2021-01-01"}],
    "ingest_oem": [
        {"source": None}, {"source": "https://host/a.txt?raw=1"}, {"source": "HTTP://127.0.0.1:80/a"},
        {"source": "a.txt"}, {"source": "may/b 1.gz"}, {"source": "_odd (2).oem"},
    ],
    "load_database": [None, {}, {"scope": "changed"}, {"scope": "everything", "check": "yes"}],
    "predict_passes": [
        None, {}, {"site": "Paris", "days": 0.5}, {"new_site": None, "scope": "everything"},
        {"new_site": "São Paulo - Centro", "latitude_deg": -23.55, "longitude_deg": -46.63, "height_m": 760},
        {"new_site": "Pole", "latitude_deg": 90, "longitude_deg": 0, "horizon_deg": 0, "time_zone": "Etc/GMT+1"},
    ],
    "publish_lake": [None, {}, {"table": "positions", "verify": "yes"}, {"table": "all", "verify": "no"}],
    "settle_conflict": [None, {}, {"file": "0a1b2c3d4e5f6789-20230324T225531Z.txt.gz"}],
    "stream_positions": [{"trigger": "available-now"}, {"max_runtime_s": 10}],
    "watch_freshness": [{"feed_minutes": 0.1, "issue_days": 365}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def day_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day on which the values above are judged, though midnight may pass between their making and their test."""
    monkeypatch.setattr(forms, "today", lambda: TODAY)


@pytest.mark.parametrize(("dag_id", "conf"), [(dag_id, conf) for dag_id, each in BAD.items() for conf in each])
def test_what_cannot_be_right_is_refused_in_one_sentence_that_names_the_field(dag_id: str, conf: dict):
    (sentence,) = problems(dag_id, conf)

    assert sentence.startswith(next(iter(conf)))
    assert sentence.endswith(".")
    assert len(sentence) < 250
    assert "schema" not in sentence
    assert "secret" not in sentence
    assert refusal(f"/api/v2/dags/{dag_id}/dagRuns", json.dumps({"conf": conf}).encode()) == sentence


@pytest.mark.parametrize(("dag_id", "conf"), [(dag_id, conf) for dag_id, each in GOOD.items() for conf in each])
def test_what_can_be_meant_passes_form_and_schema(dag_id: str, conf: dict | None):
    assert problems(dag_id, conf) == []
    for name, value in (conf or {}).items():
        assert FORMS[dag_id][name].param().resolve(value) == value


def test_every_form_has_ten_bad_values_and_a_good_one():
    assert set(BAD) == set(GOOD) == set(FORMS)
    assert all(len(each) >= 10 for each in BAD.values())


def test_a_day_that_is_not_over_is_told_from_the_newest_that_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forms, "today", lambda: date(2026, 3, 1))

    (sentence,) = problems("compact_positions", {"date": "2026-03-01"})
    assert sentence == (
        "date is 2026-03-01, which is not over in UTC: the newest day that can be compacted is 2026-02-28."
    )
    assert problems("compact_positions", {"date": "2026-02-28"}) == []


def test_several_wrong_values_are_all_named_and_so_is_a_partition_key_that_is_no_closed_day():
    asked = {"conf": {"interval_s": 0, "fallback": "x"}}
    key = {"conf": {}, "partition_key": str(TODAY)}

    assert refusal("/api/v2/dags/collect_positions/dagRuns", json.dumps(asked).encode()).count(" expected ") == 2
    assert refusal("/api/v2/dags/compact_positions/dagRuns", json.dumps(key).encode()).startswith("Partition key is")


def test_a_backfill_is_judged_by_the_form_of_its_dag():
    asked = {"dag_id": "compact_positions", "dag_run_conf": {"date": "soon"}}

    assert refusal("/api/v2/backfills", json.dumps(asked).encode()).startswith("date is")
    assert refusal("/api/v2/backfills/dry_run", json.dumps(asked).encode()).startswith("date is")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/dags/anothers_dag/dagRuns", b'{"conf": {"interval_s": 0}}'),
        ("/api/v2/dags/collect_positions/dagRuns", b"no json"),
        ("/api/v2/dags/collect_positions/dagRuns", b"[" * 100_000),
        ("/api/v2/dags/collect_positions/dagRuns", b"[]"),
        ("/api/v2/dags/collect_positions/dagRuns/list", b'{"conf": {"interval_s": 0}}'),
    ],
)
def test_what_is_not_ours_is_left_to_airflow(path: str, body: bytes):
    assert refusal(path, body) is None


def ask(path: str, chunks: list[bytes], method: str = "POST") -> tuple[int, bytes, bytes]:
    """Status and body of the answer, and the body that reached the application behind the middleware."""
    reached, sent = [], []
    left = [{"type": "http.request", "body": c, "more_body": n < len(chunks)} for n, c in enumerate(chunks, 1)]

    async def app(_scope, receive, send):
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            reached.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"made"})

    async def receive():
        return left.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(RefuseBadForms(app)({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], sent[1]["body"], b"".join(reached)


def test_a_bad_form_is_answered_in_airflows_own_shape_and_does_not_reach_it():
    status, body, reached = ask("/air/api/v2/dags/collect_positions/dagRuns", [b'{"conf": {"inter', b'val_s": 0}}'])

    assert (status, reached) == (400, b"")
    assert json.loads(body) == {"detail": "interval_s is 0: expected a number from 1 to 3600."}


@pytest.mark.parametrize("chunks", [[b'{"conf": {}}'], [b'{"con', b'f": {}}'], [b" " * 2**20, b" " * 2**20, b"{}"]])
def test_any_other_request_reaches_airflow_byte_for_byte(chunks: list[bytes]):
    assert ask("/api/v2/dags/collect_positions/dagRuns", chunks) == (200, b"made", b"".join(chunks))
    assert ask("/api/v2/dags", chunks) == (200, b"made", b"".join(chunks))
