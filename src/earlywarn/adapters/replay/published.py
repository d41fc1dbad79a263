"""What a run has published, read back from its topics."""

import time

import msgspec
from confluent_kafka import KafkaError, TopicPartition

from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.application.settings import Settings
from earlywarn.domain.alert import Alert
from earlywarn.errors import LogError

_RECORDS_AT_ONCE = 1_000
_POLL_SECONDS = 0.5
_decode = msgspec.json.Decoder(Alert).decode


def latest_alerts(settings: Settings, topics: RunTopics) -> list[Alert]:
    """Return the newest revision of every alert, in order of detection.

    Raises:
        LogError: the topic is not read to its end in a minute.
    """
    consumer = new_reader(settings.kafka, f"{topics.alerts}.replay")
    newest: dict[str, Alert] = {}
    left = settings.topics.partials_partitions
    deadline = time.monotonic() + 4 * settings.kafka.request_timeout_seconds
    try:
        consumer.assign([TopicPartition(topics.alerts, q, 0) for q in range(left)])
        while left:
            if time.monotonic() > deadline:
                raise LogError(f"{topics.alerts}: cannot be read to its end; look at the broker")
            for message in consumer.consume(_RECORDS_AT_ONCE, _POLL_SECONDS):
                error: KafkaError | None = message.error()
                if error is None:
                    alert = _decode(message.value() or b"")
                    newest[alert.id] = alert
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # its name
                    left -= 1
    finally:
        consumer.close()
    return sorted(newest.values(), key=lambda alert: (alert.detected_on, alert.sequence))
