"""How Kafka is reached, in the words of each of its clients, and what its topic holds."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException, TopicCollection, TopicPartition, admin

from orbitlake.positions.kafka.errors import KafkaError
from orbitlake.settings import SettingError, Settings

LOG: Final = logging.getLogger(__name__)
ANSWER_WITHIN_S: Final = 20.0
MOVING: Final = {"NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PART"}
"""What a cluster answers of a partition that is being made, or goes from one broker to another."""
AnswerT = TypeVar("AnswerT")
JAVA_LOGIN: Final = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def client_options(settings: Settings) -> dict[str, Any]:
    """Return how the client library reaches the brokers. Raises SettingError where a user is lacking."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka,
        "security.protocol": settings.kafka_security,
        # Ours is the one word on a broker that is away, not a line a second.
        "log_level": 2,
        "logger": LOG,
    }
    if uses_sasl(settings):
        options |= {
            "sasl.mechanism": settings.kafka_sasl,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password,
        }
    if settings.kafka_ca:
        options["ssl.ca.location"] = str(settings.kafka_ca)
    return options


def spark_options(settings: Settings) -> dict[str, str]:
    """Return how Spark's source reaches the brokers. Raises SettingError where a user is lacking."""
    options = {
        "kafka.bootstrap.servers": settings.kafka,
        "kafka.security.protocol": settings.kafka_security,
    }
    if uses_sasl(settings):
        login, user, password = (
            JAVA_LOGIN[settings.kafka_sasl],
            quoted(settings.kafka_user),
            quoted(settings.kafka_password),
        )
        options |= {
            "kafka.sasl.mechanism": settings.kafka_sasl,
            "kafka.sasl.jaas.config": f"{login} required username={user} password={password};",
        }
    if settings.kafka_ca:
        options |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.location": str(settings.kafka_ca),
        }
    return options


def uses_sasl(settings: Settings) -> bool:
    """Say whether a user is to be proved. Raises SettingError where there is none."""
    if not settings.kafka_security.startswith("SASL"):
        return False
    if not (settings.kafka_user and settings.kafka_password):
        raise SettingError(
            f"ORBITLAKE_KAFKA_SECURITY is {settings.kafka_security}: expected a user and a password, in "
            "ORBITLAKE_KAFKA_USER and ORBITLAKE_KAFKA_PASSWORD"
        )
    return True


def quoted(text: str) -> str:
    """Return a text as Java's login configuration quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Held:
    """What a topic holds of one partition: the offsets of the oldest record and of the next one to come."""

    oldest: int
    next: int


class Topic:
    """The topic of raw records as the driver of a stream sees it."""

    def __init__(self, settings: Settings) -> None:
        self.name, self.servers = settings.kafka_topic, settings.kafka
        self.admin = admin.AdminClient(client_options(settings))

    def make(self) -> None:
        """Make the topic with the brokers' own number of partitions, where it is not there. Raises KafkaError."""
        try:
            known = self.admin.list_topics(timeout=ANSWER_WITHIN_S).topics
        except KafkaException as error:
            raise KafkaError(f"no broker answers at {self.servers}: {reason_of(error)}") from None
        if self.name in known:
            return
        made = self.admin.create_topics([admin.NewTopic(self.name, -1, -1)], operation_timeout=ANSWER_WITHIN_S)
        try:
            made[self.name].result(ANSWER_WITHIN_S)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise KafkaError(f"topic {self.name} is not there and cannot be made: {reason_of(error)}") from None

    def identity(self) -> str:
        """Return the cluster's own id of the topic, which has to be there. Raises KafkaError."""

        def asked() -> str:
            described = self.admin.describe_topics(TopicCollection([self.name]), request_timeout=ANSWER_WITHIN_S)
            return str(described[self.name].result(ANSWER_WITHIN_S).topic_id)

        try:
            return settled(asked)
        except KafkaException as error:
            raise KafkaError(f"topic {self.name} cannot be described: {reason_of(error)}") from None

    def held(self) -> dict[int, Held]:
        """Return what the topic holds, by partition; nothing where it is not there. Raises KafkaError."""

        def asked() -> dict[int, Held]:
            found = self.admin.list_topics(timeout=ANSWER_WITHIN_S).topics.get(self.name)
            partitions = [TopicPartition(self.name, number) for number in found.partitions] if found else []
            oldest, upto = (self.offsets(partitions, which) for which in ("earliest", "latest"))
            return {number: Held(oldest[number], upto[number]) for number in oldest}

        try:
            return settled(asked)
        except KafkaException as error:
            raise KafkaError(f"no broker of {self.servers} tells what {self.name} holds: {reason_of(error)}") from None

    def offsets(self, partitions: list[TopicPartition], which: str) -> dict[int, int]:
        """Ask for one offset of each partition, `earliest` or `latest`."""
        if not partitions:
            return {}
        spec = getattr(admin.OffsetSpec, which)()
        asked = self.admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=ANSWER_WITHIN_S)
        return {each.partition: answer.result(ANSWER_WITHIN_S).offset for each, answer in asked.items()}


def settled(asked: Callable[[], AnswerT]) -> AnswerT:
    """Return what a cluster answers, asked again for a while where it says that a partition moves."""
    latest = time.monotonic() + ANSWER_WITHIN_S
    while True:
        try:
            return asked()
        except KafkaException as error:
            if error.args[0].name() not in MOVING or time.monotonic() > latest:
                raise
        time.sleep(0.2)


def gone(held: Mapping[int, Held], wanted: Mapping[int, int]) -> dict[int, str]:
    """Return, by partition, what a stream that is to go on from some offsets would miss, in words."""
    lacking = {}
    for number, offset in sorted(wanted.items()):
        found = held.get(number)
        if found is None:
            lacking[number] = f"from {offset} on, with the whole partition"
        elif offset < found.oldest:
            lacking[number] = f"{offset} to {found.oldest - 1}"
        elif offset > found.next:
            lacking[number] = f"from {found.next} on, where {offset} was to come: the topic began anew"
    return lacking


def reason_of(error: KafkaException) -> str:
    """Return what the client says of an error."""
    return str(error.args[0].str() if hasattr(error.args[0], "str") else error)
