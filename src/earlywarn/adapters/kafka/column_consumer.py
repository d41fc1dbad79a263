"""aiokafka's consumer: it gives `RecordBatch`es, says where a log really ends, and is patient with absent brokers."""

import asyncio
import time
from collections.abc import Iterable
from copy import copy
from typing import Any, NamedTuple

import aiokafka
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.structs import TopicPartition

from earlywarn.adapters.kafka.column_fetcher import FETCHED_BYTES, ColumnFetcher

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


class Extent(NamedTuple):
    """The offsets between which a partition's log lies now: `end` is where the next record will be appended."""

    start: int
    end: int


class PatientClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's client, with pauses between attempts to reach a node. Its own loops try some 80 times a second."""

    pauses: "dict[Any, _Pause]"

    async def _get_conn(self, node_id: Any, **options: Any) -> Any:
        pause = self.pauses.get(node_id)
        if pause is not None:
            await asyncio.sleep(pause.until - time.monotonic())
        connection = await super()._get_conn(node_id, **options)
        if connection is not None:
            self.pauses.pop(node_id, None)
        elif pause is self.pauses.get(node_id):  # of several who waited the first sets the next pause
            self.pauses[node_id] = _Pause.after(pause)
        return connection


class _Pause(NamedTuple):
    """How long a node is left alone, and until when."""

    seconds: float
    until: float

    @classmethod
    def after(cls, last: "_Pause | None") -> "_Pause":
        seconds = _FIRST_PAUSE_SECONDS if last is None else min(2 * last.seconds, _LONGEST_PAUSE_SECONDS)
        return cls(seconds, time.monotonic() + seconds)


class ColumnConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # likewise
    """See the module."""

    def __init__(self, *topics: str, **options: Any) -> None:
        most_bytes = max(FETCHED_BYTES, options.get("max_partition_fetch_bytes", 0))
        super().__init__(*topics, fetch_max_bytes=most_bytes, **options)
        self._client.__class__ = PatientClient
        self._client.pauses = {}

    async def start(self) -> None:
        """Connect; nothing is assigned yet, so nothing was fetched as single records."""
        await super().start()
        self._fetcher.__class__ = ColumnFetcher

    async def extents(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Extent]:
        """Return where the logs of partitions begin and end now.

        The end counts what open transactions hold: `end_offsets` stops before it, as reading does.

        Raises:
            KafkaError: no answer, or none within the time of a request.
        """
        places = list(partitions)
        begins = await self.beginning_offsets(places)
        whole = copy(self._fetcher)
        whole._isolation_level = READ_UNCOMMITTED
        ends = await whole.end_offsets(places, self._request_timeout_ms)
        return {place: Extent(begins[place], ends[place]) for place in places}
