"""Whether a broker answers: what a service waits for at its start, and shows by its readiness from then on."""

import asyncio
import logging
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError

_log = logging.getLogger(__name__)
_ASK_SECONDS = 2.0
_ANSWER_SECONDS = 3.0
_RETRY_SECONDS = 1.0
_REFUSALS = {KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE}  # noqa: SLF001  # their names


class Broker:
    """Knows whether the broker answers, by asking it now and then."""

    def __init__(self, kafka: KafkaSettings) -> None:
        parameters = confluent_connection(kafka)
        # What librdkafka would print itself while a broker is gone: we say it once, and by readiness.
        silent: dict[str, Any] = {**parameters, "log_level": 0, "error_cb": self._note}
        self._client = AdminClient(silent)
        self._reason = ""
        self._kafka = kafka
        self._refused = ""
        self._heard: float | None = None

    @property
    def answers(self) -> bool:
        """Return whether it answered lately."""
        return self._heard is not None and time.monotonic() - self._heard < _ASK_SECONDS + 2 * _ANSWER_SECONDS

    def _note(self, error: KafkaError) -> None:
        """Note why it does not answer: what is refused goes before what merely is not there."""
        if error.code() in _REFUSALS or not self._reason:
            self._reason = error.str()
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001  # its name
            self._refused = error.str()

    @property
    def _told(self) -> str:
        return f" ({self._reason})" if self._reason else ""

    async def ask(self) -> bool:
        """Ask it now."""
        try:
            await asyncio.to_thread(self._client.list_topics, "__consumer_offsets", _ANSWER_SECONDS)
        except KafkaException:
            while self._client.poll(0):
                pass  # each tells `_note` why
            return False
        self._heard, self._reason, self._refused = time.monotonic(), "", ""
        return True

    async def wait(self) -> None:
        """Wait until it answers.

        Raises:
            ConfigError: it refuses the user. What was read at the start stays wrong, however long one waits.
        """
        brokers = self._kafka.brokers
        while not await self.ask():
            if self._refused:
                raise ConfigError(
                    f"kafka.brokers = {brokers!r}: refuses kafka.username = {self._kafka.username!r} "
                    f"({self._refused}); mend user or password (kafka.password_file is read at the start), and start "
                    "again"
                )
            _log.warning("kafka.brokers = %r: no broker answers%s; waiting for one", brokers, self._told)
            await asyncio.sleep(_RETRY_SECONDS)

    async def watch(self) -> None:
        """Ask again and again, and say when it goes and comes back."""
        answered = True
        while True:
            await asyncio.sleep(_ASK_SECONDS)
            answers = await self.ask()
            if answers != answered:
                _log.warning("the broker answers again" if answers else f"the broker does not answer{self._told}")
            answered = answers
