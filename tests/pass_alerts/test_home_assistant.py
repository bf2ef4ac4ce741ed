"""What Home Assistant is told to find: the next passes of each site as sensors, alerts as events."""

import json
from dataclasses import replace
from datetime import timedelta

from tests.pass_alerts.passing import NINE, OBJECT, coming, near_kourou

from orbitlake.pass_alerts import Timetable
from orbitlake.pass_alerts.home_assistant import event_body, event_topic, published, withdrawn
from orbitlake.pass_alerts.messages import alert
from orbitlake.passes import Places, rule_of
from orbitlake.settings import from_environment

SETTINGS = from_environment({})
RULE = rule_of(name="all", minutes_before=10)
PLACES = Places(alerts=(RULE,))
HOUR = timedelta(hours=1)
BASE = "orbitlake/passes/1998-067A/Paris"
# https://www.home-assistant.io/integrations/sensor.mqtt, event.mqtt and mqtt/#mqtt-discovery
DOCUMENTED = {
    *("name", "unique_id", "availability_topic", "payload_available", "payload_not_available", "qos", "device"),
    *("origin", "state_topic", "device_class", "json_attributes_topic", "expire_after", "event_types"),
}


def topics(*passes, places=PLACES) -> dict[str, str]:
    found = published(SETTINGS, places, Timetable(passes, {(OBJECT, "Paris", True): NINE - 24 * HOUR}), NINE)
    assert len({each.topic for each in found}) == len(found)
    assert all(each.is_retained for each in found)
    return {each.topic: each.payload for each in found}


def test_the_next_pass_and_the_next_visible_one_are_sensors_with_a_time_and_attributes():
    later, seen = coming(NINE + HOUR, visible=False), coming(NINE + 3 * HOUR)
    found = topics(coming(), later, coming(NINE + 2 * HOUR, status="CANCELLED"), seen)

    assert found["orbitlake/status"] == "online"
    assert found[f"{BASE}/next_pass"] == "2026-11-20T21:03:10+00:00"
    assert found[f"{BASE}/next_visible_pass"] == "2026-11-20T23:03:10+00:00"
    assert json.loads(found[f"{BASE}/next_visible_pass/attributes"])["magnitude"] == -3.12


def test_what_is_to_be_found_is_described_by_documented_fields_alone():
    found = topics(coming(NINE + HOUR))
    config = {topic: json.loads(payload) for topic, payload in found.items() if topic.endswith("/config")}

    assert set(config) == {
        "homeassistant/sensor/orbitlake_passes_1998-067A_Paris/next_pass/config",
        "homeassistant/sensor/orbitlake_passes_1998-067A_Paris/next_visible_pass/config",
        "homeassistant/event/orbitlake_passes_1998-067A_Paris/event/config",
    }
    for fields in config.values():
        assert set(fields) <= DOCUMENTED
        assert set(fields["device"]) == {"identifiers", "name"}
    sensor = config["homeassistant/sensor/orbitlake_passes_1998-067A_Paris/next_pass/config"]
    assert (sensor["device_class"], sensor["state_topic"]) == ("timestamp", f"{BASE}/next_pass")
    assert sensor["availability_topic"] == "orbitlake/status"
    assert sensor["device"]["name"] == "ISS over Paris"
    assert len({fields["unique_id"] for fields in config.values()}) == 3


def test_without_a_coming_pass_a_sensor_is_unknown():
    found = topics()

    assert found[f"{BASE}/next_pass"] == "None"
    assert found[f"{BASE}/next_pass/attributes"] == "{}"


def test_without_a_rule_there_is_no_event():
    assert not [topic for topic in topics(coming(), places=Places()) if "/event/" in topic]


def test_an_alert_goes_to_the_events_of_its_place_with_its_id():
    message = alert("all", coming(), NINE - HOUR)
    body = event_body(message)

    assert f"orbitlake/{event_topic(message)}" == f"{BASE}/event"
    assert (body["event_type"], body["id"]) == ("alert", message.id)
    assert event_topic(alert("all", near_kourou(), NINE)) == "approaches/1998-067A/Kourou/event"


def test_a_name_with_other_letters_is_a_level_of_its_own():
    one, other = (
        event_topic(alert("all", replace(coming(site=name), place=name), NINE)) for name in ("São Paulo", "Sao Paulo")
    )

    assert one != other
    assert all(level.isascii() and " " not in level for level in (one, other))


def test_what_is_no_more_is_withdrawn_and_nothing_of_others():
    given = ["orbitlake/passes/x/Rome/next_pass", "homeassistant/sensor/x/config", "zigbee2mqtt/lamp"]

    assert [(each.topic, each.payload, each.is_retained) for each in withdrawn(given, SETTINGS)] == [
        (given[0], "", True),
        (given[1], "", True),
    ]
