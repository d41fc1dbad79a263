"""`make bench-stream`: the same job for every engine, side by side on one machine in one run.

2 million JSON transactions of about 200 bytes on 8 partitions: parse, MCC to sector, count and sum by region, sector
and hour, durable, results to Kafka, compared with a plain count. One worker each. CPU is that of the worker (user
and system, all its threads and children), not of the broker. The broker is its own, or EARLYWARN_KAFKA's.

    python tests/bench/stream/run.py [--events 2000000] [--only floor --only earlywarn] [--repeat 1]
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from brokers import own_broker
from contestants import BUILD, ENTRIES, Entry, install
from contract import Task, Totals
from earlywarn_side import PREFIX, create_run
from job import Workload, produce
from measure import Contestant, Measurement, measure
from topics import create, delete

PARTITIONS = 8
DEADLINE_SECONDS = 1800.0
OUTPUT_PARTITIONS = 1


class Comparison:
    """One run of the comparison: its inputs, made once for each number of events, and its results."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self.mark = f"run{os.getpid()}x{int(time.time()) % 100_000}"
        self.scratch = Path(tempfile.mkdtemp(prefix="bench-stream-"))
        self._inputs: dict[Workload, tuple[str, Totals]] = {}
        self._runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        delete(self.brokers, self.mark)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def input(self, workload: Workload, lateness_seconds: int) -> tuple[str, Totals]:
        """Return the topic that holds the workload, and its plain count; made when it is first asked for."""
        if workload not in self._inputs:
            run = f"{self.mark}-{len(self._inputs)}"
            create_run(self.brokers, run, PARTITIONS, self.scratch, lateness_seconds)
            topic = f"{PREFIX}{run}.transactions"
            self._inputs[workload] = (topic, produce(self.brokers, topic, workload))
        return self._inputs[workload]

    def enter(self, name: str, entry: Entry, workload: Workload, grace_seconds: int = 0) -> tuple[Contestant, Totals]:
        """Return a contestant that is ready to start, and what it has to find."""
        topic, truth = self.input(workload, grace_seconds or 3600)
        self._runs += 1
        group = f"{self.mark}.{self._runs}"
        task = Task(
            brokers=self.brokers,
            input=topic,
            output=f"{group}.rows",
            group=group,
            events=workload.events,
            state=str(self.scratch / str(self._runs)),
            grace_seconds=grace_seconds,
        )
        Path(task.state).mkdir()
        create(self.brokers, {task.output: OUTPUT_PARTITIONS})
        return replace(entry.build(name, task), note=entry.note), truth


def main() -> int:
    """Run the comparison, print the table; 1 if a result was not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="transactions (default 2 million)")
    parser.add_argument("--only", action="append", choices=list(ENTRIES), help="contestant; may be repeated")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the table has the one of least CPU")
    arguments = parser.parse_args()
    chosen = {name: entry for name, entry in ENTRIES.items() if not arguments.only or name in arguments.only}
    install({entry.needs for entry in chosen.values()})
    best: dict[str, Measurement] = {}
    with TemporaryDirectory() as folder, own_broker(Path(folder)) as brokers, Comparison(brokers) as comparison:
        loads = [os.getloadavg()[0]]
        for _ in range(arguments.repeat):
            for name, entry in chosen.items():
                workload = Workload(round(arguments.events * entry.share))
                contestant, truth = comparison.enter(name, entry, workload)
                measured = measure(contestant, truth, BUILD / "logs", DEADLINE_SECONDS)
                print(f"{name}: {measured}", file=sys.stderr, flush=True)
                loads.append(os.getloadavg()[0])
                if name not in best or measured.cpu_per_million < best[name].cpu_per_million:
                    best[name] = measured
    print(f"{os.cpu_count()} cores, load average {min(loads):.1f} to {max(loads):.1f}, {arguments.events:,} events\n")
    print(table(list(best.values())))
    return 0 if all(measured.exact for measured in best.values()) else 1


def table(measured: list[Measurement]) -> str:
    """Return a Markdown table; ratios are to the first row."""
    lines = [
        "| engine | CPU s per million | ratio | CPU s around | events/s | peak MiB | exact | events | note |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    floor = measured[0].cpu_per_million
    lines += [
        f"| {each.name} | {each.cpu_per_million:.1f} | {each.cpu_per_million / floor:.1f} "
        f"| {each.around_cpu_seconds:.1f} | {each.events_per_second:,.0f} | {each.peak_mib:.0f} "
        f"| {'yes' if each.exact else 'NO'} | {each.events:,} | {each.note} |"
        for each in measured
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
