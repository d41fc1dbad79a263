"""The workload of `make bench-stream`: card transactions that are the same for a seed, anywhere and in any version.

Numbers come from splitmix64 of seed and position, not from a library's generator, so that they never change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from contract import HOUR_MS, REGIONS, SECTOR_OF_MCC, Cell, Totals

START_MS = 1_741_564_800_000
"""2025-03-10T00:00Z, a Monday: no change of clocks in the days after it."""
DAY_MS = 24 * HOUR_MS
JITTER_MS = 300_000
"""Events are at most so much older than the newest before them in their partition: below every grace used here."""
EVEN = (1, 1, 1, 1, 1, 1, 1, 1)
UNEVEN = (30, 21, 15, 12, 9, 7, 4, 2)
"""Shares of a backlog's partitions: acquirers of different size."""

_MASK = (1 << 64) - 1
_MCCS = tuple(SECTOR_OF_MCC)


@dataclass(frozen=True, slots=True)
class Workload:
    """`events` transactions over `days`, spread over partitions by `shares`; each partition is in the order of time.

    Time runs evenly over `days` in every partition, whatever its share, but for a jitter of 5 minutes.
    """

    events: int
    days: int = 3
    shares: tuple[int, ...] = EVEN
    seed: int = 20250310

    @property
    def per_partition(self) -> tuple[int, ...]:
        """Return the number of events of each partition; they add up to `events`."""
        total, ends, reached = sum(self.shares), [0], 0
        for share in self.shares:
            reached += share
            ends.append(self.events * reached // total)
        return tuple(after - before for before, after in pairwise(ends))


def transactions(workload: Workload) -> Iterator[tuple[int, bytes, Cell, int]]:
    """Yield partition, JSON, cell and amount in minor units, partitions side by side in the order of time."""
    counts = workload.per_partition
    steps = max(counts)
    number = 0
    for step in range(steps):
        for partition, count in enumerate(counts):
            # A partition with fewer events is asked as often and has one at some of the steps.
            position = step * count // steps
            if (step + 1) * count // steps == position:
                continue
            yield _transaction(workload, number, partition, position, count)
            number += 1


def expected(workload: Workload) -> Totals:
    """Return the plain count."""
    totals: Totals = {}
    for _, _, cell, amount in transactions(workload):
        _add(totals, cell, amount)
    return totals


def produce(brokers: str, topic: str, workload: Workload, *, at_once: bool = False) -> Totals:
    """Write the workload into a topic and return its plain count; `at_once`: nobody sees any of it before all.

    Raises:
        RuntimeError: the broker did not take every record.
    """
    from confluent_kafka import Producer  # noqa: PLC0415  # the generator works without a client

    refused: list[str] = []

    def on_delivery(error: object, _: object) -> None:
        if error is not None:
            refused.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "queue.buffering.max.messages": 200_000,
            "enable.idempotence": True,
            **({"transactional.id": f"{topic}.bench", "transaction.timeout.ms": 600_000} if at_once else {}),
        }
    )
    if at_once:
        producer.init_transactions(60)
        producer.begin_transaction()
    totals: Totals = {}
    for number, (partition, value, cell, amount) in enumerate(transactions(workload)):
        _add(totals, cell, amount)
        # Keyed by its feed, of which each fills one partition.
        producer.produce(topic, value, b"feed-%d" % partition, partition, on_delivery)
        if number % 10_000 == 9_999:
            producer.poll(0)
            while len(producer) > 150_000:
                producer.poll(0.1)
    if producer.flush(60) or refused:
        raise RuntimeError(f"{topic}: the broker refused records: {refused[:1] or 'no answer within 60 s'}")
    if at_once:
        producer.commit_transaction(60)
    return totals


def _transaction(
    workload: Workload, number: int, partition: int, position: int, count: int
) -> tuple[int, bytes, Cell, int]:
    bits = _splitmix64(workload.seed * 1_000_003 + number)
    mcc = _MCCS[min(bits & 0xFF, (bits >> 8) & 0xFF) * len(_MCCS) >> 8]  # the first codes are the most frequent
    region = REGIONS[((bits >> 16) & 0xFF) * len(REGIONS) >> 8]
    amount = 100 + ((bits >> 24) & 0x3FFF)
    passed = workload.days * DAY_MS * position // count
    ts = START_MS + max(0, passed - ((bits >> 38) & 0xFFFF) * JITTER_MS // 0x10000)
    value = (
        f'{{"id":"t{number:010d}","ts":{ts},"amount_minor":{amount},"currency":"CHF","mcc":"{mcc}",'
        f'"region":"{region}","country":"CH","channel":"pos","card":"tok_{_splitmix64(bits):016x}",'
        f'"merchant_id":"m{bits % 100_000:05d}","source":"feed-{partition}"}}'
    )
    return partition, value.encode(), (region, SECTOR_OF_MCC[mcc], ts - ts % HOUR_MS), amount


def _splitmix64(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _add(totals: Totals, cell: Cell, amount: int) -> None:
    count, total = totals.get(cell, (0, 0))
    totals[cell] = (count + 1, total + amount)
