"""Batched records through a real aggregator: the same transactions as JSON and as Arrow messages, one worker, in turns.

The backlog is written in one Kafka transaction (JSON in LZ4, Arrow as it is: as the replayer writes), so that the
worker, ready and waiting, sees all of it at one moment; time runs from there to the partial that makes it complete.
Arrow messages are repeated with later times, so that both take a while.

    python tests/bench/stream/batched.py [--events 800000] [--repeat 6] [--rows 50000] [--rounds 3]
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import msgspec
import pyarrow as pa
from brokers import own_broker
from confluent_kafka import Producer
from earlywarn_side import PartialsRead
from job import DAY_MS, Workload, transactions
from large_panel import cpu_seconds
from pyarrow import compute
from stream_run import StreamRun, wait_until

from earlywarn.adapters.arrow_batch import encode_table
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER

PARTITIONS = 8
GOAL = 20
SETTINGS = """
[topics]
transactions_partitions = {partitions}
replay = true
[fold]
block_size = {block}
[[panels]]
id = "CH"
countries = ["CH"]
currency = "CHF"
time_zone = "Europe/Zurich"
"""
Headers = list[tuple[str, str | bytes | None]]
Message = tuple[int, bytes, Headers]


def json_messages(events: int) -> list[Message]:
    """Return one message a transaction."""
    return [(partition, value, []) for partition, value, _, _ in transactions(Workload(events))]


def arrow_messages(plain: list[Message], rows: int, repeat: int) -> list[Message]:
    """Return the same transactions in messages of `rows`, `repeat` times, each time three days later."""
    found: list[Message] = []
    headers: Headers = [(CONTENT_TYPE_HEADER, ARROW_STREAM)]
    tables = []
    for partition in range(PARTITIONS):
        records = [msgspec.json.decode(value) for at, value, _ in plain if at == partition]
        tables.append(pa.table({name: [record[name] for record in records] for name in records[0]}))
    for again in range(repeat):
        for partition, table in enumerate(tables):
            place = table.schema.get_field_index("ts")
            later = table.set_column(place, "ts", compute.add(table["ts"], again * 3 * DAY_MS))
            starts = range(0, later.num_rows, rows)
            found += [(partition, encode_table(later.slice(start, rows)), headers) for start in starts]
    return found


def measure(brokers: str, folder: Path, messages: list[Message], block: int) -> tuple[float, float]:
    """Return seconds of time and of the worker's CPU."""
    name = f"batched-{uuid4().hex[:8]}"
    text = SETTINGS.format(partitions=PARTITIONS, block=block)
    with StreamRun(brokers, "redis://127.0.0.1:1", folder / name, text, name=name) as run:
        worker = run.start_ready("aggregator")
        wait_until(lambda: f"assigned {PARTITIONS} of {PARTITIONS}" in worker.text, 60, "an assignment")
        visible = Visible(worker.process.pid)
        compression = "none" if messages[0][2] else "lz4"
        send(brokers, run.topics.transactions, messages, compression=compression, before_commit=visible)
        seen = PartialsRead(brokers, run.topics.partials)
        while seen() < len(messages):
            if time.monotonic() > visible.at_seconds + 600:
                raise SystemExit(f"not folded in 600 s; {worker.log}")
        return time.monotonic() - visible.at_seconds, cpu_seconds(worker) - visible.cpu_seconds


class Visible:
    """The moment at which the backlog becomes visible."""

    def __init__(self, pid: int) -> None:
        self.pid, self.at_seconds, self.cpu_seconds = pid, 0.0, 0.0

    def __call__(self) -> None:
        """Note it."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
        self.at_seconds = time.monotonic()
        self.cpu_seconds = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def send(
    brokers: str, topic: str, messages: list[Message], *, compression: str, before_commit: Callable[[], None]
) -> None:
    """Write messages in one transaction."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "transactional.id": topic,
            "transaction.timeout.ms": 600_000,
            "compression.type": compression,
            "linger.ms": 50,
            "message.max.bytes": 4 << 20,
            "queue.buffering.max.messages": 200_000,
        }
    )
    producer.init_transactions()
    producer.begin_transaction()
    for partition, value, headers in messages:
        while True:
            try:
                producer.produce(topic, value, partition=partition, headers=headers)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    producer.flush()
    before_commit()
    producer.commit_transaction()


def main() -> int:
    """Measure both in turns, and print; 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=800_000)
    parser.add_argument("--repeat", type=int, default=6)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    plain = json_messages(options.events)
    arrow = arrow_messages(plain, options.rows, options.repeat)
    size = sum(len(value) for _, value, _ in arrow) / options.events / options.repeat
    ratios = []
    with TemporaryDirectory() as folder, own_broker(Path(folder)) as brokers:
        for _ in range(options.rounds):
            took, cpu = measure(brokers, Path(folder), plain, 2_000)
            batched_took, batched_cpu = measure(brokers, Path(folder), arrow, 2)
            rate, cost = options.events / took, cpu / options.events
            batched_rate = options.events * options.repeat / batched_took
            batched_cost = batched_cpu / options.events / options.repeat
            ratios.append((batched_rate / rate, cost / batched_cost))
            print(
                f"JSON {rate:,.0f} events/s, {cost * 1e6:.2f} us CPU; Arrow {batched_rate:,.0f} events/s, "
                f"{batched_cost * 1e6:.3f} us CPU: {ratios[-1][0]:.1f} times the events, {ratios[-1][1]:.1f} times "
                "less CPU",
                file=sys.stderr,
                flush=True,
            )
    speed, cost = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(
        f"{os.cpu_count()} cores, messages of {options.rows:,} rows, {size:.0f} bytes a row, median of "
        f"{options.rounds}: {speed:.1f} times the events/s of JSON, {cost:.1f} times less CPU (goal {GOAL})"
    )
    return 0 if speed >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
