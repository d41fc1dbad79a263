"""What a detector publishes, each message once: in transactions that also move the offset published up to.

One transactional id belongs to each partition q of a run. Whoever opens it last is the publisher; an earlier one,
stopped and come back, is fenced off by the broker. Readers with `isolation_level=read_committed` see each message
once; to others a repeat has the same key and the same bytes.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from earlywarn.adapters.kafka.outbox import SENDING
from earlywarn.adapters.kafka.wire import Message
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_ANSWER_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_TRANSACTION_MS = 60_000
_QUEUE_FULL_SECONDS = 0.1


_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001  # its name


class FencedError(LogError):
    """Another publisher of the partition has taken over; what this one folds from now on is not published."""


class Publisher:
    """Publishes what comes of one partition of the partials. Its calls block; give it a thread.

    Args:
        connection: what confluent-kafka needs to connect.
        group: names the offsets published up to; it has no members.
        source: topic of the partials.
        partition: q.
    """

    def __init__(self, connection: Mapping[str, object], group: str, source: str, partition: int) -> None:
        self._place = TopicPartition(source, partition)
        self._partition = partition
        self._closed = Event()
        self._offsets = Consumer({**connection, "group.id": group}, logger=_log)
        self._producer = Producer(
            {
                **connection,
                **SENDING,
                "message.timeout.ms": _TRANSACTION_MS,
                "transactional.id": f"{group}.{partition}",
                "transaction.timeout.ms": _TRANSACTION_MS,
            },
            logger=_log,
        )

    def open(self) -> int:
        """Become the publisher, and return the offset of the partials up to which all is published.

        Raises:
            LogError: the broker will not have it.
        """
        self._patiently(lambda: self._producer.init_transactions(_ANSWER_SECONDS))
        found = self._patiently(lambda: self._offsets.committed([self._place], timeout=_ANSWER_SECONDS))
        return max(int(found[0].offset), 0)

    def publish(self, messages: Sequence[tuple[str, Message]], position: int) -> None:
        """Publish messages (topic, key and value) and say that all before `position` is published, as one step.

        Raises:
            FencedError: another publisher has taken over.
            LogError: the broker refuses a message.
        """
        while not self._try_to_publish(messages, position):
            self._closed.wait(_RETRY_SECONDS)

    def _try_to_publish(self, messages: Sequence[tuple[str, Message]], position: int) -> bool:
        """Return False if the transaction was taken back and may be tried again."""
        try:
            self._patiently(self._producer.begin_transaction)
            for topic, (key, value) in messages:
                self._produce(topic, key, value)
            offsets = [TopicPartition(self._place.topic, self._partition, position)]
            group = self._offsets.consumer_group_metadata()
            self._patiently(lambda: self._producer.send_offsets_to_transaction(offsets, group, _ANSWER_SECONDS))
            self._patiently(lambda: self._producer.commit_transaction(_ANSWER_SECONDS))
        except KafkaException as error:
            _log.warning("a transaction is taken back and tried again: %s", error)
            self._patiently(lambda: self._producer.abort_transaction(_ANSWER_SECONDS))
            return False
        return True

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key=key, partition=self._partition)
            except BufferError:
                self._producer.poll(_QUEUE_FULL_SECONDS)
            else:
                return

    def _patiently(self, step: Callable[[], _T]) -> _T:
        """Do a step; wait for a broker that is gone, let what takes the transaction back through."""
        while True:
            try:
                return step()
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                place = f"{self._place.topic}-{self._partition}"
                if reason.code() in _FENCED:
                    raise FencedError(f"{place}: another detector publishes now") from error
                if reason.txn_requires_abort():
                    raise
                if not reason.retriable():
                    raise LogError(
                        f"{self._place.topic}-{self._partition}: cannot be published for: {reason}"
                    ) from error
                _log.warning("the broker does not take a transaction's step yet: %s", reason)
                self._closed.wait(_RETRY_SECONDS)

    def close(self) -> None:
        """Let go of the broker."""
        self._closed.set()
        self._offsets.close()
