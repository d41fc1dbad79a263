"""The job in faust-streaming 0.15.3, in two ways.

idiomatic: as its guide does it: an agent, records, `group_by` region and sector (a repartition topic), and a table
    of tumbling windows of an hour by the record's own time.
local: what costs least with the same means: no repartition and no windows; the cell, with its source partition,
    since a table's key belongs to one partition, is the key of a plain table.

The table's changelog is the published result in both, so nothing is sent a second time. In favour of Faust:
uvloop, orjson, compiled extensions: what its guide recommends for speed.
web and leader topic off: nobody asks them here.
store memory://: with the changelog as durable as RocksDB, and faster.
producer_linger 50 ms, batches of 256 KiB: fewer requests for the changelog.
broker_max_poll_records 5,000, stream_buffer_maxsize 40,000: no waiting between polls.
Logging WARNING at the root: under `faust worker -l warn` the root logger can stay at DEBUG, 14 % of its time.
"""

import asyncio
import logging
import os
import signal

import faust
import uvloop
from contract import HOUR_MS, SECTOR_OF_MCC, Task, say_first, say_last

PARTITIONS = 8
uvloop.install()
task = Task.told()
app = faust.App(
    task.group,
    broker=f"kafka://{task.brokers}",
    store="memory://",
    datadir=task.state,
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=5000,
    stream_buffer_maxsize=40_000,
    producer_linger=0.05,
    producer_max_batch_size=256 * 1024,
    worker_redirect_stdouts=False,
    cython_optimizations=True,
)


class Payment(faust.Record, serializer="json"):
    """What the job needs of a transaction."""

    ts: int
    amount_minor: int
    mcc: str
    region: str


class Progress:
    """Says when the first event is there, and ends the worker after the last."""

    def __init__(self, events: int) -> None:
        self._begun = False
        self._left = events

    def read(self) -> None:
        """Note that an event was read."""
        if not self._begun:
            self._begun = True
            say_first()

    def counted(self) -> None:
        """Note that an event is counted."""
        self._left -= 1
        if self._left == 0:
            self._end = asyncio.get_running_loop().create_task(finish())


source = app.topic(task.input, value_type=Payment)
cells = app.Table("cells", default=list, partitions=PARTITIONS)
progress = Progress(task.events)
if task.variant != "local":
    cells = cells.tumbling(HOUR_MS).relative_to_field(Payment.ts)


async def local(stream: faust.Stream[Payment]) -> None:
    """Count and sum by source partition, region, sector and hour."""
    async for event in stream.events():
        progress.read()
        payment = event.value
        hour = payment.ts // HOUR_MS * HOUR_MS
        key = f"{event.message.partition}|{payment.region}|{SECTOR_OF_MCC[payment.mcc]}|{hour}"
        count, total = cells[key] or (0, 0)
        cells[key] = (count + 1, total + payment.amount_minor)
        progress.counted()


async def idiomatic(stream: faust.Stream[Payment]) -> None:
    """Count and sum by region and sector, in windows of an hour."""
    async for payment in stream.group_by(region_and_sector, name="cell"):
        key = region_and_sector(payment)
        count, total = cells[key].value() or (0, 0)
        cells[key] = (count + 1, total + payment.amount_minor)
        progress.counted()


def region_and_sector(payment: Payment) -> str:
    """Return what to group by."""
    progress.read()
    return f"{payment.region}|{SECTOR_OF_MCC[payment.mcc]}"


app.agent(source)(local if task.variant == "local" else idiomatic)


async def finish() -> None:
    """Wait until the changelog is safe, and stop the worker."""
    await app.producer.flush()
    await app.consumer.commit()
    say_last()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.WARNING)
    faust.Worker(app, loglevel=logging.WARNING, quiet=True).execute_from_commandline()
