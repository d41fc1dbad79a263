"""The detector on a large panel: 2,000 cells (100 regions, 20 sectors) and three years of days, in a real service.

Partials are made by the first fold in this process and appended to the topic; a detector folds and judges them,
publishes what comes of it, and is stopped. A second one starts from its snapshot: the cold start is from the start of
the process until it says that it is ready. CPU is the process's own, from its first partial to its last.

    python tests/bench/stream/large_panel.py [--regions 100] [--sectors 20] [--days 1096]
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
from brokers import own_broker, own_redis
from confluent_kafka import Producer
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.wire import encode_partial
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.application.compose import Run

FIRST_DAY = date(2022, 1, 1)
SETTINGS = """
[topics]
transactions_partitions = 1
[[panels]]
id = "large"
any_region = true
countries = []
currency = "EUR"
time_zone = "Europe/Berlin"
holiday_countries = ["DE"]
classification = "open"
resolution = "day"
online_region = false
"""
GOAL_START_SECONDS = 5.0


def records(regions: int, sectors: int, day: int) -> list[bytes]:
    """Return one record for each cell of a day: a weekly wave, some noise, Poisson counts."""
    rng = np.random.default_rng((20221, day))
    level = 40.0 + 10.0 * np.arange(regions * sectors) % 400
    counts = rng.poisson(
        level * (1 + 0.2 * np.sin(2 * np.pi * day / 7)) * np.exp(0.03 * rng.standard_normal(level.size))
    )
    ts = int(datetime.combine(FIRST_DAY + timedelta(day), datetime.min.time(), UTC).timestamp() * 1000) + 39_600_000
    template = b'{"id":"%d-%d","ts":%d,"amount_minor":%d,"currency":"EUR","sector":"S%02d","region":"R%03d","count":%d}'
    return [
        template % (day, cell, ts, count * 2_500, cell % sectors, cell // sectors, count)
        for cell, count in enumerate(counts.tolist())
        if count
    ]


def partials(run: Run, regions: int, sectors: int, days: int) -> Iterator[Partial]:
    """Yield what an aggregator makes of these records."""
    block = run.block_fold(0, 1)
    for day in range(days):
        outcomes = decode(records(regions, sectors, day))
        sealed, rejected = block.add(range(block.position, block.position + len(outcomes)), outcomes, 4_000_000_000_000)
        if rejected:
            raise SystemExit(f"a record of the bench is no transaction: {rejected[0]}")
        yield from sealed
    last = block.flush()
    if last is not None:
        yield last


def produce(run: StreamRun, made: Iterator[Partial]) -> int:
    """Append partials; return how many."""
    producer = Producer({**confluent_connection(run.settings.kafka), "linger.ms": 5, "message.max.bytes": 16 << 20})
    count = 0
    for partial in made:
        for key, value in encode_partial(partial):
            producer.produce(run.topics.partials, value, key, 0)
        while len(producer) > 50:
            producer.poll(0.1)
        count += 1
    if producer.flush(60):
        raise SystemExit("the broker did not take the partials")
    return count


def folded(worker: Worker) -> float:
    """Return how many partials a detector has folded."""
    return worker.metrics().get("earlywarn_partials_folded_total", 0.0) if worker.port else 0.0


def cpu_seconds(worker: Worker) -> float:
    """Return user and system time of a living process."""
    values = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / 100


def peak_mib(worker: Worker) -> float:
    """Return the most memory that a living process has held."""
    lines = Path(f"/proc/{worker.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> int:
    """Measure and print; 1 if the cold start is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=int, default=100)
    parser.add_argument("--sectors", type=int, default=20)
    parser.add_argument("--days", type=int, default=1096)
    options = parser.parse_args()
    cells = options.regions * options.sectors
    with (
        TemporaryDirectory() as folder,
        own_broker(Path(folder)) as brokers,
        own_redis(Path(folder)) as redis_url,
        StreamRun(brokers, redis_url, Path(folder), SETTINGS, name=f"large-{uuid4().hex[:8]}") as run,
    ):
        count = produce(run, partials(run.run, options.regions, options.sectors, options.days))
        worker = run.start("detector", EARLYWARN_SNAPSHOTS__LEAST_SECONDS="20")
        wait_until(lambda: folded(worker) > 0, 120, "the detector begins")
        before, began, at = cpu_seconds(worker), time.monotonic(), folded(worker)
        wait_until(lambda: folded(worker) >= count, 3600, f"the detector has folded {count} partials; {worker.log}")
        spent, took, memory = cpu_seconds(worker) - before, time.monotonic() - began, peak_mib(worker)
        share = (count - at) / count
        stopped = worker.terminate()
        snapshots = sorted((Path(folder) / "snapshots").rglob("*"), key=lambda path: path.stat().st_mtime)
        size = next(path.stat().st_size for path in reversed(snapshots) if path.is_file())
        began = time.monotonic()
        second = run.start("detector")
        wait_until(second.ready, 120, f"the second detector is ready; {second.log}")
        start = time.monotonic() - began
    series_days = cells * options.days * share
    print(f"{cells:,} cells, {options.days:,} days: {spent:.0f} s of CPU ({took:.0f} s of time) in a real detector, "
          f"{spent / series_days * 1e6:.0f} us a cell and day, folding, models, alerts, publishing and Redis together; "
          f"peak memory {memory:.0f} MiB, snapshot {size / 1e6:.1f} MB, SIGTERM to end {stopped:.1f} s")  # fmt: skip
    print(f"cold start from the snapshot: {start:.1f} s (goal {GOAL_START_SECONDS:.0f})")
    return 0 if start < GOAL_START_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
