"""The topic of transactions as a replay writes it: records and position in one transaction, by one replayer at a time.

Whoever opens the transactional id of a run fences off the one before, takes back what that one had not committed,
and reads the position after that: so every record stands there exactly once for readers of committed records.
"""

from collections.abc import Sequence

import msgspec

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.kafka.transactions import Header, Transactions
from earlywarn.adapters.replay.log_ends import log_ends
from earlywarn.adapters.replay.patience import patiently
from earlywarn.adapters.replay.position import KEY, ReplayPosition, decode_position, encode_position
from earlywarn.adapters.replay.standing import Standing
from earlywarn.application.control_marks import CONTROL_HEADER, END, time_mark
from earlywarn.application.service_settings import KafkaSettings

_ANSWER_SECONDS = 4.0
_QUEUED_MESSAGES = 200_000
_BATCH_BYTES = 1 << 20


class ReplayLog:
    """Writes the transactions of a run. Its calls block.

    Args:
        kafka, topics: where.
        compressed: whether messages are. Batches are small without, and unpacking one takes a third of all that a
            worker spends on it.
        standing: told what becomes visible.
    """

    def __init__(
        self, kafka: KafkaSettings, topics: RunTopics, *, compressed: bool = True, standing: Standing | None = None
    ) -> None:
        self.topics = topics
        self.standing = standing or Standing()
        self._uncommitted = 0
        self._kafka = kafka
        self._transactions = Transactions(
            confluent_connection(kafka),
            f"{topics.prefix}{topics.run}.replay",
            place=topics.transactions,
            fenced=f"run {topics.run!r}: this replayer has lost its place to another one of the same run, and stops; "
            "what it had not committed is taken back, and the other goes on from there",
            options={
                "queue.buffering.max.messages": _QUEUED_MESSAGES,
                "batch.size": _BATCH_BYTES,
                **({} if compressed else {"compression.type": "none"}),
            },
            answer_seconds=_ANSWER_SECONDS,
            log=QUIET,
        )

    def open(self) -> ReplayPosition | None:
        """Become the replayer of the run, and return how far the one before came; None if there was none.

        Raises:
            LogError: the broker will not have it, or what stands there is no position or cannot be read.
            ConfigError: no broker answers.
        """
        self._transactions.open()
        return self.position()

    def position(self) -> ReplayPosition | None:
        """Return how far the run's replay has come, by what is committed; None if nobody has begun.

        Raises:
            LogError: what stands there is no position or cannot be read.
            ConfigError: no broker answers.
        """
        found = newest_value(self._kafka, self.topics.meta, KEY)
        return None if found is None else decode_position(found)

    def send(
        self, partition: int, value: bytes | None, *, key: bytes | None = None, headers: Sequence[Header] = ()
    ) -> None:
        """Send one record in the open transaction; begin one if none is open.

        Raises:
            LogError: another replayer has taken over, or the record cannot be sent.
            TakenBackError: the transaction can only be taken back.
        """
        self._transactions.send(self.topics.transactions, partition, value, key, headers)
        self._uncommitted += 1

    def tell_time(self, partition: int, event_ms: int) -> None:
        """Say in a partition that nothing older is still to come there; as one record of the open transaction.

        Raises:
            LogError, TakenBackError: as `send`.
        """
        self.send(partition, None, headers=[(CONTROL_HEADER, time_mark(event_ms))])

    def commit(self, position: ReplayPosition) -> None:
        """Make all that was sent visible, with the position behind it, as one step.

        Raises:
            LogError, TakenBackError: as `send`.
        """
        self._transactions.send(self.topics.meta, 0, encode_position(position), KEY)
        self._transactions.commit()
        self.standing.commit(position, self._uncommitted)
        self._uncommitted = 0

    def end(self, position: ReplayPosition) -> ReplayPosition:
        """Write the end mark to every partition that the topic has now, and the position that says so.

        Of a replay that has ended before, to those that have none: partitions were added since.
        """
        partitions = list(range(self.partition_count()))
        if position.ended:
            ends = patiently(lambda: log_ends(self._kafka, self.topics.transactions), self.topics.transactions)
            partitions = [partition for partition in partitions if not ends[partition].marked]
        if not partitions:
            return position
        for partition in partitions:
            self.send(partition, None, headers=[(CONTROL_HEADER, END)])
        ended = msgspec.structs.replace(position, ended=True)
        self.commit(ended)
        return ended

    def leave_open(self, position: ReplayPosition) -> ReplayPosition:
        """Write the position that says that all is sent, to a log that goes on and gets no end marks."""
        if not position.ended:
            position = msgspec.structs.replace(position, ended=True)
            self.commit(position)
        return position

    def withdraw(self) -> None:
        """Take back the position itself, behind which nothing was sent: the run is as if nobody had begun."""
        self._transactions.send(self.topics.meta, 0, None, KEY)
        self._transactions.commit()

    def take_back(self) -> None:
        """Take back what is sent and not committed, so that readers need not wait until it is timed out."""
        self._transactions.take_back()
        self._uncommitted = 0

    def partition_count(self) -> int:
        """Return P as it is now."""
        topic, ask = self.topics.transactions, self._transactions.producer.list_topics
        found = patiently(lambda: ask(topic, _ANSWER_SECONDS), topic)
        return len(found.topics[self.topics.transactions].partitions)
