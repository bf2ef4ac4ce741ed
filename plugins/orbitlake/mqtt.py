"""Messages to the MQTT broker of the settings: each acknowledged by it (QoS 1) within a bound, or an error.

No thread and no wait without a limit: whatever the broker or the network does, a call ends after TIMEOUT_S for each of
its steps (connecting, shaking hands, publishing).
"""

import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from orbitlake.alerts import ChannelError
from orbitlake.settings import MQTT_PORTS, Settings

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TIMEOUT_S: Final = 10.0
AT_LEAST_ONCE: Final = 1
WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Publication:
    """A payload for a topic; a retained one is what each later subscriber begins with, an empty one ends that."""

    topic: str
    payload: str
    is_retained: bool = False


def publish(
    settings: Settings,
    publications: Iterable[Publication],
    will: Publication | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Publish in the order given, and return once the broker has acknowledged all.

    `will` is what the broker publishes should this process vanish meanwhile. Raises ChannelError, without a secret,
    where it did not acknowledge all: it may have taken some of them.
    """
    if not settings.mqtt_url:
        raise ChannelError("ORBITLAKE_MQTT_URL names no broker")
    connected: list[Any] = []
    client = _client(settings, timeout_s, connected)
    if will:
        client.will_set(will.topic, will.payload, AT_LEAST_ONCE, will.is_retained)
    parts = urlsplit(settings.mqtt_url)
    try:
        # Also the longest wait for the answers of a TLS handshake.
        client.connect(parts.hostname or "", parts.port or MQTT_PORTS[parts.scheme], keepalive=max(1, int(timeout_s)))
        _loop_until(client, lambda: bool(connected), timeout_s, "did not answer")
        if connected[0].is_failure:
            raise ChannelError(f"the broker refused: {connected[0]}")
        waiting = [client.publish(each.topic, each.payload, AT_LEAST_ONCE, each.is_retained) for each in publications]
        _loop_until(client, lambda: all(each.is_published() for each in waiting), timeout_s, "did not acknowledge")
    except (OSError, ValueError) as error:
        reason = f": {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else ""
        raise ChannelError(f"the broker cannot be reached: {type(error).__name__}{reason}") from None
    finally:
        client.disconnect()
        # What is left to send is the goodbye: without it the broker would publish the will.
        client.loop(0.01)


def _client(settings: Settings, timeout_s: float, connected: list[Any]) -> "Client":
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.connect_timeout = timeout_s
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: connected.append(reason)
    # All at once: waiting for acknowledgements of twenty at a time would need more rounds.
    client.max_inflight_messages_set(1000)
    if settings.mqtt_user:
        client.username_pw_set(settings.mqtt_user, settings.mqtt_password or None)
    if urlsplit(settings.mqtt_url).scheme == "mqtts":
        try:
            client.tls_set(ca_certs=str(settings.mqtt_ca) if settings.mqtt_ca else None)
        except (OSError, ValueError) as error:
            raise ChannelError(f"ORBITLAKE_MQTT_CA cannot be used: {type(error).__name__}") from None
    return client


def _loop_until(client: "Client", is_done: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    from paho.mqtt.enums import MQTTErrorCode

    deadline = time.monotonic() + timeout_s
    while not is_done():
        if client.loop(WAIT_S) != MQTTErrorCode.MQTT_ERR_SUCCESS and not is_done():
            raise ChannelError("the broker closed the connection")
        if time.monotonic() > deadline:
            raise ChannelError(f"the broker {otherwise} within {timeout_s:g} s")
