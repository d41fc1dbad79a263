"""Records as columns, read off a real broker: every codec, transactions of all ends, headers, times, seeks, extents."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from aiokafka import TopicPartition
from kafka_broker import KafkaBroker
from plain_topics import make_topic, producer, sent
from stream_run import wait_until

from earlywarn.adapters.kafka.column_consumer import ColumnConsumer, Extent
from earlywarn.adapters.kafka.connection import aiokafka_connection
from earlywarn.adapters.kafka.record_batch import RecordBatch, sliced
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.control_marks import CONTROL_HEADER
from earlywarn.application.service_settings import KafkaSettings

_T = TypeVar("_T")
NOW_MS = 1_551_702_896_000


@pytest.fixture
def settings(kafka: KafkaBroker) -> KafkaSettings:
    return KafkaSettings(brokers=kafka.address)


def asked(kafka: KafkaSettings, topic: str, question: Callable[[ColumnConsumer, TopicPartition], Awaitable[_T]]) -> _T:
    """Return what a consumer answers that has the topic's one partition."""

    async def ask() -> _T:
        consumer = ColumnConsumer(
            **aiokafka_connection(kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=None,
        )
        await consumer.start()
        try:
            place = TopicPartition(topic, 0)
            consumer.assign([place])
            return await question(consumer, place)
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(ask(), 60))


async def read_to(consumer: ColumnConsumer, place: TopicPartition, start: int, end: int) -> list[RecordBatch]:
    """Return what stands between two positions, and see that batches leave nothing out and tell nothing twice."""
    consumer.seek(place, start)
    found: list[RecordBatch] = []
    position = start
    while position < end:
        for batch in (await consumer.getmany(place, timeout_ms=500)).get(place, []):
            assert (batch.topic, batch.partition) == (place.topic, place.partition)
            assert batch.start == position < batch.next
            assert all(batch.start <= offset < batch.next for offset in batch.offsets)
            assert len(batch.values) == len(batch.offsets) == len(batch)
            found.append(batch)
            position = batch.next
    assert position == end
    return found


def read(kafka: KafkaSettings, topic: str, start: int, end: int) -> list[RecordBatch]:
    return asked(kafka, topic, lambda consumer, place: read_to(consumer, place, start, end))


def wait_for_mark(kafka: KafkaSettings, topic: str, end: int) -> None:
    """Wait until the log ends there: a broker acknowledges a transaction's end before it has written its mark."""

    async def extent(consumer: ColumnConsumer, place: TopicPartition) -> Extent:
        return (await consumer.extents([place]))[place]

    wait_until(lambda: asked(kafka, topic, extent).end >= end, 30, f"the log ends at {end}")


def values(batches: Sequence[RecordBatch]) -> list[bytes | None]:
    return [value for batch in batches for value in batch.values]


def offsets(batches: Sequence[RecordBatch]) -> list[int]:
    return [offset for batch in batches for offset in batch.offsets]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_gives_the_records_that_were_sent(settings: KafkaSettings, codec: str) -> None:
    """Values, absent ones too; headers that are known, absent, empty and repeated; the senders' times, one a record."""
    topic = make_topic(settings)
    sender = producer(settings, compression_type=codec, linger_ms=500)
    headers: list[list[tuple[str, bytes | None]]] = [
        [] if at % 3 else [(RECEIVED_HEADER, b"0"), ("unknown", b"x" * at), (CONTROL_HEADER, None)]
        + [(RECEIVED_HEADER, b"%d" % at)] * (at % 2)
        for at in range(300)
    ]  # fmt: skip
    expected = [None if at % 7 == 5 else b"%d " % at + b"x" * at for at in range(300)]
    for at, value in enumerate(expected):
        sender.produce(topic, value, b"key", 0, timestamp=NOW_MS + at, headers=list(headers[at]))
    sent(sender)
    found = read(settings, topic, 0, 300)
    assert values(found) == expected
    assert offsets(found) == list(range(300))
    assert len(found) < 300, "records of a batch come together"
    times = [time for batch in found for time in batch.timestamps_ms]  # type: ignore[union-attr]  # one a record
    assert times == [NOW_MS + at for at in range(300)]
    known = [{name: text for name, text in each if name != "unknown"} for each in headers]
    assert [dict(each) for batch in found for each in batch.headers or [()] * len(batch)] == known
    assert all(len(each) <= 2 for batch in found for each in batch.headers or ())


def test_batches_without_any_header_have_none_and_the_brokers_time_is_one_for_all(settings: KafkaSettings) -> None:
    topic = make_topic(settings, message_timestamp_type="LogAppendTime")
    sender = producer(settings, linger_ms=500)
    for at in range(50):
        sender.produce(topic, b"%d" % at, partition=0, timestamp=NOW_MS)
    sent(sender)
    for batch in read(settings, topic, 0, 50):
        assert batch.headers is None
        assert isinstance(batch.timestamps_ms, int)
        assert batch.timestamps_ms > NOW_MS


def test_a_record_larger_than_a_fetch(settings: KafkaSettings) -> None:
    topic = make_topic(settings, max_message_bytes=str(4 << 20))
    sender = producer(settings, message_max_bytes=4 << 20)
    sender.produce(topic, b"y" * (3 << 20), partition=0)
    sender.produce(topic, b"small", partition=0)
    sent(sender)
    assert list(map(len, filter(None, values(read(settings, topic, 0, 2))))) == [3 << 20, 5]


def test_what_transactions_took_back_is_left_out_and_their_marks_have_places(settings: KafkaSettings) -> None:
    """Two of them and a plain sender write turn about; one is taken back, its records lie among the others'."""
    topic = make_topic(settings)
    keeping, aborting = producer(settings, f"{topic}-a"), producer(settings, f"{topic}-b")
    plain = producer(settings)
    for turn in range(3):
        for sender, name in ((keeping, b"kept"), (aborting, b"taken back"), (plain, b"plain")):
            sender.produce(topic, b"%s %d" % (name, turn), partition=0)
            sent(sender)
    aborting.abort_transaction(30)  # mark at 9
    wait_for_mark(settings, topic, 10)
    keeping.commit_transaction(30)  # mark at 10
    wait_for_mark(settings, topic, 11)
    aborting.begin_transaction()
    aborting.produce(topic, b"at last", partition=0)
    aborting.commit_transaction(30)  # mark at 12
    aborting.begin_transaction()
    aborting.produce(topic, b"taken back", partition=0)
    sent(aborting)
    aborting.abort_transaction(30)  # mark at 14
    found = read(settings, topic, 0, 15)
    turns = [b"%s %d" % (name, turn) for turn in range(3) for name in (b"kept", b"plain")]
    assert values(found) == [*turns, b"at last"]
    assert offsets(found) == [0, 2, 3, 5, 6, 8, 11]
    assert (found[-1].next, len(found[-1].offsets)) == (15, 0), "what ends a log is told though it holds nothing"


def test_an_open_transaction_ends_reading_and_not_the_log(settings: KafkaSettings) -> None:
    topic = make_topic(settings)
    plain, open_one = producer(settings), producer(settings, f"{topic}-a")
    plain.produce(topic, b"before", partition=0)
    sent(plain)
    open_one.produce(topic, b"in it", partition=0)
    sent(open_one)
    plain.produce(topic, b"behind", partition=0)
    sent(plain)

    async def ends(consumer: ColumnConsumer, place: TopicPartition) -> tuple[dict[TopicPartition, int], Extent]:
        stable = await consumer.end_offsets([place])
        [extent] = (await consumer.extents([place])).values()
        return stable, extent

    stable, extent = asked(settings, topic, ends)
    assert (list(stable.values()), extent) == ([1], Extent(0, 3))
    open_one.commit_transaction(30)
    wait_for_mark(settings, topic, 4)
    stable, extent = asked(settings, topic, ends)
    assert (list(stable.values()), extent) == ([4], Extent(0, 4))
    assert values(read(settings, topic, 0, 4)) == [b"before", b"in it", b"behind"]


@pytest.mark.parametrize("start", [0, 1, 17, 39, 40])
def test_reading_begins_in_the_middle_of_a_batch(settings: KafkaSettings, start: int) -> None:
    """And goes back: a seek gives the same records again."""
    topic = make_topic(settings)
    sender = producer(settings, linger_ms=500, compression_type="lz4")
    for at in range(40):
        sender.produce(topic, b"%d" % at, partition=0, headers=[(RECEIVED_HEADER, b"%d" % at)] if at % 2 else None)
    sent(sender)

    async def twice(consumer: ColumnConsumer, place: TopicPartition) -> list[list[RecordBatch]]:
        return [await read_to(consumer, place, start, 40), await read_to(consumer, place, 0, 40)]

    some, whole = asked(settings, topic, twice)
    assert values(some) == [b"%d" % at for at in range(start, 40)]
    assert values(whole) == [b"%d" % at for at in range(40)]
    # On a busy machine the producer may make two batches of them.
    batch = next((each for each in whole if start < each.next), whole[-1])
    part, place = sliced(batch, start), start - batch.start
    assert (part.start, part.next, part.offsets) == (start, batch.next, list(range(start, batch.next)))
    assert part.values == batch.values[place:]
    assert part.headers == (batch.headers or [])[place:]
