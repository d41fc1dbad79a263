"""How soon an aggregate is visible, and how soon a killed worker's share goes on: real services, 1,000 events a second.

A bucket closes when every partition has passed its end by the lateness. Its delay is the time from the append of the
event that was the last to pass, to the moment a reader of committed records has the bucket's rows. Event time runs
7,200 times as fast as the clock, so that two hours close each second.

    python tests/bench/stream/delay.py [--seconds 40]
"""

import argparse
import statistics
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import msgspec
from brokers import own_broker, own_redis
from confluent_kafka import Consumer, Producer, TopicPartition
from stream_run import StreamRun, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.wire import decode_partial

PARTITIONS = 8
RATE = 1_000
STEP_MS = 7_200
START_MS = 1_551_700_800_000
HOUR_MS = 3_600_000
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
[[panels]]
id = "CH"
countries = ["CH"]
"""


class Sender(threading.Thread):
    """Sends at a constant rate, and notes when each partition was the first to pass each hour."""

    def __init__(self, run: StreamRun, seconds: float) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({**confluent_connection(run.settings.kafka), "linger.ms": 5})
        self._topic = run.topics.transactions
        self._seconds = seconds
        self._lateness_ms = run.settings.fold.lateness_seconds * 1000
        self._passed: dict[int, dict[int, float]] = {}
        self.sent = 0

    def run(self) -> None:
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < self._seconds:
            while self.sent < elapsed * RATE:
                self._send(self.sent)
                self.sent += 1
            self._producer.poll(0)
            time.sleep(0.002)
        self._producer.flush()

    def _send(self, number: int) -> None:
        event_ms, partition = START_MS + number * STEP_MS, number % PARTITIONS
        value = (
            b'{"id":"t%d","ts":%d,"amount_minor":%d,"currency":"CHF","mcc":"5411","region":"CH0%d","country":"CH"}'
            % (number, event_ms, 100 + number % 900, 1 + number % 7)
        )
        self._producer.produce(self._topic, value, partition=partition)
        hour = (event_ms - self._lateness_ms) // HOUR_MS
        self._passed.setdefault(hour, {}).setdefault(partition, time.time())

    def closed_at(self, hour: int) -> float | None:
        """Return when the last partition passed the end of an hour."""
        passed = self._passed.get(hour + 1, {})
        return max(passed.values()) if len(passed) == PARTITIONS else None


def visible(run: StreamRun, until: float) -> dict[int, float]:
    """Return when the first row of each hour was read, by the hour's number."""
    consumer = Consumer(
        {
            **confluent_connection(run.settings.kafka),
            "group.id": "delay",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(run.topics.aggregates, 0, 0)])
    seen: dict[int, float] = {}
    while time.time() < until:
        for message in consumer.consume(500, 0.05):
            row = msgspec.json.decode(message.value())
            if row["bucket"] == "hour":
                start = time.mktime(time.strptime(row["start"][:13], "%Y-%m-%dT%H"))
                offset_hours = int(row["start"][19:22])
                seen.setdefault(round((start - time.timezone) / 3600) - offset_hours, time.time())
    consumer.close()
    return seen


def behind(run: StreamRun) -> int:
    """Return how many transactions no partial speaks of yet."""
    last = dict.fromkeys(range(PARTITIONS), -1)
    for message in run.read(run.topics.partials):
        partial = decode_partial(message.value(), "partials")
        last[partial.partition] = max(last[partial.partition], partial.last)
    consumer = Consumer({**confluent_connection(run.settings.kafka), "group.id": "lag"})
    ends = [
        consumer.get_watermark_offsets(TopicPartition(run.topics.transactions, partition), timeout=10)[1]
        for partition in range(PARTITIONS)
    ]
    consumer.close()
    return sum(end - 1 - last[partition] for partition, end in enumerate(ends))


def measure_delay(run: StreamRun, seconds: float) -> None:
    """Print the delay's median and 99th percentile."""
    sender = Sender(run, seconds)
    sender.start()
    seen = visible(run, time.time() + seconds + 8)
    delays = sorted(at - closed for hour, at in seen.items() if (closed := sender.closed_at(hour)) is not None)
    p99 = delays[int(0.99 * (len(delays) - 1))]
    print(f"send to visible aggregate at {RATE} events/s: median {statistics.median(delays):.2f} s (goal 1.5), "
          f"p99 {p99:.2f} s (goal 3), n = {len(delays)} buckets")  # fmt: skip


def measure_recovery(run: StreamRun, seconds: float) -> None:
    """Print the time from SIGKILL of one of two aggregators to less than two seconds' events behind."""
    other = run.start_ready("aggregator")
    sender = Sender(run, seconds)
    sender.start()
    wait_until(lambda: sender.sent > 5 * RATE, 20, "events flow")
    other.kill()
    killed = time.perf_counter()
    wait_until(lambda: behind(run) > 2 * RATE, 20, "the dead one's partitions fall behind")
    wait_until(lambda: behind(run) < 2 * RATE, 60, "all partitions go on")
    print(f"SIGKILL of a worker to full progress: {time.perf_counter() - killed:.1f} s (goal 15)")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40.0)
    seconds = parser.parse_args().seconds
    with (
        TemporaryDirectory() as folder,
        own_broker(Path(folder)) as brokers,
        own_redis(Path(folder)) as redis_url,
        StreamRun(brokers, redis_url, Path(folder), SETTINGS, name=f"delay-{uuid4().hex[:8]}") as run,
    ):
        run.start_ready("aggregator")
        run.start_ready("detector")
        measure_delay(run, seconds)
        measure_recovery(run, seconds)


if __name__ == "__main__":
    main()
