"""The loss test: a backlog of 3 days on 8 unevenly filled partitions, read as fast as it goes.

Every partition is in the order of event time but for 5 minutes; grace, or lateness, is 10 minutes, so nothing is
late by its own partition's clock. But an engine reads its partitions at different speed of event time, and where
one watermark is drawn from what was merged, the partitions that are read faster make the others late. Each engine
counts in windows of an hour by region and sector, with final results, as one would run it live.

Lost is what the plain count has and the published final results have not, in the hours that are closed whatever
the engine: all but the last three. What an engine itself counted as late is beside it, where it says so.

    python tests/bench/stream/backlog.py [--events 300000] [--only quixstreams]
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from brokers import own_broker
from contestants import BUILD, LOSSY, install
from contract import HOUR_MS, Totals
from job import DAY_MS, START_MS, UNEVEN, Workload
from measure import Measurement, measure
from run import DEADLINE_SECONDS, Comparison

DAYS = 3
GRACE_SECONDS = 600
OPEN_HOURS = 3


def main() -> int:
    """Run each engine over the backlog and print what it lost; 1 if earlywarn lost anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000, help="transactions (default 300,000)")
    parser.add_argument("--only", action="append", choices=list(LOSSY), help="engine; may be repeated")
    arguments = parser.parse_args()
    chosen = {name: entry for name, entry in LOSSY.items() if not arguments.only or name in arguments.only}
    install({entry.needs for entry in chosen.values()})
    workload = Workload(arguments.events, days=DAYS, shares=UNEVEN)
    lines = ["| engine | events that must be counted | lost | share | called late by itself |", "|---|---|---|---|---|"]
    lost_by: dict[str, int] = {}
    with TemporaryDirectory() as folder, own_broker(Path(folder)) as brokers, Comparison(brokers) as comparison:
        for name, entry in chosen.items():
            contestant, truth = comparison.enter(name, entry, workload, GRACE_SECONDS)
            measured = measure(contestant, truth, BUILD / "logs" / "backlog", DEADLINE_SECONDS)
            total, lost_by[name] = lost(measured, truth)
            lines.append(
                f"| {name} | {total:,} | {lost_by[name]:,} | {lost_by[name] / total:.0%} "
                f"| {'-' if measured.late is None else format(measured.late, ',')} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    print(f"{os.cpu_count()} cores, {arguments.events:,} events, partitions {workload.per_partition}\n")
    print("\n".join(lines))
    return 1 if lost_by.get("earlywarn") else 0


def lost(measured: Measurement, truth: Totals) -> tuple[int, int]:
    """Return how many events stand in closed hours, and how many of them no result has.

    Raises:
        RuntimeError: a result counts an event that does not exist, so it is not loss alone that is wrong.
    """
    closed = START_MS + DAYS * DAY_MS - OPEN_HOURS * HOUR_MS
    cells = [cell for cell in truth if cell[2] < closed]
    missing = 0
    for cell in cells:
        found = measured.results.get(cell, (0, 0))[0]
        if found > truth[cell][0]:
            raise RuntimeError(f"{measured.name}: {cell} has {found} events of {truth[cell][0]}")
        missing += truth[cell][0] - found
    return sum(truth[cell][0] for cell in cells), missing


if __name__ == "__main__":
    sys.exit(main())
