"""Which log a topic is: a topic that is deleted and made anew under the same name has another identity.

Brokers give every topic an id of its own (KIP-516). What is kept of a log elsewhere, snapshots and the offset
published up to, names that id, and is not taken for that of another log of the same name.
"""

import logging
from base64 import urlsafe_b64encode

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError

_log = logging.getLogger(__name__)
_log.propagate = False  # what goes wrong is raised
_log.addHandler(logging.NullHandler())


def topic_identity(kafka: KafkaSettings, topic: str) -> str:
    """Return the id of a topic as Kafka's tools show it: 22 letters, digits, `-` and `_`.

    Raises:
        LogError: there is no such topic.
        ConfigError: no broker answers, or it refuses.
    """
    admin = AdminClient(dict(confluent_connection(kafka)), logger=_log)
    timeout_seconds = float(kafka.request_timeout_seconds)
    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_seconds)
    try:
        return _shown(asked[topic].result().topic_id)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise LogError(f"{topic}: does not exist; run: earlywarn topics create") from error
        raise ConfigError(f"kafka.brokers = {kafka.brokers!r}: {topic} cannot be described: {reason.str()}") from error


def _shown(topic_id: Uuid) -> str:
    """Return an id in the letters of kafka-topics.sh; the client's own have a `/`, and ids are names of folders here.

    >>> _shown(Uuid(-1, -1)), str(Uuid(-1, -1))
    ('_____________________w', '/////////////////////w')
    """
    # Its type stubs lack them.
    halves = (topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits())  # type: ignore[attr-defined]
    return urlsafe_b64encode(b"".join(half.to_bytes(8, "big", signed=True) for half in halves)).decode().rstrip("=")
