"""Batched records against single ones: from the bytes of a message to partials, with every validation on.

    python tests/bench/bench_columns.py [--records 500000] [--rounds 5] [--rows 50000] [--json]

JSON: intake and first fold of single records, blocks of 2,000 offsets. Arrow: decoding and first fold of messages
of 5,000 to 100,000 rows, blocks of 100,000 transactions. Both take turns in one process and must count the same;
figures are CPU time, ratios of medians. The goal is set for plain records in messages of `--rows`.

Plain records are those of bench_fold.py. Varied ones have 26 regions, 2 % late, 3 % refunds and reversals, 2 %
foreign currencies, 0.1 % rejected, two channels and two sources.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import msgspec
import pyarrow as pa
from bench_fold import MCCS, PANEL, RECEIVED_MS, records

from earlywarn.adapters.arrow_batch import ArrowBatch, decode, encode_table
from earlywarn.aggregation.block import BlockFold, FoldParameters, Rejected
from earlywarn.aggregation.intake import decode as decode_json
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.route import Router
from earlywarn.application.compose import compose
from earlywarn.application.settings import Settings, load
from earlywarn.domain.money import RateTable

JSON_BATCH = 2_000
BLOCK_TRANSACTIONS = 100_000
SIZES = (5_000, 15_000, 50_000, 100_000)
GOAL = 20


@dataclass(frozen=True)
class Workload:
    """The same records as single JSON values and, by rows of a message, as Arrow messages."""

    name: str
    values: list[bytes]
    messages: dict[int, list[bytes]]


def varied(count: int) -> list[bytes]:
    """Return records that need a look now and then."""
    rng = random.Random(11)
    regions = [f"CH0{digits}" for digits in (*range(11, 14), *range(21, 26), 31, 32, 33, 40, *range(51, 58))]
    changed = []
    for value in records(count):
        record = msgspec.json.decode(value)
        record |= {"region": rng.choice(regions), "source": rng.choice("ab"), "mcc": rng.choice(MCCS)}
        record["channel"] = "pos" if rng.random() < 0.8 else "ecom"
        draw = rng.random()
        if draw < 0.03:
            record["kind"] = rng.choice(["refund", "reversal"])
        elif draw < 0.05:
            record["currency"] = rng.choice(["EUR", "USD"])
        elif draw < 0.07:
            record["ts"] -= 6 * 3_600_000
        elif draw < 0.071:
            record["mcc"] = "54"
        changed.append(msgspec.json.encode(record))
    return changed


def workload(name: str, values: list[bytes], sizes: list[int]) -> Workload:
    """Write records as messages of several sizes."""
    found = [msgspec.json.decode(value) for value in values]
    names = dict.fromkeys(name for record in found for name in record)
    table = pa.table({name: [record.get(name) for record in found] for name in names})
    messages = {
        size: [encode_table(table.slice(start, size)) for start in range(0, len(values), size)] for size in sizes
    }
    return Workload(name, values, messages)


def router() -> Router:
    """Return the Swiss panel by MCC and hour, with rates for two currencies."""
    settings = msgspec.structs.replace(load(PANEL, {}).panels[0], classification="mcc", resolution="hour")
    panel = compose(Settings(run="bench", panels=(settings,))).panels[0].panel
    rates = {"EUR": [(date(2019, 1, 1), Decimal("1.1278"))], "USD": [(date(2019, 3, 5), Decimal("0.99731"))]}
    return Router([replace(panel, rates=RateTable("CHF", rates))])


class Counted:
    """What partials and rejects say, so that both ways can be compared."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[object, ...]] = Counter()
        self.rejected: Counter[str] = Counter()

    def take(self, folded: tuple[list[Partial], list[Rejected]]) -> None:
        """Add sealed blocks, whose partials are complete."""
        for partial in folded[0]:
            for row in partial.rows:
                key = (row.region, row.sector, row.bucket, row.late)
                self.rows[*key, "transactions"] += row.transactions
                self.rows[*key, "amount"] += row.amount_minor
        self.rejected.update(each.reject.reason for each in folded[1])


def fold_json(route: Router, values: list[bytes]) -> list[tuple[list[Partial], list[Rejected]]]:
    """Fold single records."""
    block = BlockFold(route, FoldParameters(block_size=JSON_BATCH))
    found = []
    for start in range(0, len(values), JSON_BATCH):
        batch = values[start : start + JSON_BATCH]
        found.append(block.add(range(start, start + len(batch)), decode_json(batch), RECEIVED_MS))
    last = block.flush()
    return [*found, ([last] if last else [], [])]


def fold_arrow(route: Router, messages: list[bytes], rows: int) -> list[tuple[list[Partial], list[Rejected]]]:
    """Fold batched records."""
    block = BlockFold(route, FoldParameters(block_size=max(1, BLOCK_TRANSACTIONS // rows)))
    found = []
    for offset, message in enumerate(messages):
        batch = decode(message)
        if not isinstance(batch, ArrowBatch):
            raise SystemExit(f"message {offset} is no batch: {batch}")
        found.append(block.add_columns(offset, batch.columns, RECEIVED_MS))
    last = block.flush()
    return [*found, ([last] if last else [], [])]


def timed(work: Callable[[], list[tuple[list[Partial], list[Rejected]]]], expected: Counted | None) -> float:
    """Return CPU seconds, and check the sums and the rejects."""
    gc.collect()
    started = time.process_time()
    found = work()
    elapsed = time.process_time() - started
    if expected is not None:
        counted = Counted()
        for each in found:
            counted.take(each)
        if (counted.rows, counted.rejected) != (expected.rows, expected.rejected):
            raise SystemExit("columns and single records do not count the same")
    return elapsed


def measure(work: Workload, rounds: int) -> list[dict[str, object]]:
    """Measure one workload in turns; one result for each size of message."""
    route = router()
    expected = Counted()
    for each in fold_json(route, work.values):
        expected.take(each)
    json_seconds: list[float] = []
    arrow_seconds: dict[int, list[float]] = {rows: [] for rows in work.messages}
    for _ in range(rounds):
        json_seconds.append(timed(lambda: fold_json(route, work.values), expected))
        for rows, messages in work.messages.items():
            arrow_seconds[rows].append(timed(lambda m=messages, n=rows: fold_arrow(route, m, n), expected))  # type: ignore[misc]
    count = len(work.values)
    return [
        {
            "records": work.name,
            "rows": rows,
            "bytes_per_row": round(sum(map(len, work.messages[rows])) / count, 1),
            "json_per_second": round(count / statistics.median(json_seconds)),
            "arrow_per_second": round(count / statistics.median(seconds)),
            "ratio": round(statistics.median(json_seconds) / statistics.median(seconds), 1),
            "pairs": [round(one / other, 1) for one, other in zip(json_seconds, seconds, strict=True)],
        }
        for rows, seconds in arrow_seconds.items()
    ]


def main() -> int:
    """Measure and print; fail if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = sorted({*SIZES, options.rows})
    results = []
    for name, make in (("plain", records), ("varied", varied)):
        results += measure(workload(name, make(options.records), sizes), options.rounds)
    [decisive] = [each for each in results if (each["records"], each["rows"]) == ("plain", options.rows)]
    if options.json:
        print(json.dumps({"count": options.records, "results": results, "goal": GOAL}))
    else:
        for each in results:
            print(
                f"{each['records']:>6} records, {each['rows']:>7,} a message ({each['bytes_per_row']} bytes each): "
                f"JSON {each['json_per_second']:>9,}/s, Arrow {each['arrow_per_second']:>10,}/s, "
                f"{each['ratio']} times; pairs {each['pairs']}"
            )
        print(f"plain records, {options.rows:,} a message: {decisive['ratio']} times (goal {GOAL})")
    return 0 if float(str(decisive["ratio"])) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
