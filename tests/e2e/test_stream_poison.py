"""Records that are wrong outside of their values, or larger than they look: no worker ends, memory stays bounded."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from kafka_broker import KafkaBroker
from pyarrow import ipc
from redis_server import RedisServer
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.recount import verify_run
from earlywarn.adapters.kafka.wire import CUT_HEADER
from earlywarn.aggregation.columns import ARROW_STREAM, BATCH_LIMIT
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.domain.transaction import Transaction

SETTINGS = """
[topics]
transactions_partitions = 1
[service]
flush_seconds = 0.2
[[panels]]
id = "CH"
countries = ["CH"]
"""
START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
BATCHED = ("content-type", ARROW_STREAM)
AGGREGATOR_MIB = 300
"""What docs/operations/memory.md promises, and the rejects of one message."""


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def payment(number: int) -> Transaction:
    ts = START_MS + number * HOUR_MS
    return Transaction(id=f"t{number}", ts=ts, amount_minor=5, currency="CHF", mcc="5411", region="CH04")


def send(run: StreamRun, value: bytes, headers: Sequence[tuple[str, bytes]] = (), codec: str = "none") -> None:
    connection = confluent_connection(run.settings.kafka)
    producer = Producer({**connection, "message.max.bytes": 100_000_000, "compression.type": codec})
    producer.produce(run.topics.transactions, value, partition=0, headers=list(headers))
    assert producer.flush(30) == 0


class NoText(str):
    """A header's name that is no UTF-8 when it is sent, as clients in C and Go may send it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002  # of `str`
        return b"\xff\xfe-name"


def send_with_a_name_that_is_no_text(run: StreamRun, value: bytes, codec: str | None) -> None:
    producer = KafkaProducer(bootstrap_servers=run.settings.kafka.brokers, compression_type=codec)
    producer.send(run.topics.transactions, value, partition=0, headers=[(NoText("x"), b"1"), ("y", b"2")]).get(30)
    producer.close()


def read(worker: Worker, records: int) -> None:
    def all_read() -> bool:
        assert worker.process.poll() is None, worker.text
        return worker.metrics()["earlywarn_records_total"] >= records

    wait_until(all_read, 60, f"{records} records are read")


def test_headers_that_say_what_cannot_be(run: StreamRun) -> None:
    """Times of receipt that are none, and names that are no text: the records count, and `verify` reads them too.

    A time of receipt that is still to come makes no event time acceptable: what is sent later is not late for it.
    """
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    stated = [b"", b"noon", b"-1", b"9" * 30, b"-" + b"9" * 30, b"\xff\x00"]
    for number, text in enumerate(stated):
        send(run, arrow_batch.encode([payment(number)]), [BATCHED, (RECEIVED_HEADER, text)])
        send(run, as_json(payment(number)), [(RECEIVED_HEADER, text)])
    ahead = 4_000_000_000_000
    wrong = msgspec.structs.replace(payment(0), ts=ahead)
    send(run, as_json(wrong), [(RECEIVED_HEADER, str(ahead).encode())])
    for codec in (None, "gzip"):
        send_with_a_name_that_is_no_text(run, as_json(payment(len(stated))), codec)
    run.produce([[as_json(payment(number)) for number in range(len(stated), 60)]])
    read(workers[0], 2 * len(stated) + 3 + 60 - len(stated))

    def hours() -> int:
        return sum(b'"hour"' in value for value in run.published().aggregates.values())

    wait_until(lambda: hours() > 0, 30, "hours are published")
    [letter] = run.read(run.topics.dead_letters)
    assert (dict(letter.headers())["reason"], letter.value()) == (b"time_in_future", as_json(wrong))
    wait_until(lambda: verify_run(run.run).equal, 60, "all is published, and equal")


def test_records_that_compression_has_made_small_enough(run: StreamRun) -> None:
    """Of what is larger than a dead letter may be the beginning is kept, and its size told; of too many rows all."""
    worker = run.start_ready("aggregator")
    size = 20_000_000
    send(run, b"{" + b" " * (size - 1), codec="zstd")
    send(run, b"{" + b" " * (size - 1), [BATCHED], codec="gzip")
    send(run, many := long_rows(BATCH_LIMIT + 1), [BATCHED], codec="zstd")
    run.produce([[as_json(payment(1))]])
    read(worker, 4)

    def letters() -> list[tuple[bytes, bytes | None, bytes]]:
        return [
            (named["reason"], named.get(CUT_HEADER), message.value())
            for message in run.read(run.topics.dead_letters)
            for named in (dict(message.headers()),)
        ]

    wait_until(lambda: len(letters()) == 3, 30, "all are kept")
    large, gzipped, rows = letters()
    assert [(*each[:2], each[2][:2]) for each in (large, gzipped)] == [
        (b"too_large", str(size).encode(), b"{ "), (b"too_large", str(size).encode(), b"{ "),
    ]  # fmt: skip
    assert rows == (b"not_arrow", None, many)
    assert worker.ready()


def as_json(transaction: Transaction) -> bytes:
    [record] = arrow_batch.decode(arrow_batch.encode([transaction])).records([0])  # type: ignore[union-attr]  # no reject
    return record


def long_rows(rows: int) -> bytes:
    """Return a message of rows that are all rejected, a few bytes each: their texts stand once in dictionaries."""
    long = pa.array(["\x01" * 300])
    codes = pa.array([0] * rows, pa.int8())
    names = ("id", "currency", "region", "mcc", "country", "channel", "sector", "source", "merchant", "card")
    columns = dict.fromkeys(names, pa.DictionaryArray.from_arrays(codes, long))
    columns |= dict.fromkeys(("ts", "amount_minor"), pa.array([START_MS] * rows, pa.int64()))
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table.to_batches()[0])
    return bytes(sink.getvalue().to_pybytes())


def test_amounts_that_no_sum_holds(run: StreamRun) -> None:
    """As JSON and as a batch: placeholders are dead letters, sums of what is left are capped, and all go on."""
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    large = msgspec.structs.replace(payment(0), amount_minor=10**15, count=100)
    placeholder = msgspec.structs.replace(payment(0), amount_minor=999_999_999_999_999)
    send(run, arrow_batch.encode([large] * 20_000 + [placeholder] * 3), [BATCHED])
    nested = as_json(payment(1))[:-1] + b',"x":' + b"[" * 980 + b"]" * 980 + b"}"
    run.produce([[*[as_json(large)] * 50, as_json(placeholder), nested]])
    run.produce([[as_json(payment(number)) for number in range(1, 60)]])
    read(workers[0], 1 + 52 + 59)
    wait_until(lambda: workers[1].metrics().get('earlywarn_panel_capped_sums{panel="CH"}', 0) > 0, 60, "it is told")
    reasons = Counter(dict(message.headers())["reason"] for message in run.read(run.topics.dead_letters))
    assert reasons == {b"amount_out_of_range": 4, b"not_json": 1}
    wait_until(lambda: verify_run(run.run).equal, 60, "all is published, and equal")
    assert verify_run(run.run).capped > 0
    assert "published as the cap" in workers[1].text
    workers[1].kill()
    again = run.start_ready("detector")
    run.produce([[as_json(payment(number)) for number in range(60, 90)]])
    wait_until(lambda: verify_run(run.run).equal and again.ready(), 60, "its successor goes on")


def test_dead_letters_far_larger_than_their_rows(run: StreamRun) -> None:
    """They are sent as they are acknowledged, and the worker stays in the memory that it may take."""
    rows = 20_000
    worker = run.start_ready("aggregator")
    message = long_rows(rows)
    assert len(message) < 600_000
    send(run, message, [BATCHED])
    run.produce([[as_json(payment(1))]])
    read(worker, 2)
    wait_until(lambda: worker.metrics()["earlywarn_unacknowledged_bytes"] == 0, 60, "all letters are sent")
    indexes = sorted(int(dict(each.headers())["index"]) for each in run.read(run.topics.dead_letters))
    assert indexes == list(range(rows))
    assert worker.memory_mib() < AGGREGATOR_MIB
