"""Reading one partition of a topic by its offsets, outside of any group: committed records only."""

from collections.abc import AsyncGenerator, Callable

from aiokafka import TopicPartition

from earlywarn.adapters.kafka.column_consumer import ColumnConsumer
from earlywarn.adapters.kafka.connection import aiokafka_connection
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

_POLL_MS = 500


async def read_partition(
    kafka: KafkaSettings,
    topic: str,
    partition: int,
    position: int,
    *,
    to_end: bool = False,
    lost: Callable[[int], None] = lambda _: None,
) -> AsyncGenerator[list[RecordBatch], None]:
    """Yield batches from `position` on; an empty list says that nothing new came for half a second.

    With `to_end` it ends at what is the end when it begins; else it goes on until it is closed. `lost` is told where
    the partition begins, if that is after `position`.

    Raises:
        LogError: the topic is shorter than `position`.
    """
    place = TopicPartition(topic, partition)
    consumer = ColumnConsumer(
        **aiokafka_connection(kafka),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=kafka.fetch_bytes,
        max_poll_records=None,
        fetch_max_wait_ms=_POLL_MS // 2,
    )
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, position)
        if (begin := (await consumer.beginning_offsets([place]))[place]) > position:
            lost(begin)
            position = begin  # all of it may be gone: then nothing would ever lead there
            consumer.seek(place, position)
        end = (await consumer.end_offsets([place]))[place]
        if position > end:
            raise LogError(
                f"{topic}-{partition} ends at {end}, and was read up to {position}: it was deleted and made anew. "
                "If what was made of it is Redis, run: earlywarn rebuild-redis"
            )
        while not to_end or position < end:
            found = await consumer.getmany(place, timeout_ms=_POLL_MS)
            batches: list[RecordBatch] = found.get(place, [])
            position = batches[-1].next if batches else position
            yield batches
    finally:
        await consumer.stop()
