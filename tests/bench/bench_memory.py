"""Peak memory and exactness of `earlywarn run` at 1 and 5 million transactions over the same period.

    python tests/bench/bench_memory.py [--millions 1 5] [--json]

Each run is a process of its own; aggregates are compared with DuckDB's count of the same file.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

RECEIVED_MS = "1767225600000"
LARGEST_RATIO = 1.15
"""Memory may differ by what the allocator keeps; it must not grow with the number of transactions."""


def measure(millions: float, folder: Path) -> dict[str, object]:
    """Generate, run in a process of its own, and compare; return the figures."""
    file = folder / f"tx-{millions:g}.jsonl"
    out = folder / f"out-{millions:g}"
    generate = ["generate", "--out", str(file), "--transactions", str(int(millions * 1e6)), "--days", "425"]
    subprocess.run([sys.executable, "-m", "earlywarn", *generate], check=True, capture_output=True)
    code = (
        "import resource, sys; from earlywarn.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ["run", str(file), "--out", str(out), "--received-at", RECEIVED_MS, "--json", "--no-report"]
    finished = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    differing = duckdb.sql(f"""
        with truth as (
            select strftime(make_timestamp(ts * 1000)::timestamptz at time zone 'Europe/Zurich', '%Y-%m-%d') as day,
                   region, count(*) as n, sum(amount_minor)::hugeint as amount
            from read_json('{file}', format = 'newline_delimited',
                           columns = {{ts: 'bigint', region: 'varchar', amount_minor: 'bigint'}})
            group by all),
        ours as (
            select start[:10] as day, region, sum(transactions)::bigint as n, sum(amount_minor)::hugeint as amount
            from '{out}/aggregates.parquet' where level = 'cell' and bucket = 'day' and latest group by all)
        select * from truth full join ours using (day, region)
        where truth.n is distinct from ours.n or truth.amount is distinct from ours.amount
    """).fetchall()
    return {
        "transactions": json.loads(finished.stdout)["transactions"],
        "peak_mb": round(int(finished.stderr.split()[-1]) / 1024),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "differing_region_days": len(differing),
    }


def main() -> int:
    """Measure; fail on a difference in the counts, or on memory that grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 5])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(millions, Path(folder)) for millions in options.millions]
    peaks = [int(str(result["peak_mb"])) for result in results]
    ratio = round(peaks[-1] / peaks[0], 3)
    if options.json:
        print(json.dumps({"runs": results, "peak_ratio": ratio}))
    else:
        for result in results:
            print(", ".join(f"{name} {value:,}" for name, value in result.items()))
        print(f"peak memory of the largest run over the smallest: {ratio} (at most {LARGEST_RATIO})")
    wrong = any(result["differing_region_days"] for result in results)
    return 1 if wrong or ratio > LARGEST_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
