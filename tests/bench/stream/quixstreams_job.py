"""The job in quixstreams 3.28, in two ways, and its windows for the loss test.

windows: as its guide does it: `group_by` region and sector (a repartition topic), tumbling windows of an hour with
    count and sum, `current()`, since `final()` drops what its watermark has left behind (see `lossy`).
local: what costs least while the result stays exact: no repartition, since the feed is the message key and
    state belongs to the source partition, as in earlywarn's first fold; one value per cell in the state; a changed
    cell is published once every 2,000 offsets of its partition and at the partition's end, not at every event.
lossy: the windows as one would run them live: grace and `final()`. Windows close by key, the default: its guide warns
    that closing by partition discards more. For backlog.py; what it calls late is counted.

Settings, for all of them:
commit_interval 5 s: the default; 30 s, which its guide to checkpoints would suggest, saved nothing measurable.
fetch.queue.backoff.ms 5: as in floor.py.
linger.ms 50, batch.size 1 MiB, lz4: fewer and larger produce requests; acks stay `all` (default).
use_fsync off, WAL left on: the changelog topic is what state is restored from; a lost disk costs time only.
loglevel WARNING, broker_availability_timeout 0: no checks per message beyond the work.
JSON is orjson already.
"""

import msgspec
from confluent_kafka import Consumer, TopicPartition
from contract import HOUR_MS, SECTOR_OF_MCC, Task, say_first, say_last
from quixstreams import Application, State, message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.dataframe.windows import Count, Sum
from quixstreams.models import Deserializer, SerializationContext, Topic
from quixstreams.state.rocksdb import RocksDBOptions

BLOCK = 2000


class Payment(msgspec.Struct, gc=False):
    """What the job needs of a transaction."""

    ts: int
    amount_minor: int
    mcc: str
    region: str


class PaymentDeserializer(Deserializer):
    """Typed decoding, as in floor.py."""

    def __init__(self) -> None:
        super().__init__()
        self._decode = msgspec.json.Decoder(Payment).decode

    def __call__(self, value: bytes, ctx: SerializationContext) -> Payment:  # noqa: ARG002  # the engine's signature
        """Return the payment of a message's value."""
        return self._decode(value)


class Progress:
    """Says when the first event is there, and stops the application after the last."""

    def __init__(self, task: Task, app: Application) -> None:
        self._begun = False
        self._left = task.events
        self._app = app

    def read(self) -> None:
        """Note that an event was read."""
        if not self._begun:
            self._begun = True
            say_first()

    def counted(self) -> None:
        """Note that an event is counted."""
        self._left -= 1
        if self._left == 0:
            self._app.stop()  # the loop ends after this event, with a checkpoint


class Late:
    """Counts what a window did not take."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: object) -> bool:
        """Count one; the engine need not log it."""
        self.count += 1
        return False


late = Late()


def main() -> None:
    """Run the variant that the task names."""
    task = Task.told()
    app = Application(
        broker_address=task.brokers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        state_dir=task.state,
        rocksdb_options=RocksDBOptions(use_fsync=False),
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
        producer_extra_config={"linger.ms": 50, "batch.size": 1 << 20, "compression.type": "lz4"},
        loglevel="WARNING",
        broker_availability_timeout=0,
    )
    source = app.topic(
        task.input,
        key_deserializer="bytes",
        value_deserializer=PaymentDeserializer(),
        timestamp_extractor=lambda value, headers, timestamp, kind: value.ts,  # noqa: ARG005  # the engine's signature
    )
    target = app.topic(task.output, key_serializer="str", value_serializer="json")
    progress = Progress(task, app)
    if task.variant == "local":
        local(task, app.dataframe(source), target, progress)
    else:
        windows(task, app.dataframe(source), target, progress)
    app.run()
    if task.variant == "lossy":
        print(f"late {late.count}")
    say_last()


def windows(task: Task, frame: StreamingDataFrame, target: Topic, progress: Progress) -> None:
    """Repartition by region and sector, then windows of an hour."""

    def with_cell(payment: Payment) -> dict[str, str | int]:
        progress.read()
        return {"cell": f"{payment.region}|{SECTOR_OF_MCC[payment.mcc]}", "amount": payment.amount_minor}

    frame = frame.apply(with_cell)
    frame = frame.group_by("cell")
    frame = frame.update(lambda _: progress.counted())
    window = frame.tumbling_window(HOUR_MS, grace_ms=task.grace_seconds * 1000, on_late=late)
    aggregated = window.agg(count=Count(), sum=Sum("amount"))
    frame = aggregated.final() if task.variant == "lossy" else aggregated.current()
    frame = frame.apply(row_of_window, metadata=True)
    frame.to_topic(target, key=lambda row: f"{row['region']}|{row['sector']}|{row['hour']}")


def row_of_window(window: dict[str, int], key: str, _timestamp: int, _headers: object) -> dict[str, str | int]:
    """Return the row of a window's current or final value."""
    region, sector = key.split("|")
    return {
        "region": region, "sector": sector, "hour": window["start"], "count": window["count"], "sum": window["sum"]
    }  # fmt: skip


def local(task: Task, frame: StreamingDataFrame, target: Topic, progress: Progress) -> None:
    """Keep the state of a source partition where it is, and publish what changed once a block."""
    last = last_offsets(task)
    changed: dict[int, dict[str, dict[str, str | int]]] = {partition: {} for partition in last}

    def count(
        payment: Payment, key: bytes, _timestamp: int, _headers: object, state: State
    ) -> list[dict[str, str | int]]:
        progress.read()
        hour = payment.ts // HOUR_MS * HOUR_MS
        sector = SECTOR_OF_MCC[payment.mcc]
        cell = f"{payment.region}|{sector}|{hour}"
        known = state.get(cell) or [0, 0]
        known[0] += 1
        known[1] += payment.amount_minor
        state.set(cell, known)
        context = message_context()
        rows = changed[context.partition]
        rows[cell] = {
            "key": f"{key.decode()}|{cell}",
            "region": payment.region, "sector": sector, "hour": hour, "count": known[0], "sum": known[1]
        }  # fmt: skip
        progress.counted()
        if (context.offset + 1) % BLOCK and context.offset != last[context.partition]:
            return []
        changed[context.partition] = {}
        return list(rows.values())

    frame = frame.apply(count, stateful=True, expand=True, metadata=True)
    frame.to_topic(target, key=lambda row: row["key"])


def last_offsets(task: Task) -> dict[int, int]:
    """Return the offset of the last record of each partition."""
    consumer = Consumer({"bootstrap.servers": task.brokers, "group.id": task.group})
    partitions = consumer.list_topics(task.input).topics[task.input].partitions
    ends = {number: consumer.get_watermark_offsets(TopicPartition(task.input, number))[1] - 1 for number in partitions}
    consumer.close()
    return ends


if __name__ == "__main__":
    main()
