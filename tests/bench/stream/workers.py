"""How aggregators scale: the same backlog on 8 partitions, read by 1, 2 and 4 workers.

The backlog is written in one Kafka transaction, so that workers, ready and waiting, see all of it at one moment. Time
runs from there to the partial that makes it complete. A machine cannot show more than its cores, and the broker wants
a part of them; CPU per event stands beside it: where that stays level, more cores give more events.

    python tests/bench/stream/workers.py [--events 2000000] [--workers 1 2 4]
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from brokers import own_broker
from earlywarn_side import PartialsRead
from job import Workload, produce
from large_panel import cpu_seconds
from stream_run import StreamRun, wait_until

PARTITIONS = 8
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
replay = true
[[panels]]
id = "CH"
countries = ["CH"]
currency = "CHF"
time_zone = "Europe/Zurich"
"""


def measure(brokers: str, folder: Path, events: int, workers: int) -> tuple[float, float]:
    """Return seconds of time, and of CPU of all workers, for a backlog."""
    name = f"workers{workers}-{uuid4().hex[:8]}"
    with StreamRun(brokers, "redis://127.0.0.1:1", folder / name, SETTINGS, name=name) as run:
        started = [run.start_ready("aggregator") for _ in range(workers)]
        share = PARTITIONS // workers
        wait_until(
            lambda: all(worker.text.rpartition("assigned ")[2].startswith(f"{share} of") for worker in started),
            60,
            f"every worker has {share} partitions",
        )
        seen = PartialsRead(brokers, run.topics.partials)
        before = sum(map(cpu_seconds, started))
        produce(brokers, run.topics.transactions, Workload(events), at_once=True)
        began = time.monotonic()
        while (folded := seen()) < events:
            if time.monotonic() > began + 600:
                raise SystemExit(f"{folded} of {events} transactions folded in 600 s; {started[0].log}")
        return time.monotonic() - began, sum(map(cpu_seconds, started)) - before


def main() -> int:
    """Measure each number of workers, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    lines = ["| workers | events/s | against one | CPU s per million |", "|---|---|---|---|"]
    alone = 0.0
    with TemporaryDirectory() as folder, own_broker(Path(folder)) as brokers:
        for workers in options.workers:
            took, cpu = measure(brokers, Path(folder), options.events, workers)
            speed = options.events / took
            alone = alone or speed
            lines.append(f"| {workers} | {speed:,.0f} | {speed / alone:.2f} | {cpu / options.events * 1e6:.2f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    print(f"{os.cpu_count()} cores, {options.events:,} events\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
