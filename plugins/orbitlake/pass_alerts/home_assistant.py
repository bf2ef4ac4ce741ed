"""Topics of MQTT for passes, and what Home Assistant is told to find there: next passes as sensors, alerts as events.

Only fields that Home Assistant documents for MQTT discovery, sensors and events are used.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from orbitlake.mqtt import Publication
from orbitlake.pass_alerts.coming import Coming, Timetable
from orbitlake.pass_alerts.messages import ALERT, CANCELLED, MOVED, TEST, Message
from orbitlake.passes.places import Places
from orbitlake.settings import Settings

ONLINE, OFFLINE = "online", "offline"
UNKNOWN: Final = "None"
"""What a sensor without a value is sent."""
EXPIRES_S: Final = 900
"""A sensor that hears nothing for so long is unavailable: the states are sent each minute."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
SENSORS: Final = {"next_pass": "Next pass", "next_visible_pass": "Next visible pass"}


def availability(settings: Settings, state: str) -> Publication:
    """Return what says whether the states are kept up."""
    return Publication(f"{settings.mqtt_topic}/status", state, is_retained=True)


def event_topic(message: Message) -> str:
    """Return where an alert or a correction goes, below the topic of the settings: to the events of its place."""
    is_site = "site" in message.facts
    return f"{_place_topic(message.facts['object_id'], message.facts['site' if is_site else 'point'], is_site)}/event"


def event_body(message: Message) -> dict[str, Any]:
    """Return an alert or a correction as programs read it: `id` stays the same where it is sent again."""
    return {"event_type": message.kind, "id": message.id, "text": message.text, **message.facts}


def published(settings: Settings, places: Places, timetable: Timetable, now: datetime) -> list[Publication]:
    """Return the discovery messages and states of all places that something is told of."""
    found: list[Publication] = [availability(settings, ONLINE)]
    for (object_id, place, is_site), coming in timetable.groups().items():
        base = f"{settings.mqtt_topic}/{_place_topic(object_id, place, is_site)}"
        device = _device(object_id, coming, place)
        if any(rule.speaks_of(place, is_site=is_site) for rule in places.alerts):
            found.append(_discovery(settings, "event", base, "event", "Alert", device, _event_fields(base)))
        if is_site:
            for key, name in SENSORS.items():
                found.append(_discovery(settings, "sensor", base, key, name, device, _sensor_fields(base, key)))
            found += _states(base, coming, now)
    return found


def withdrawn(topics: Iterable[str], settings: Settings) -> Iterator[Publication]:
    """Yield what makes Home Assistant and the broker forget topics that were published and are no more."""
    for topic in topics:
        if topic.startswith((f"{settings.mqtt_discovery}/", f"{settings.mqtt_topic}/")):
            yield Publication(topic, "", is_retained=True)


def _states(base: str, coming: Iterable[Coming], now: datetime) -> Iterator[Publication]:
    ahead = [each for each in coming if each.begin > now and not each.is_cancelled and not each.is_flown]
    seen = [each for each in ahead if each.is_visible]
    for key, passes in (("next_pass", ahead), ("next_visible_pass", seen)):
        following = passes[0] if passes else None
        yield Publication(f"{base}/{key}", following.begin.isoformat() if following else UNKNOWN, is_retained=True)
        attributes = following.facts if following else {}
        yield Publication(f"{base}/{key}/attributes", json.dumps(dict(attributes)), is_retained=True)


def _discovery(
    settings: Settings, component: str, base: str, key: str, name: str, device: Mapping[str, Any], more: dict[str, Any]
) -> Publication:
    node = base.removeprefix(f"{settings.mqtt_topic}/").replace("/", "_")
    fields = {
        "name": name,
        "unique_id": f"orbitlake_{node}_{key}",
        "availability_topic": f"{settings.mqtt_topic}/status",
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "qos": 1,
        "device": device,
        "origin": {"name": "orbitlake"},
        **more,
    }
    topic = f"{settings.mqtt_discovery}/{component}/orbitlake_{node}/{key}/config"
    return Publication(topic, json.dumps(fields), is_retained=True)


def _sensor_fields(base: str, key: str) -> dict[str, Any]:
    return {
        "state_topic": f"{base}/{key}",
        "device_class": "timestamp",
        "json_attributes_topic": f"{base}/{key}/attributes",
        "expire_after": EXPIRES_S,
    }


def _event_fields(base: str) -> dict[str, Any]:
    return {"state_topic": f"{base}/event", "event_types": [ALERT, MOVED, CANCELLED, TEST]}


def _device(object_id: str, coming: Iterable[Coming], place: str) -> dict[str, Any]:
    name = next((each.object_name for each in coming), object_id)
    return {"identifiers": [f"orbitlake_{_level(object_id)}_{_level(place)}"], "name": f"{name} over {place}"}


def _place_topic(object_id: str, place: str, is_site: bool) -> str:
    return f"{'passes' if is_site else 'approaches'}/{_level(object_id)}/{_level(place)}"


def _level(name: str) -> str:
    """Return a name as one level of a topic, which Home Assistant takes as an id: letters, digits, _ and -."""
    if PLAIN.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:31]
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
