"""What compression hides takes no memory: a backlog that unpacks to thirty times its size, and bombs of every kind."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_broker import KafkaBroker
from raw_batches import append, batch, header, huge_value, packed, record
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters.kafka.wire import CUT_HEADER, decode_partial

PARTITIONS = 32
SETTINGS = """
[topics]
transactions_partitions = {partitions}
[[panels]]
id = "CH"
countries = ["CH"]
"""
BACKLOG_MIB, BOMBS_MIB = 240, 288
"""What docs/operations/memory.md promises."""
MIB = 1 << 20
VALUE = (
    b'{"id":"%08d","ts":1551702896000,"amount_minor":1234,"currency":"CHF","mcc":"5411","region":"CH040",'
    b'"channel":"pos","card":"0123456789abcdef0123456789abcdef","merchant_id":"0123456789abcdef"}'
)
BATCHES, RECORDS, MANY = 6, 4_000, 60_000
HUGE = {"zstd": 1_900 * MIB, "gzip": 400 * MIB, "lz4": 500 * MIB, "snappy": 16 * MIB}
"""Bytes of values that a batch of less than 4 MiB can hold."""
TINY = 100_000


def payments(records: int) -> bytes:
    """Return a batch of payments that is compressed to some hundredth of what it holds."""
    return batch(records, packed((record(at, VALUE % at) for at in range(records)), "zstd"), "zstd")


def many_headers(codec: str) -> bytes:
    """Return a batch of one payment with eight million headers that nobody knows."""
    number = 8 * MIB
    return batch(1, packed([record(0, VALUE % 0, header(b"", None) * number, number)], codec), codec)


def hostile() -> list[bytes]:
    """Return batches each of which would take more memory, or more objects, than a worker may have."""
    number = 30_000
    repeated = b"".join(header(b"received_at", b"%013d" % at) for at in range(number))
    nothing = b"".join(record(at, None) for at in range(TINY))
    return [
        *(huge_value(size, codec) for codec, size in HUGE.items()),
        *map(many_headers, ("gzip", "lz4", "zstd")),
        batch(1, packed([record(0, VALUE % 0, repeated, number)], "zstd"), "zstd"),
        batch(1, packed([record(0, VALUE % 0, key=bytes(256 * MIB))], "zstd"), "zstd"),
        batch(TINY, packed([nothing], "zstd"), "zstd"),
    ]


def fold_all(run: StreamRun, records: int) -> Worker:
    worker = run.start_ready("aggregator")

    def all_read() -> bool:
        assert worker.process.poll() is None, worker.text
        return worker.metrics()["earlywarn_records_total"] >= records

    wait_until(all_read, 120, f"{records} records are read")
    wait_until(lambda: worker.metrics()["earlywarn_unacknowledged_bytes"] == 0, 60, "all is sent")
    return worker


def counted(run: StreamRun) -> int:
    """Return the transactions in all partials: the newest rows of every block."""
    rows = {}
    for message in run.read(run.topics.partials):
        partial = decode_partial(message.value(), "a partial")
        for row in partial.rows:
            rows[partial.partition, partial.block, row.region, row.sector, row.bucket, row.late] = row.transactions
    return sum(rows.values())


@pytest.fixture
def run(kafka: KafkaBroker, tmp_path: Path) -> Iterator[StreamRun]:
    settings = SETTINGS.format(partitions=PARTITIONS)
    with StreamRun(kafka.address, "redis://127.0.0.1:1", tmp_path, settings, name=f"run-{tmp_path.name}") as found:
        yield found


def test_a_backlog_that_compression_has_made_small(run: StreamRun) -> None:
    """Every partition unpacks to some 20 MiB, and all of it is counted."""
    small, large = payments(RECORDS), payments(MANY)
    assert len(large) * 30 < MANY * len(VALUE)
    append(run.settings.kafka.brokers, run.topics.transactions, [
        (partition, raw) for raw in [small] * BATCHES + [large] for partition in range(PARTITIONS)
    ])  # fmt: skip
    records = PARTITIONS * (BATCHES * RECORDS + MANY)
    worker = fold_all(run, records)
    wait_until(lambda: counted(run) == records, 30, "all of it is counted")
    assert worker.memory_mib() < BACKLOG_MIB


def test_bombs(run: StreamRun) -> None:
    """What is in them is accepted, or kept with its reason, and what lies behind them counts; memory stays bounded."""
    bombs = hostile()
    assert max(map(len, bombs)) < run.settings.topics.message_bytes
    behind = payments(RECORDS)
    append(run.settings.kafka.brokers, run.topics.transactions, [
        *((partition, raw) for partition, raw in enumerate(bombs)),
        *((partition, behind) for partition in range(PARTITIONS)),
    ])  # fmt: skip
    accepted = PARTITIONS * RECORDS + 5
    worker = fold_all(run, accepted + len(HUGE) + TINY)
    letters = [dict(message.headers()) for message in run.read(run.topics.dead_letters)]
    assert Counter(letter["reason"] for letter in letters) == {b"too_large": len(HUGE), b"null_value": TINY}
    assert {int(letter.get(CUT_HEADER, b"0")) for letter in letters} == {0, *HUGE.values()}
    wait_until(lambda: counted(run) == accepted, 30, "all else is counted")
    assert worker.memory_mib() < BOMBS_MIB
