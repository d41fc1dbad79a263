"""Reading a whole topic once, outside of any group: committed records, up to what was the end when it began."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError

_log = logging.getLogger(__name__)
_log.propagate = False  # what goes wrong is raised
_log.addHandler(logging.NullHandler())
_RECORDS_AT_ONCE = 1_000
_POLL_SECONDS = 0.05  # a batch that does not fill waits so long
_QUEUED_KIB = 16 << 10


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

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        """Connect and ask what there is.

        Raises:
            ConfigError: no broker answers, or there is no such topic.
        """
        self.topic = topic
        self._timeout_seconds = float(kafka.request_timeout_seconds)
        self._brokers = kafka.brokers
        self._consumer = Consumer(
            {
                **confluent_connection(kafka),
                "group.id": f"{topic}.scan",  # it has no members, and commits nothing
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
                "queued.max.messages.kbytes": _QUEUED_KIB,
            },
            logger=_log,
        )
        try:
            self.extents = self._ask()
        except KafkaException as error:
            self._consumer.close()
            raise self._unreachable(error.args[0]) from error
        if not self.extents:
            self._consumer.close()
            raise ConfigError(f"{topic}: does not exist; run: earlywarn topics create")

    @property
    def records(self) -> int:
        """Return how many offsets there are: at least as many as records."""
        return sum(each.high - each.low for each in self.extents.values())

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def __iter__(self) -> Iterator[ScannedRecord]:
        """Yield the records, those of a partition in their order.

        Raises:
            LogError: a partition cannot be read to its end.
            ConfigError: no broker answers any more.
        """
        left = {partition for partition, extent in self.extents.items() if extent.high > extent.low}
        try:
            self._consumer.assign([TopicPartition(self.topic, each, self.extents[each].low) for each in sorted(left)])
            heard = time.monotonic()
            while left:
                messages: list[Any] = self._consumer.consume(_RECORDS_AT_ONCE, _POLL_SECONDS)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() > heard + 2 * self._timeout_seconds:
                    raise LogError(f"{self.topic}: partitions {sorted(left)} cannot be read to their end; try again")
                for message in messages:
                    partition: int = message.partition()
                    offset: int = message.offset()
                    if message.error() is not None:
                        self._examine(message.error())
                        left.discard(partition)
                        continue
                    if offset < self.extents[partition].high:
                        headers = message.headers() or ()
                        time_ms = message.timestamp()[1]
                        yield ScannedRecord(partition, offset, message.key(), message.value(), headers, time_ms)
                    if offset + 1 >= self.extents[partition].high:
                        left.discard(partition)
        finally:
            self._consumer.close()

    def _ask(self) -> dict[int, Extent]:
        found = self._consumer.list_topics(self.topic, self._timeout_seconds).topics[self.topic]
        places = [TopicPartition(self.topic, partition) for partition in sorted(found.partitions)]
        return {
            each.partition: Extent(*self._consumer.get_watermark_offsets(each, self._timeout_seconds))
            for each in places
        }

    def _examine(self, error: KafkaError) -> None:
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its name
            raise self._unreachable(error)

    def _unreachable(self, error: KafkaError) -> ConfigError:
        return ConfigError(f"kafka.brokers = {self._brokers!r}: {self.topic} cannot be read: {error.str()}")
