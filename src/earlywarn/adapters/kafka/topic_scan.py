"""Reading a whole topic once, outside of any group: committed records, up to what was the end when it began."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from earlywarn.adapters.kafka.connection import WAY_OUT
from earlywarn.adapters.kafka.message_headers import headers_of
from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.rights import may_not_read
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError

_RECORDS_AT_ONCE = 1_000
_POLL_SECONDS = 0.05  # a batch that does not fill waits so long
_AMPLE = {"queued_max_messages_kbytes": 16 << 10}
_SPARING = {"queued_max_messages_kbytes": 2 << 10, "max_partition_fetch_bytes": 64 << 10}
_FETCH_WAIT_MS = 20  # the end is told by an empty fetch
_RETRY_SECONDS = 0.1
_LEADERLESS = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""What brokers say of a partition that was made just now, or is being moved."""


class Extent(NamedTuple):
    """What a partition holds: from `low` up to before `high`."""

    low: int
    high: int


class ScannedRecord(NamedTuple):
    """One record of a topic; `timestamp_ms` is the log's."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int


class TopicScan:
    """All of a topic. Iterate once, which closes it; else `close` it.

    Attributes:
        extents: by partition, what it held when the scan was made.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        may_be_missing: bool = False,
        tail: int | None = None,
        starts: Mapping[int, int] | None = None,
        ends: Mapping[int, int] | None = None,
        sparing: bool = False,
    ) -> None:
        """Connect and ask what there is; a topic that may be missing is empty then.

        With `tail`, only the last so many offsets of each partition are read; with `starts`, only the partitions named
        there, from these offsets on; `ends` are offsets before which partitions are taken to end.
        A `sparing` one takes little memory, also where records are compressed to a hundredth.

        Raises:
            ConfigError: there is no such topic, or this user may not read it; NoAnswerError: no broker answers.
        """
        self.topic = topic
        self._timeout_seconds = float(kafka.request_timeout_seconds)
        self._kafka = kafka
        self._tail = tail
        self._starts = starts
        self._ends = ends or {}
        self._consumer = new_reader(
            kafka, f"{topic}.scan", fetch_wait_max_ms=_FETCH_WAIT_MS, **(_SPARING if sparing else _AMPLE)
        )
        try:
            self.extents = self._ask()
        except KafkaException as error:
            self._consumer.close()
            raise self._unreachable(error.args[0]) from error
        except ConfigError:
            self._consumer.close()
            raise
        if not self.extents and not may_be_missing:
            self._consumer.close()
            raise ConfigError(f"{topic}: does not exist; run: earlywarn topics create")

    @property
    def records(self) -> int:
        """Return how many offsets there are: at least as many as records."""
        return sum(each.high - each.low for each in self.extents.values())

    def first(self, partition: int) -> int:
        """Return the offset of a partition at which the reading begins."""
        low, high = self.extents[partition]
        if self._starts is not None:
            return max(low, self._starts.get(partition, high))
        return low if self._tail is None else max(low, high - self._tail)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def __iter__(self) -> Iterator[ScannedRecord]:
        """Yield the records, those of a partition in their order.

        Raises:
            ConfigError: it may not be read; NoAnswerError: no broker answers any more.
        """
        left = {partition for partition, extent in self.extents.items() if extent.high > self.first(partition)}
        try:
            self._consumer.assign([TopicPartition(self.topic, each, self.first(each)) for each in sorted(left)])
            heard = time.monotonic()
            while left:
                messages: list[Any] = self._consumer.consume(_RECORDS_AT_ONCE, _POLL_SECONDS)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() > heard + 2 * self._timeout_seconds:
                    raise NoAnswerError(
                        f"{self.topic}: partitions {sorted(left)} cannot be read to their end; try again"
                    )
                for message in messages:
                    partition: int = message.partition()
                    offset: int = message.offset()
                    if message.error() is not None:
                        if self._is_end(message.error()):
                            left.discard(partition)
                        continue
                    if offset < self.extents[partition].high:
                        headers = headers_of(message, self._kafka)
                        time_ms = message.timestamp()[1]
                        yield ScannedRecord(partition, offset, message.key(), message.value(), headers, time_ms)
                    if offset + 1 >= self.extents[partition].high:
                        left.discard(partition)
        finally:
            self._consumer.close()

    def _ask(self) -> dict[int, Extent]:
        found = self._consumer.list_topics(self.topic, self._timeout_seconds).topics[self.topic]
        if found.error is not None and found.error.code() not in _LEADERLESS:
            raise self._unreachable(found.error)  # who may not ask after a topic is not told that there is none
        places = [TopicPartition(self.topic, partition) for partition in sorted(found.partitions)]
        return {each.partition: self._extent(each) for each in places}

    def _extent(self, place: TopicPartition) -> Extent:
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(place, self._timeout_seconds)
                return Extent(low, min(high, self._ends.get(place.partition, high)))
            except KafkaException as error:
                if error.args[0].code() not in _LEADERLESS or time.monotonic() > deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    def _is_end(self, error: KafkaError) -> bool:
        """Return whether an error says that its partition is read to the end; raise it if it is one."""
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return False  # librdkafka asks after the group it must have, which nothing here needs; it names partition 0
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its name
            raise self._unreachable(error)
        return True

    def _unreachable(self, error: KafkaError) -> ConfigError:
        place = f"kafka.brokers = {self._kafka.brokers!r}"
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return ConfigError(f"{place}: {may_not_read(self.topic)}")
        return NoAnswerError(f"{place}: {self.topic} cannot be read: {error.str()}; {WAY_OUT}")


def partition_count(kafka: KafkaSettings, topic: str) -> int:
    """Return how many partitions a topic has.

    Raises:
        ConfigError: there is no such topic, or it may not be read; NoAnswerError: no broker answers.
    """
    scan = TopicScan(kafka, topic)
    scan.close()
    return len(scan.extents)


def newest_value(kafka: KafkaSettings, topic: str, key: bytes) -> bytes | None:
    """Return the newest value of a key in a small topic; None if there is none, or not even the topic.

    Raises:
        ConfigError: no broker answers (NoAnswerError), or it refuses.
    """
    found = newest_record(kafka, topic, key)
    return None if found is None else found.value


def newest_record(kafka: KafkaSettings, topic: str, key: bytes) -> ScannedRecord | None:
    """Return the newest record of a key; else as `newest_value`."""
    found = None
    for record in TopicScan(kafka, topic, may_be_missing=True):
        found = record if record.key == key else found
    return found
