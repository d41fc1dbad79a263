"""The first fold against a bare loop: how much of the speed is left with every validation on.

    python tests/bench/bench_fold.py [--records 500000] [--rounds 5] [--json]

Bare: per record, msgspec decodes a struct of four fields and one dictionary entry is updated. Fold: intake
(every field of the interface checked), route, lateness, rows, partials, in batches of 2,000. The two take
turns in one process; the ratio is of medians of CPU time. The goal is for counting every record; telling copies
by their ids (within a block, and within 50) is measured besides.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from command_line import PANEL

from earlywarn.aggregation.intake import decode
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import Settings, load

BATCH = 2000
GOAL = 0.60
RECEIVED_MS = 1_767_225_600_000
MCCS = [
    *("5411", "5499", "5422", "5462", "5812", "5813", "5814", "5541", "5542", "4111", "4121", "4511", "7011"),
    *("4722", "7512", "5311", "5651", "5732", "5942", "5999", "8011", "8021", "5912", "4900", "5211"),
]


class Bare(msgspec.Struct, gc=False):
    """The four fields that a bare count needs."""

    ts: int
    amount_minor: int
    region: str
    mcc: str


def records(count: int) -> list[bytes]:
    """Return JSON transactions of about 200 bytes over three days, slightly out of order."""
    rng = random.Random(7)
    start, step = 1_551_702_896_000, 3 * 86_400_000 / count
    return [
        json.dumps(
            {
                "id": f"tx-{at:012d}",
                "ts": int(start + at * step + rng.uniform(-5e5, 5e5)),
                "amount_minor": rng.randrange(100, 20_000),
                "currency": "CHF",
                "mcc": rng.choice(MCCS),
                "region": f"CH0{rng.randrange(1, 8)}",
                "country": "CH",
                "channel": "pos",
                "card": f"tok{rng.randrange(10**9):020d}",
            },
            separators=(",", ":"),
        ).encode()
        for at in range(count)
    ]


def bare_loop(values: list[bytes]) -> int:
    """Decode and count, nothing else; return the number of transactions."""
    decode_bare = msgspec.json.Decoder(Bare).decode
    sums: dict[tuple[str, str, int], list[int]] = {}
    for value in values:
        record = decode_bare(value)
        key = (record.region, record.mcc, record.ts // 3_600_000)
        row = sums.get(key)
        if row is None:
            sums[key] = [1, record.amount_minor]
        else:
            row[0] += 1
            row[1] += record.amount_minor
    return sum(row[0] for row in sums.values())


def fold(run: Run, values: list[bytes]) -> int:
    """Fold in batches with all validation; return the number of transactions in the partials."""
    block = run.block_fold(0, 1)
    total = 0
    open_block: dict[object, int] = {}
    for start in range(0, len(values), BATCH):
        batch = values[start : start + BATCH]
        sealed, _ = block.add(range(start, start + len(batch)), decode(batch), RECEIVED_MS)
        for partial in sealed:
            total += sum(row.transactions for row in partial.rows)
    last = block.flush()
    if last is not None:
        total += sum(row.transactions for row in last.rows)
    return total + sum(open_block.values())


def timed(work: Callable[[], int], count: int) -> float:
    """Return CPU microseconds per record, and check the count."""
    gc.collect()
    started = time.process_time()
    counted = work()
    elapsed = time.process_time() - started
    if counted != count:
        raise SystemExit(f"counted {counted} of {count}")
    return elapsed / count * 1e6


def main() -> int:
    """Measure in turns and print; fail if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    values = records(options.records)
    panel = msgspec.structs.replace(load(PANEL, {}).panels[0], classification="mcc", resolution="hour")
    results = []
    for block_size, window in ((20_000, 0), (2_000, 0), (2_000, 1), (2_000, 50)):
        settings = Settings(run="bench", panels=(panel,))
        run = compose(
            msgspec.structs.replace(
                settings,
                fold=msgspec.structs.replace(settings.fold, block_size=block_size, deduplicate_blocks=window),
            )
        )
        bare_us, fold_us = [], []
        for _ in range(options.rounds):
            bare_us.append(timed(lambda: bare_loop(values), len(values)))
            fold_us.append(timed(lambda run=run: fold(run, values), len(values)))  # type: ignore[misc]
        ratio = statistics.median(bare_us) / statistics.median(fold_us)
        results.append(
            {
                "block_size": block_size,
                "deduplicate_blocks": window,
                "bare_us": round(statistics.median(bare_us), 3),
                "fold_us": round(statistics.median(fold_us), 3),
                "speed_of_bare": round(ratio, 3),
                "pairs": [round(one / other, 3) for one, other in zip(bare_us, fold_us, strict=True)],
            }
        )
    if options.json:
        print(json.dumps({"records": len(values), "bytes": len(values[0]), "results": results, "goal": GOAL}))
    else:
        for result in results:
            print(
                f"block {result['block_size']:>6,}, copies told in {result['deduplicate_blocks']:>2} blocks: "
                f"bare {result['bare_us']} us, fold {result['fold_us']} us per "
                f"transaction: {result['speed_of_bare']:.0%} of the bare loop's speed (goal {GOAL:.0%}), "
                f"pairs {result['pairs']}"
            )
    plain = [result for result in results if not result["deduplicate_blocks"]]
    return 0 if all(float(str(result["speed_of_bare"])) >= GOAL for result in plain) else 1


if __name__ == "__main__":
    sys.exit(main())
