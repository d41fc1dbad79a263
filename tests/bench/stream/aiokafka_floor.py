"""The same floor with the asyncio client that Faust stands on: aiokafka's `getmany`, msgspec, one dictionary.

max_poll_records 5,000: several partitions' batches in one wake-up. uvloop: what the services use too.
check_crcs off: librdkafka does not check them by default either.
"""

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from contract import HOUR_MS, SECTOR_OF_MCC, Task, say_first, say_last
from floor import Payment, publish

BATCH = 5000


async def main() -> None:
    """Count `events` transactions and publish the sums."""
    task = Task.told()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=task.brokers,
        enable_auto_commit=False,
        check_crcs=False,
        max_partition_fetch_bytes=1 << 20,
    )
    await consumer.start()
    await consumer._client._wait_on_metadata(task.input)  # no public call waits for a topic's partitions
    partitions = [TopicPartition(task.input, number) for number in consumer.partitions_for_topic(task.input) or ()]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    decode = msgspec.json.Decoder(Payment).decode
    sectors = SECTOR_OF_MCC
    totals: dict[tuple[str, str, int], list[int]] = {}
    left = task.events
    while left > 0:
        batches = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        if batches and left == task.events:
            say_first()
        for records in batches.values():
            for record in records:
                payment = decode(record.value)
                cell = (payment.region, sectors[payment.mcc], payment.ts // HOUR_MS)
                try:
                    entry = totals[cell]
                except KeyError:
                    entry = totals[cell] = [0, 0]
                entry[0] += 1
                entry[1] += payment.amount_minor
            left -= len(records)
    publish(
        task,
        {(region, sector, hour * HOUR_MS): (count, total) for (region, sector, hour), (count, total) in totals.items()},
    )
    say_last()
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main())
