"""The topic of transactions as a replay writes it: records and position in one transaction, by one replayer at a time.

Whoever opens the transactional id of a run fences off the one before, takes back what that one had not committed,
and reads the position after that: so every record stands there exactly once for readers of committed records.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.outbox import SENDING
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.replay.position import KEY, ReplayPosition, decode_position, encode_position
from earlywarn.application.aggregator import CONTROL_HEADER, END
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_ANSWER_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_TRANSACTION_MS = 60_000
_QUEUE_FULL_SECONDS = 0.1
_QUEUED_MESSAGES = 200_000
_BATCH_BYTES = 1 << 20
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001  # its name

Header = tuple[str, bytes | None]


class TransactionLostError(LogError):
    """A transaction was taken back; what it held is to be read and sent again."""


class ReplayLog:
    """Writes the transactions of a run. Its calls block."""

    def __init__(self, kafka: KafkaSettings, topics: RunTopics) -> None:
        self.topics = topics
        self._kafka = kafka
        self._under_way = False
        self._producer = Producer(
            {
                **confluent_connection(kafka),
                **SENDING,
                "message.timeout.ms": _TRANSACTION_MS,
                "transactional.id": f"{topics.prefix}{topics.run}.replay",
                "transaction.timeout.ms": _TRANSACTION_MS,
                "queue.buffering.max.messages": _QUEUED_MESSAGES,
                "batch.size": _BATCH_BYTES,
                "allow.auto.create.topics": False,
            },
            logger=_log,
        )

    def open(self) -> ReplayPosition | None:
        """Become the replayer of the run, and return how far the one before came; None if there was none.

        Raises:
            LogError: the broker will not have it, or what stands there is no position or cannot be read.
            ConfigError: no broker answers.
        """
        self._patiently(lambda: self._producer.init_transactions(_ANSWER_SECONDS))
        found = newest_value(self._kafka, self.topics.meta, KEY)
        return None if found is None else decode_position(found)

    def send(
        self, partition: int, value: bytes | None, *, key: bytes | None = None, headers: Sequence[Header] = ()
    ) -> None:
        """Send one record in the open transaction; begin one if none is open.

        Raises:
            LogError: another replayer has taken over, or the record cannot be sent.
            TransactionLostError: the transaction can only be taken back.
        """
        self._begin()
        self._produce(self.topics.transactions, partition, value, key, headers)

    def commit(self, position: ReplayPosition) -> None:
        """Make all that was sent visible, with the position behind it, as one step.

        Raises:
            LogError, TransactionLostError: as `send`.
        """
        self._begin()
        self._produce(self.topics.meta, 0, encode_position(position), KEY, ())
        self._patiently(lambda: self._producer.commit_transaction(_ANSWER_SECONDS))
        self._under_way = False

    def end(self, position: ReplayPosition) -> ReplayPosition:
        """Write the end mark to every partition that the topic has now, and the position that says so."""
        for partition in range(self.partition_count()):
            self.send(partition, None, headers=[(CONTROL_HEADER, END)])
        ended = msgspec.structs.replace(position, ended=True)
        self.commit(ended)
        return ended

    def take_back(self) -> None:
        """Take back what is sent and not committed, so that readers need not wait until it is timed out."""
        if self._under_way:
            self._under_way = False
            self._patiently(lambda: self._producer.abort_transaction(_ANSWER_SECONDS))

    def partition_count(self) -> int:
        """Return P as it is now."""
        found = self._producer.list_topics(self.topics.transactions, self._kafka.request_timeout_seconds)
        return len(found.topics[self.topics.transactions].partitions)

    def _begin(self) -> None:
        if not self._under_way:
            self._patiently(self._producer.begin_transaction)
            self._under_way = True

    def _produce(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None, headers: Sequence[Header]
    ) -> None:
        while True:
            try:
                if headers:
                    self._producer.produce(topic, value, key, partition, headers=list(headers))
                else:
                    self._producer.produce(topic, value, key, partition)
            except BufferError:
                self._producer.poll(_QUEUE_FULL_SECONDS)
            except KafkaException as error:
                self._refused(error)
            else:
                return

    def _patiently(self, step: Callable[[], _T]) -> _T:
        """Do a step, and wait for a broker that is gone."""
        while True:
            try:
                return step()
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if not reason.retriable():
                    self._refused(error)
                _log.warning("the broker does not take a transaction's step yet: %s", reason)
                time.sleep(_RETRY_SECONDS)

    def _refused(self, error: KafkaException) -> None:
        reason: KafkaError = error.args[0]
        run = self.topics.run
        if reason.code() in _FENCED or reason.fatal():
            self._under_way = False
            raise LogError(
                f"run {run!r}: this replayer has lost its place to another one of the same run, and stops; what it "
                f"had not committed is taken back, and the other goes on from there ({reason})"
            ) from error
        if reason.txn_requires_abort() or reason.code() == KafkaError._STATE:  # noqa: SLF001  # its name
            raise TransactionLostError(f"run {run!r}: a transaction is taken back: {reason}") from error
        raise LogError(f"{self.topics.transactions}: cannot be written: {reason}") from error
