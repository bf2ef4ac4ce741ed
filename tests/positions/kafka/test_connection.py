"""What a cluster answers while a partition moves is waited for; any other answer is told at once."""

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError as Answer
from confluent_kafka import KafkaException

from orbitlake.positions.kafka import connection
from orbitlake.positions.kafka.connection import Held, Topic
from orbitlake.positions.kafka.errors import KafkaError
from orbitlake.settings import from_environment


class Cluster:
    """A cluster of one topic of one partition, which gives some answers in place of its first offsets."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)

    def list_topics(self, **_):
        return SimpleNamespace(topics={"fixes": SimpleNamespace(partitions=[0])})

    def list_offsets(self, asked, **_):
        return {partition: SimpleNamespace(result=self.offset) for partition in asked}

    def offset(self, _within_s):
        if self.answers:
            raise KafkaException(Answer(self.answers.pop(0)))
        return SimpleNamespace(offset=7)


def topic_of(cluster: Cluster) -> Topic:
    topic = Topic(from_environment({"ORBITLAKE_KAFKA": "127.0.0.1:9", "ORBITLAKE_KAFKA_TOPIC": "fixes"}))
    topic.admin = cluster
    return topic


@pytest.mark.parametrize(
    "answer", [Answer.NOT_LEADER_FOR_PARTITION, Answer.LEADER_NOT_AVAILABLE, Answer.UNKNOWN_TOPIC_OR_PART]
)
def test_a_partition_that_moves_is_asked_again(answer):
    assert topic_of(Cluster(answer, answer)).held() == {0: Held(7, 7)}


def test_a_partition_that_never_arrives_is_told_in_the_end(monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_WITHIN_S", 0.5)
    with pytest.raises(KafkaError, match=r"tells what fixes holds: .*leader"):
        topic_of(Cluster(*[Answer.NOT_LEADER_FOR_PARTITION] * 100)).held()


def test_any_other_answer_is_told_at_once():
    cluster = Cluster(Answer.TOPIC_AUTHORIZATION_FAILED, Answer.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaError, match="uthoriz"):
        topic_of(cluster).held()
    assert len(cluster.answers) == 1
