"""The job in bytewax 0.21, in three ways, and its windows for the loss test.

windows: as its guide does it: shipped Kafka source, a map, a key, `fold_window` over an event clock.
tuned: the shipped source; each batch is summed up before anything is keyed (`flat_map_batch`), so that the engine
    moves one item per batch and cell and not one per event; `reduce_final`, since the input ends.
own source: tuned, with a source written for it, since the shipped one builds a message object for every record.
    This is the floor's loop with bytewax around it: what its engine costs where it is left nothing to do per event.
lossy: `windows` with the grace that one would set live. For backlog.py; what it calls late is counted.

Durable in each: recovery into SQLite. Settings:
epoch interval 10 s, backup interval 0: the defaults of `python -m bytewax.run`; an epoch is one snapshot.
one recovery partition: there is one worker.
fetch.queue.backoff.ms 5: as in floor.py. statistics.interval.ms 0: its lag gauge costs and nobody reads it here.
batches of 5,000, as in its guide to performance; 10,000 where batches are summed up: fewer cells to move.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import bytewax.operators as op
import bytewax.operators.windowing as win
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import KeyedStream
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from contract import HOUR_MS, SECTOR_OF_MCC, Task, say_first, say_last

EPOCH_SECONDS = 10
BATCH = 10_000
POLL_SECONDS = 0.001
HOUR = timedelta(hours=1)
ALIGN_TO = datetime(1970, 1, 1, tzinfo=UTC)

Sums: TypeAlias = tuple[int, int]


class Payment(msgspec.Struct, gc=False):
    """What the job needs of a transaction."""

    ts: int
    amount_minor: int
    mcc: str
    region: str


decode = msgspec.json.Decoder(Payment).decode


def main() -> None:
    """Run the variant that the task names to the end of its input."""
    task = Task.told()
    flow = Dataflow("job")
    rows = windows(task, flow) if task.variant in {"windows", "lossy"} else tuned(task, flow)
    kop.output("out", op.map("row", rows, sink_message), brokers=[task.brokers], topic=task.output)
    recovery = Path(task.state)
    init_db_dir(recovery, 1)
    say_first()  # its engine is up in milliseconds, and its consumers fetch before they are asked
    cli_main(flow, epoch_interval=timedelta(seconds=EPOCH_SECONDS), recovery_config=RecoveryConfig(recovery))
    if task.variant == "lossy":
        print(f"late {late.count}")
    say_last()


def shipped_source(task: Task, flow: Dataflow, batch: int = 5000) -> Stream[KafkaSourceMessage[Any, bytes]]:
    """Return the messages of the topic, up to its end."""
    config = {"fetch.queue.backoff.ms": "5", "statistics.interval.ms": "0"}
    brokers, topics = [task.brokers], [task.input]
    return kop.input("in", flow, brokers=brokers, topics=topics, tail=False, add_config=config, batch_size=batch).oks


def windows(task: Task, flow: Dataflow) -> KeyedStream[Sums]:
    """Return the sums by cell, from windows of an hour by region and sector."""
    payments = op.map("parse", shipped_source(task, flow), parse)
    keyed = op.key_on("key", payments, lambda payment: f"{payment.region}|{SECTOR_OF_MCC[payment.mcc]}")
    clock = win.EventClock(
        ts_getter=lambda payment: datetime.fromtimestamp(payment.ts / 1000, UTC),
        wait_for_system_duration=timedelta(seconds=task.grace_seconds),
    )
    windower = win.TumblingWindower(length=HOUR, align_to=ALIGN_TO)
    folded = win.fold_window("count", keyed, clock, windower, nothing, add, merge)
    if task.variant == "lossy":
        op.inspect("late", folded.late, late)
    return op.map("cell", folded.down, lambda item: (f"{item[0]}|{item[1][0] * HOUR_MS}", item[1][1]))


def tuned(task: Task, flow: Dataflow) -> KeyedStream[Sums]:
    """Return the sums by cell, from sums of batches."""
    if task.variant == "own source":
        parts = op.flat_map("sum", op.input("in", flow, Batches(task)), lambda batch: sum_up(map(Message.value, batch)))
    else:
        messages = shipped_source(task, flow, BATCH)
        parts = op.flat_map_batch("sum", messages, lambda batch: sum_up(message.value for message in batch))
    return op.reduce_final("count", parts, merge)


class Late:
    """Counts what a window did not take."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _step: str, _item: object) -> None:
        """Count one."""
        self.count += 1


late = Late()


def parse(message: KafkaSourceMessage[Any, bytes]) -> Payment:
    """Return the payment of a message."""
    return decode(message.value)


def nothing() -> Sums:
    """Return the sums of no payment."""
    return (0, 0)


def add(sums: Sums, payment: Payment) -> Sums:
    """Return the sums with a payment more."""
    return (sums[0] + 1, sums[1] + payment.amount_minor)


def merge(one: Sums, other: Sums) -> Sums:
    """Return the sums of both."""
    return (one[0] + other[0], one[1] + other[1])


def sum_up(values: Iterable[bytes]) -> list[tuple[str, Sums]]:
    """Return the sums by cell of a batch."""
    sums: dict[tuple[str, str, int], list[int]] = {}
    sectors = SECTOR_OF_MCC
    for value in values:
        payment = decode(value)
        cell = (payment.region, sectors[payment.mcc], payment.ts // HOUR_MS)
        try:
            entry = sums[cell]
        except KeyError:
            entry = sums[cell] = [0, 0]
        entry[0] += 1
        entry[1] += payment.amount_minor
    return [
        (f"{region}|{sector}|{hour * HOUR_MS}", (count, total))
        for (region, sector, hour), (count, total) in sums.items()
    ]


def sink_message(item: tuple[str, Sums]) -> KafkaSinkMessage[bytes, bytes]:
    """Return the row of a cell."""
    cell, (count, total) = item
    region, sector, hour = cell.split("|")
    row = {"region": region, "sector": sector, "hour": int(hour), "count": count, "sum": total}
    return KafkaSinkMessage(cell.encode(), msgspec.json.encode(row))


class Batches(FixedPartitionedSource[list[Message], int]):
    """Reads a topic to its end; an item is a batch of messages of one partition."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def list_parts(self) -> list[str]:
        """Return the numbers of the partitions."""
        consumer = Consumer({"bootstrap.servers": self._task.brokers, "group.id": self._task.group})
        parts = [str(number) for number in consumer.list_topics(self._task.input).topics[self._task.input].partitions]
        consumer.close()
        return parts

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "BatchesOfPartition":  # noqa: ARG002  # the engine's signature
        """Return the reader of a partition, from where its snapshot ended."""
        return BatchesOfPartition(self._task, int(for_part), resume_state)


class BatchesOfPartition(StatefulSourcePartition[list[Message], int]):
    """Reads a partition to its end; its state is the next offset."""

    def __init__(self, task: Task, partition: int, offset: int | None) -> None:
        self._offset = OFFSET_BEGINNING if offset is None else offset
        self._at_end = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": task.brokers,
                "group.id": task.group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
            }
        )
        self._consumer.assign([TopicPartition(task.input, partition, self._offset)])

    def next_batch(self) -> list[list[Message]]:
        """Return a batch, or none yet."""
        if self._at_end:
            raise StopIteration
        messages = self._consumer.consume(BATCH, POLL_SECONDS)
        if messages and messages[-1].error() is not None:
            error = messages.pop().error()
            if error.code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(error.str())
            self._at_end = True
        if not messages:
            return []
        self._offset = messages[-1].offset() + 1
        return [messages]

    def snapshot(self) -> int:
        """Return the next offset."""
        return self._offset

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


if __name__ == "__main__":
    main()
