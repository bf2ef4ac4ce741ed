"""Alerts on their way out: Airflow's callbacks and connections, a web server and a mail server of the test's own."""

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from tests.pass_alerts.brokers import small_broker

from orbitlake.alerts import Alert, ChannelError, Condition
from orbitlake.lake import Lake
from orbitlake.orchestration import alerting, channels
from orbitlake.orchestration.alerting import run_failed, run_succeeded, tell
from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS
from orbitlake.settings import SettingError, from_environment

RAISED = Alert("feed-silent", "no fix for 10 min: <b>502</b> {{ 7 * 7 }}", "2026-11-20T12:00:00+00:00")
CLEARED = Alert("feed-silent", "fixes arrive", "2026-11-20T12:00:00+00:00", is_over=True)
SECRET_PATH = "/services/T0/B0/s3cret"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The connection `duty`, and what its host is sent; `status` is what it answers."""
    seen = SimpleNamespace(posts=[], status=200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.posts.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            self.send_response(seen.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        seen.url = f"http://127.0.0.1:{port}{SECRET_PATH}"
        connection = {"conn_type": "http", "host": seen.url, "password": "t0ken"}
        monkeypatch.setenv("AIRFLOW_CONN_DUTY", json.dumps(connection))
        yield seen


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The connection `post`, and each mail that its host took: envelope and text."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            envelope = ""
            while line := self.rfile.readline():
                command = line[:4].upper()
                if command in (b"MAIL", b"RCPT"):
                    envelope += line.decode()
                if command == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    taken.append(envelope + text.decode())
                self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "lake@example.org", "to": "duty@example.org"}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_POST", json.dumps(connection))
        yield taken


@pytest.fixture
def lake_of_settings(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    monkeypatch.setenv("ORBITLAKE_ALERTS", "webhook:duty")
    return lake


class Task(SimpleNamespace):
    """A task at work, as far as our callbacks ask of it: it keeps what is pushed."""

    def xcom_push(self, key: str, value: object) -> None:
        self.pushed = getattr(self, "pushed", {}) | {key: value}


def context_of(run_id: str, error: BaseException | None = None) -> dict:
    dag = SimpleNamespace(dag_id="stream_positions")
    context = {"dag": dag, "run_id": run_id, "reason": "task_failure"}
    return context | ({"exception": error, "ti": Task(task_id="stream")} if error else {})


def context_of_watch() -> dict:
    return {
        "dag": SimpleNamespace(dag_id="watch_freshness"),
        "ti": Task(task_id="watch"),
        "task": SimpleNamespace(outlets=[LIVE_POSITIONS, LIVE_WINDOW_STATS]),
        "outlet_events": {each: SimpleNamespace(extra={}) for each in (LIVE_POSITIONS, LIVE_WINDOW_STATS)},
    }


def test_the_broker_gets_json(monkeypatch: pytest.MonkeyPatch):
    with small_broker() as broker:
        monkeypatch.setenv("ORBITLAKE_MQTT_URL", f"mqtt://127.0.0.1:{broker.port}")
        monkeypatch.setenv("ORBITLAKE_MQTT_TOPIC", "home/lake")
        tell("mqtt", RAISED)
        ((topic, payload, is_retained),) = broker.taken

    assert (topic, is_retained) == ("home/lake/alerts", False)
    assert json.loads(payload)["state"] == "raised"


def test_the_log_gets_a_line_as_error_and_a_quieter_one_when_it_is_over(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger=channels.__name__)
    tell("log", RAISED)
    tell("log", CLEARED)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", f"ALERT feed-silent: {RAISED.text}"),
        ("INFO", "cleared feed-silent: fixes arrive"),
    ]


def test_a_webhook_gets_json_with_the_token_of_its_connection(webhook: SimpleNamespace):
    tell("webhook:duty", RAISED)
    tell("webhook:duty", CLEARED)

    first = {"alert": "feed-silent", "state": "raised", "since": RAISED.since}
    assert webhook.posts == [
        (SECRET_PATH, "Bearer t0ken", first | {"text": f"ALERT feed-silent: {RAISED.text}"}),
        (SECRET_PATH, "Bearer t0ken", first | {"state": "cleared", "text": "cleared feed-silent: fixes arrive"}),
    ]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_told_by_its_status_and_never_by_its_secret_url(webhook, status: int):
    webhook.status = status

    with pytest.raises(ChannelError, match=f"answered {status}") as caught:
        tell("webhook:duty", RAISED)
    assert "s3cret" not in str(caught.value)


def test_a_webhook_that_nobody_answers_is_told_without_its_secret_url(monkeypatch: pytest.MonkeyPatch):
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:9{SECRET_PATH}"}
    monkeypatch.setenv("AIRFLOW_CONN_DUTY", json.dumps(connection))

    with pytest.raises(ChannelError, match=r"^ConnectionError$") as caught:
        tell("webhook:duty", RAISED)
    assert caught.value.__suppress_context__


def test_a_connection_that_there_is_not_is_named():
    with pytest.raises(ChannelError, match="no connection 'nobody'"):
        tell("webhook:nobody", RAISED)


def test_a_mail_goes_to_the_address_of_its_connection_and_quotes_without_being_a_template(mails: list[str]):
    tell("smtp:post", RAISED)

    (mail,) = mails
    assert "<duty@example.org>" in mail
    assert "Subject: orbitlake: ALERT feed-silent: no fix for 10 min" in mail.replace("\r\n", "")
    assert "49" not in mail.split("Subject:")[1].split("\r\n")[0]
    assert "&lt;b&gt;502&lt;/b&gt; {{ 7 * 7 }}" in body_of(mail)


def body_of(mail: str) -> str:
    from email import message_from_string

    (part,) = (each for each in message_from_string(mail.split("\r\n", 2)[2]).walk() if not each.is_multipart())
    return part.get_payload(decode=True).decode()


def test_a_failed_run_is_told_once_with_the_tasks_cause_and_cleared_by_the_next_success(webhook, lake_of_settings):
    for run_id in ("one", "two"):
        run_failed(context_of(run_id, RuntimeError("stream: the checkpoint is in use\nand a long story")))
        run_failed(context_of(run_id))
    run_succeeded(context_of("three"))
    run_succeeded(context_of("four"))

    assert [(body["state"], body["text"]) for _, _, body in webhook.posts] == [
        (
            "raised",
            "ALERT failed-stream_positions: stream_positions, run one, task stream: stream: the checkpoint is in use",
        ),
        ("cleared", "cleared failed-stream_positions: stream_positions succeeded again: three"),
    ]


def day_run(run_id: str, day: int | None, **params: object) -> dict:
    """The context of a run of a DAG that works on one day, that of its data interval unless `date` names another."""
    dag = SimpleNamespace(dag_id="compact_positions", params={"date": None})
    start = day and datetime(2026, 11, day, tzinfo=UTC)
    run = SimpleNamespace(data_interval_start=start, run_after=datetime(2026, 11, 21, 9, tzinfo=UTC))
    return {"dag": dag, "run_id": run_id, "dag_run": run, "params": {"date": None} | params, "reason": "task_failure"}


def standing_names() -> list[str]:
    return [alert.name for alert in alerting.board().standing()]


def test_success_for_another_day_leaves_the_alert_of_a_failed_one(webhook, lake_of_settings):
    run_failed(day_run("scheduled__18", 18))
    run_failed(day_run("scheduled__19", 19))
    run_succeeded(day_run("scheduled__20", 20))
    assert standing_names() == ["failed-compact_positions-2026-11-18", "failed-compact_positions-2026-11-19"]

    run_succeeded(day_run("scheduled__18", 18))
    assert standing_names() == ["failed-compact_positions-2026-11-19"]

    run_succeeded(day_run("manual__1", None, date="2026-11-19"))
    assert standing_names() == []
    assert [body["text"] for _, _, body in webhook.posts if body["state"] == "cleared"] == [
        "cleared failed-compact_positions-2026-11-18: compact_positions for 2026-11-18 succeeded again: scheduled__18",
        "cleared failed-compact_positions-2026-11-19: compact_positions for 2026-11-19 succeeded again: manual__1",
    ]


def test_run_with_a_partition_key_is_about_that_day(lake_of_settings, webhook):
    context = day_run("scheduled__21", None)
    context["dag_run"].partition_key = "2026-11-18"
    run_failed(context)
    run_succeeded(day_run("scheduled__22", None) | {"partition_key": "2026-11-19"})
    assert standing_names() == ["failed-compact_positions-2026-11-18"]

    run_succeeded(day_run("backfill__18", None) | {"partition_key": "2026-11-18"})
    assert standing_names() == []


def test_run_by_hand_without_a_day_is_about_the_day_before(lake_of_settings, webhook):
    run_failed(day_run("manual__1", None))

    assert standing_names() == ["failed-compact_positions-2026-11-20"]
    (alert,) = alerting.board().standing()
    assert alert.clears == "a success of compact_positions for 2026-11-20"
    assert webhook.posts[0][2]["clears"] == alert.clears


def test_alert_of_a_named_source_says_how_to_be_rid_of_one_that_was_mistyped(lake_of_settings, webhook):
    dag = SimpleNamespace(dag_id="ingest_oem", params={"source": None})
    run_failed({"dag": dag, "run_id": "manual__1", "params": {"source": "iss.tx"}, "reason": "task_failure"})
    (alert,) = alerting.board().standing()
    assert alert.clears == "a success of ingest_oem for iss.tx, or removing alerts/failed-ingest_oem-iss.tx.json"

    (lake_of_settings.root / "alerts" / "failed-ingest_oem-iss.tx.json").unlink()
    assert standing_names() == []


def test_run_of_which_only_its_name_is_known_is_cleared_by_itself(lake_of_settings, webhook):
    bare = {key: value for key, value in day_run("manual__1", 20).items() if key in ("dag", "run_id", "reason")}
    run_failed(bare)
    run_succeeded(bare | {"run_id": "manual__2"})
    assert standing_names() == ["failed-compact_positions-manual__1"]

    run_succeeded(bare)
    assert standing_names() == []


def test_sources_that_read_alike_as_a_name_have_an_alert_each(lake_of_settings, webhook):
    dag = SimpleNamespace(dag_id="ingest_oem", params={"source": None})
    contexts = [
        {"dag": dag, "run_id": f"manual__{source}", "params": {"source": source}, "reason": "task_failure"}
        for source in ("https://example.org/a b", "https://example.org/a/b", "N/A", "x" * 500)
    ]
    scheduled = {"dag": dag, "run_id": "scheduled__1", "params": {"source": None}, "reason": "task_failure"}
    for context in [*contexts, scheduled]:
        run_failed(context)
    assert len(set(standing_names())) == 5

    run_succeeded(scheduled | {"run_id": "scheduled__2"})
    assert len(standing_names()) == 4
    for context in contexts:
        run_succeeded(context)
    assert standing_names() == []


def test_a_run_whose_task_was_killed_is_told_by_the_run(webhook, lake_of_settings):
    run_failed(context_of("one"))

    ((_, _, body),) = webhook.posts
    assert body["text"].endswith("stream_positions, run one failed (task_failure); its log tells more")


def test_the_watch_tells_what_a_callback_could_not(webhook, lake_of_settings):
    webhook.status = 500
    with pytest.raises(ChannelError):
        run_failed(context_of("one"))
    with pytest.raises(
        ChannelError, match="webhook:duty was not told of failed-stream_positions: its host answered 500"
    ):
        alerting.watch(context_of_watch(), 10, 5, 5)
    webhook.status = 200
    webhook.posts.clear()
    found = alerting.watch(context_of_watch(), 10, 5, 5)

    assert found["standing"] == ["failed-stream_positions"]
    assert [body["state"] for _, _, body in webhook.posts] == ["raised"]


def test_the_watch_clears_the_alert_of_its_own_failure(webhook, lake_of_settings):
    alerting.board().heed(Condition("failed-watch_freshness", "the disk is away", is_wrong=True))
    found = alerting.watch(context_of_watch(), 10, 5, 5)

    assert found["standing"] == []
    assert [body["state"] for _, _, body in webhook.posts] == ["raised", "cleared"]


def test_channels_of_the_settings_are_told_apart_and_nonsense_is_refused_by_name():
    chosen = from_environment({"ORBITLAKE_ALERTS": "log, webhook:on-duty,smtp:post,log"})

    assert chosen.alerts == ("log", "webhook:on-duty", "smtp:post")
    assert from_environment({}).alerts == ("log",)
    for nonsense in ("mail", "webhook:", "webhook:a b", "log,,log", "smtp:https://x"):
        with pytest.raises(SettingError, match="ORBITLAKE_ALERTS holds"):
            from_environment({"ORBITLAKE_ALERTS": nonsense})


def test_a_failed_task_leaves_its_cause_for_the_note_of_its_run(webhook, lake_of_settings):
    context = context_of("one", RuntimeError("the checkpoint is in use\nand a long story"))
    run_failed(context)

    assert context["ti"].pushed == {"outcome": "stream: the checkpoint is in use"}


def test_the_watch_announces_what_the_stream_wrote_since_its_last_run_and_nothing_else(webhook, lake_of_settings):
    now = datetime.now(UTC)
    progress = lake_of_settings.stream_progress
    progress.parent.mkdir(parents=True)
    batches = [(now - timedelta(minutes=9), 5), (now - timedelta(seconds=40), 7), (now - timedelta(seconds=20), 2)]
    lines = [json.dumps({"finished_at": at.isoformat(), "rows": rows, "corrected": 1}) for at, rows in batches]
    progress.write_text("\n".join([*lines, '{"torn']))
    busy, idle = context_of_watch(), context_of_watch() | {"prev_start_date_success": now}
    for context in (busy, idle):
        alerting.watch(context, 10, 5, 5)

    assert [asset.name for asset in busy["task"].outlets] == ["live_positions", "live_window_stats"]
    assert busy["outlet_events"][LIVE_POSITIONS].extra == {"rows": 11}
    assert idle["task"].outlets == []


def test_the_watch_notes_what_stands_since_when(webhook, lake_of_settings):
    context = context_of_watch()
    alerting.board().heed(Condition("failed-ingest_oem", "no such host", is_wrong=True))
    alerting.watch(context, 10, 5, 5)

    assert context["ti"].pushed["outcome"].startswith("failed-ingest_oem since 20")
    assert context["ti"].pushed["outcome"].endswith(": no such host")


def test_what_an_alert_quotes_forges_no_line_of_a_log(caplog):
    with caplog.at_level(logging.INFO):
        tell("log", Alert("feed-silent", "source a\nERROR forged\r\x1b[2J\u2028end", "2026-11-20T12:00:00+00:00"))

    assert [record.getMessage() for record in caplog.records] == ["ALERT feed-silent: source a ERROR forged  [2J end"]
