"""The floor: the least that a Python program can do for this job. No durability, no groups, no validation.

Every setting is what makes it fastest:
fetch.queue.backoff.ms = 5: by default librdkafka pauses a full queue for a second, which halves a fast consumer.
consume(1000): one call into the client for a thousand messages.
msgspec typed decoding: only the four fields that count are built.
"""

from typing import Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from contract import HOUR_MS, SECTOR_OF_MCC, Task, Totals, rows_of, say_first, say_last

BATCH: Final = 1000


class Payment(msgspec.Struct, gc=False):
    """What the job needs of a transaction."""

    ts: int
    amount_minor: int
    mcc: str
    region: str


def main() -> None:
    """Count `events` transactions and publish the sums."""
    task = Task.told()
    consumer = Consumer(
        {
            "bootstrap.servers": task.brokers,
            "group.id": task.group,
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
        }
    )
    partitions = consumer.list_topics(task.input).topics[task.input].partitions
    consumer.assign([TopicPartition(task.input, partition, 0) for partition in partitions])
    decode = msgspec.json.Decoder(Payment).decode
    sectors = SECTOR_OF_MCC
    totals: dict[tuple[str, str, int], list[int]] = {}
    left = task.events
    while left > 0:
        messages = consumer.consume(min(BATCH, left), 1.0)  # it waits for as many as it is asked for
        if messages and left == task.events:
            say_first()
        for message in messages:
            if message.error() is not None:
                raise RuntimeError(message.error().str())
            payment = decode(message.value())
            cell = (payment.region, sectors[payment.mcc], payment.ts // HOUR_MS)
            try:
                entry = totals[cell]
            except KeyError:
                entry = totals[cell] = [0, 0]
            entry[0] += 1
            entry[1] += payment.amount_minor
        left -= len(messages)
    publish(
        task,
        {(region, sector, hour * HOUR_MS): (count, total) for (region, sector, hour), (count, total) in totals.items()},
    )
    say_last()
    consumer.close()


def publish(task: Task, totals: Totals) -> None:
    """Write the rows and wait until the broker has them."""
    producer = Producer({"bootstrap.servers": task.brokers, "linger.ms": 50})
    for key, value in rows_of(totals):
        producer.produce(task.output, value, key)
    if producer.flush(60):
        raise RuntimeError(f"{task.output}: no answer within 60 s")


if __name__ == "__main__":
    main()
