"""What can be wrong with Kafka as transport, for whoever needs no client of it."""


class KafkaError(Exception):
    """Kafka cannot be asked, or does not hold what it should; the message says what to do."""


class LostRecordsError(KafkaError):
    """The topic no longer holds what the stream had yet to read: trying again is no use."""
