"""The task of alert_passes: a lake and a file of places -> the channels and the broker."""

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.pass_alerts.brokers import SmallBroker, small_broker
from tests.pass_alerts.passing import coming
from tests.pass_alerts.sky_lake import SITES, put_passes

from orbitlake.alerts import ChannelError, standing
from orbitlake.lake import Lake
from orbitlake.orchestration import pass_alerting
from orbitlake.orchestration.pass_alerting import alert_passes
from orbitlake.passes.pass_tables import note_of_table
from orbitlake.tables import OEM_ISSUES, PASSES

RULE = '[[alerts]]\nname = "all"\nminutes_before = 30\n'
MINUTE = timedelta(minutes=1)


def context(test: str = "no") -> dict:
    pushed: dict = {}
    return {"params": {"test": test}, "ti": SimpleNamespace(pushed=pushed, xcom_push=pushed.__setitem__)}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch):
    with small_broker() as running:
        monkeypatch.setenv("ORBITLAKE_MQTT_URL", f"mqtt://127.0.0.1:{running.port}")
        yield running


@pytest.fixture
def sky(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with a pass that begins in ten minutes, and one in six hours."""
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    lake.root.mkdir(parents=True, exist_ok=True)
    (lake.root / "sites.toml").write_text(SITES + RULE)
    now = datetime.now(UTC)
    put_passes(lake, [coming(now + 10 * MINUTE, pass_id="a"), coming(now + 360 * MINUTE, pass_id="b")])
    return lake


def events(broker: SmallBroker) -> list[dict]:
    return [json.loads(payload) for topic, payload, _ in broker.taken if topic.endswith("/event")]


def test_a_pass_is_told_to_the_broker_once_and_the_next_ones_are_published(sky: Lake, broker: SmallBroker, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_ALERTS", "mqtt")
    first, second = alert_passes(context()), alert_passes(context())
    retained = {topic: payload for topic, payload, is_retained in broker.taken if is_retained}

    assert [(event["event_type"], event["pass_id"]) for event in events(broker)] == [("alert", "a")]
    assert len(first["told"]) == 1
    assert second["told"] == []
    assert "orbitlake/passes/1998-067A/Paris/next_pass" in retained
    assert retained["orbitlake/status"] == "online"


def test_a_rule_names_its_own_channels(sky: Lake, broker: SmallBroker):
    (sky.root / "sites.toml").write_text(f'{SITES}{RULE}channels = ["mqtt"]\n')
    alert_passes(context())

    assert len(events(broker)) == 1


def test_a_site_that_leaves_the_file_is_withdrawn(sky: Lake, broker: SmallBroker):
    alert_passes(context())
    (sky.root / "sites.toml").write_text(SITES.replace('"Paris"', '"Lutetia"', 1))
    broker.taken.clear()
    alert_passes(context())
    alert_passes(context())

    assert broker.taken.count(("orbitlake/passes/1998-067A/Paris/next_pass", "", True)) == 1
    assert ("homeassistant/sensor/orbitlake_passes_1998-067A_Paris/next_pass/config", "", True) in broker.taken


def test_a_test_sends_the_next_pass_of_each_rule_and_notes_nothing(sky: Lake, broker: SmallBroker, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_ALERTS", "mqtt")
    alert_passes(context("yes"))

    assert [event["event_type"] for event in events(broker)] == ["alert", "test"]
    assert events(broker)[1]["text"].startswith("test: 1998-067A over Paris at ")


def test_a_broker_that_is_down_fails_the_run_and_the_next_run_tells(sky: Lake, broker: SmallBroker, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_ALERTS", "mqtt")
    broker.code = 3
    with pytest.raises(ChannelError, match=r"mqtt was not told: .*the broker refused"):
        alert_passes(context())
    broker.code = 0
    alert_passes(context())

    assert len(events(broker)) == 1


def test_what_came_too_late_is_a_warning_in_the_log(sky: Lake, caplog: pytest.LogCaptureFixture):
    now = datetime.now(UTC)
    put_passes(sky, [coming(now - 5 * MINUTE)])
    pass_alerting_notes = sky.root / "alerts" / "passes" / "last-run.json"
    pass_alerting_notes.parent.mkdir(parents=True)
    pass_alerting_notes.write_text(json.dumps({"at": (now - 60 * MINUTE).isoformat()}))
    run = context()
    alert_passes(run)

    assert [record.message[:30] for record in caplog.records if record.name == pass_alerting.__name__] == [
        "too late: all: 1998-067A over "
    ]
    assert run["ti"].pushed["outcome"].startswith("too late: all: ")


def test_passes_that_do_not_follow_a_new_issue_within_half_an_hour_raise_an_alert_until_they_do(sky: Lake):
    issue = sky.issue(OEM_ISSUES, "1998-067A", datetime(2026, 11, 20, tzinfo=UTC))
    issue.parent.mkdir(parents=True)
    issue.touch()
    arrived = datetime.now(UTC).timestamp() - 1900
    os.utime(issue, (arrived, arrived))
    alert_passes(context())
    raised = [alert.text for alert in standing(sky)]
    note = note_of_table(sky, PASSES)
    note.parent.mkdir(parents=True)
    note.touch()
    alert_passes(context())

    assert raised == ["issue=20261120T000000Z is here for more than 30 min, and passes do not follow from it"]
    assert standing(sky) == []


def test_a_new_issue_may_be_followed_for_half_an_hour(sky: Lake):
    issue = sky.issue(OEM_ISSUES, "1998-067A", datetime(2026, 11, 20, tzinfo=UTC))
    issue.parent.mkdir(parents=True)
    issue.touch()
    alert_passes(context())

    assert standing(sky) == []


def test_a_file_of_places_that_cannot_be_used_fails_at_once(sky: Lake):
    (sky.root / "sites.toml").write_text(f"{SITES}{RULE}sight = 3\n")

    with pytest.raises(AirflowFailException, match=r"sites.toml:7: alert 1: 'sight': not a key of it"):
        alert_passes(context())
