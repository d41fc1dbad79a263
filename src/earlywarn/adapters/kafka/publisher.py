"""What a detector publishes, each message once: in transactions that also move the offset published up to.

One transactional id belongs to each partition q of a run. Whoever opens it last is the publisher; an earlier one,
stopped and come back, is fenced off by the broker. Readers with `isolation_level=read_committed` see each message
once; to others a repeat has the same key and the same bytes.
"""

import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from earlywarn.adapters.kafka.transactions import TakenBackError, Transactions
from earlywarn.adapters.kafka.wire import Message

_log = logging.getLogger(__name__)
_ANSWER_SECONDS = 10.0


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
        self._offsets = Consumer({**connection, "group.id": group}, logger=_log)
        self._transactions = Transactions(
            connection,
            f"{group}.{partition}",
            place=f"{source}-{partition}",
            fenced=f"{source}-{partition}: another detector publishes now",
        )

    def open(self) -> int:
        """Become the publisher, and return the offset of the partials up to which all is published.

        Raises:
            LogError: the broker will not have it.
        """
        self._transactions.open()
        found = self._transactions.patiently(lambda: self._offsets.committed([self._place], timeout=_ANSWER_SECONDS))
        return max(int(found[0].offset), 0)

    def publish(self, messages: Sequence[tuple[str, Message]], position: int) -> None:
        """Publish messages (topic, key and value) and say that all before `position` is published, as one step.

        Raises:
            FencedError: another publisher has taken over.
            LogError: the broker refuses a message.
        """
        offsets = [TopicPartition(self._place.topic, self._place.partition, position)]
        while True:
            try:
                for topic, (key, value) in messages:
                    self._transactions.send(topic, self._place.partition, value, key)
                self._transactions.commit(offsets, self._offsets.consumer_group_metadata())
            except TakenBackError as error:
                _log.warning("%s; it is tried again", error)
                self._transactions.take_back()
                self._transactions.wait()
            else:
                return

    def close(self) -> None:
        """Let go of the broker."""
        self._transactions.close()
        self._offsets.close()
