"""Which log a topic is: a topic that is deleted and made anew under the same name has another identity.

Brokers give every topic an id of its own (KIP-516). What is kept of a log elsewhere, snapshots and the offset
published up to, names that id, and is not taken for that of another log of the same name.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient

from earlywarn.adapters.kafka.connection import WAY_OUT, confluent_connection
from earlywarn.adapters.kafka.rights import may_not_read
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError


class NoAnswerError(ConfigError):
    """No broker says now what it was asked for: which log a topic is, or what a group has committed."""


class Identities:
    """Asks which logs topics are, over a connection that stays."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin = AdminClient({**confluent_connection(kafka), "log_level": 0})  # what goes wrong is raised

    def now(self, topics: Sequence[str]) -> dict[str, str | None]:
        """Return the ids of topics as Kafka's tools show them: 22 letters, digits, `-` and `_`; None: no such topic.

        Raises:
            NoAnswerError: no broker answers.
            ConfigError: it refuses.
        """
        asked = self._ask(topics, float(self._kafka.request_timeout_seconds))
        wait([*asked.values()])
        return {topic: self._answer(topic, answer) for topic, answer in asked.items()}

    async def soon(self, topics: Sequence[str], timeout_seconds: float) -> dict[str, str | None]:
        """Return the same, while the loop goes on.

        Raises:
            NoAnswerError, ConfigError: as `now`.
        """
        asked = self._ask(topics, timeout_seconds)
        await asyncio.gather(*map(asyncio.wrap_future, asked.values()), return_exceptions=True)
        return {topic: self._answer(topic, answer) for topic, answer in asked.items()}

    def _ask(self, topics: Sequence[str], timeout_seconds: float) -> "dict[str, Future[Any]]":
        asked: dict[str, Future[Any]] = self._admin.describe_topics(
            TopicCollection(list(topics)), request_timeout=timeout_seconds
        )
        return asked

    def _answer(self, topic: str, answer: "Future[Any]") -> str | None:
        try:
            return _shown(answer.result().topic_id)
        except KafkaException as error:
            self._raise_unless_missing(topic, error)
            return None

    def _raise_unless_missing(self, topic: str, error: KafkaException) -> None:
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return
        place = f"kafka.brokers = {self._kafka.brokers!r}"
        if reason.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise ConfigError(f"{place}: {may_not_read(topic)}") from error
        raise NoAnswerError(f"{place}: {topic} cannot be described: {reason.str()}; {WAY_OUT}") from error


def topic_identity(kafka: KafkaSettings, topic: str) -> str:
    """Return the id of a topic (`Identities.now`).

    Raises:
        LogError: there is no such topic.
        ConfigError: no broker answers, or it refuses.
    """
    return topic_identities(kafka, [topic])[topic]


def topic_identities(kafka: KafkaSettings, topics: Sequence[str]) -> dict[str, str]:
    """Return the ids of topics, by name (`Identities.now`).

    Raises:
        LogError: there is no such topic.
        ConfigError: no broker answers, or it refuses.
    """
    found: dict[str, str] = {}
    for topic, identity in Identities(kafka).now(topics).items():
        if identity is None:
            raise LogError(f"{topic}: does not exist; run: earlywarn topics create")
        found[topic] = identity
    return found


def _shown(topic_id: Uuid) -> str:
    """Return an id in the letters of kafka-topics.sh; the client's own have a `/`, and ids are names of folders here.

    >>> _shown(Uuid(-1, -1)), str(Uuid(-1, -1))
    ('_____________________w', '/////////////////////w')
    """
    # Its type stubs lack them.
    halves = (topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits())  # type: ignore[attr-defined]
    return urlsafe_b64encode(b"".join(half.to_bytes(8, "big", signed=True) for half in halves)).decode().rstrip("=")
