"""Lines of raw records -> the topic: idempotent, acknowledged by all replicas, or told as failed within a bound."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaException, Producer

from orbitlake.positions.kafka.connection import client_options, reason_of
from orbitlake.settings import Settings

DELIVERY_S: Final = 3.0
"""How long the brokers have for a record; later it counts as failed, though it may have come."""
HEADERS: Final[list[tuple[str, str | bytes | None]]] = [("schema", b"orbitlake.raw_position_record"), ("version", b"1")]


class Named(msgspec.Struct):
    """What of a record its key is made of."""

    object_id: str = ""
    source: str = ""


KEYS: Final = msgspec.json.Decoder(Named)


@dataclass(slots=True)
class Delivery:
    """Lines on their way; `failure` is why one of them did not come, as far as is known."""

    pending: int
    failure: str = ""

    @property
    def is_done(self) -> bool:
        return self.pending == 0

    @property
    def has_come(self) -> bool:
        return self.pending == 0 and not self.failure

    def told(self, error: Any, _message: object) -> None:
        """Take the brokers' word on one line."""
        self.pending -= 1
        if error is not None:
            self.failure = error.str()


class Publisher:
    """Publishes to the topic of the settings. Nothing is asked of a broker before the first line."""

    def __init__(self, settings: Settings, delivery_s: float = DELIVERY_S) -> None:
        self.topic, self.delivery_s = settings.kafka_topic, delivery_s
        self.options = client_options(settings) | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": settings.kafka_compression,
            "delivery.timeout.ms": round(delivery_s * 1000),
            "linger.ms": 2,
            # A broker that is back is to be found soon.
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self.heard,
        }
        self.is_broken = False
        self.producer: Producer | None = None

    def heard(self, error: Any) -> None:
        """Take note of an error that ends the producer; all others are told by the deliveries that fail of them."""
        self.is_broken = self.is_broken or error.fatal()

    def publish(self, lines: Sequence[bytes]) -> Delivery:
        """Send lines, in order, without waiting for their acknowledgement."""
        if self.producer is None or self.is_broken:
            self.producer, self.is_broken = Producer(self.options), False
        delivery = Delivery(len(lines))
        for sent, line in enumerate(lines):
            value = line.rstrip(b"\n")
            try:
                self.producer.produce(self.topic, value, key_of(value), on_delivery=delivery.told, headers=HEADERS)
            except (BufferError, KafkaException) as error:
                delivery.pending -= len(lines) - sent
                delivery.failure = reason_of(error) if isinstance(error, KafkaException) else str(error)
                break
        return delivery

    def wait(self, delivery: Delivery, seconds: float) -> bool:
        """Wait for the acknowledgements of a delivery, so long at most; say whether all have come."""
        latest = time.monotonic() + seconds
        while self.producer and not delivery.is_done:
            left_s = latest - time.monotonic()
            self.producer.poll(max(0.0, min(left_s, 0.1)))
            if left_s <= 0:
                break
        return delivery.has_come


def key_of(line: bytes) -> bytes:
    """Return the key of a record, `object/source`: one feed of an object is one partition, in order."""
    try:
        named = KEYS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        named = Named()
    return f"{named.object_id}/{named.source}".encode()
