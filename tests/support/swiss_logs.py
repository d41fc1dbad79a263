"""The Swiss sample as the logs of source partitions, with late and broken records in them, and the truth of it."""

import csv
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zlib import crc32
from zoneinfo import ZoneInfo

from stream_run import Log

from earlywarn.aggregation.intake import decode_one
from earlywarn.aggregation.route import Route
from earlywarn.application.compose import Run
from earlywarn.domain.reject import Reject

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "swiss_cards" / "region_sector_daily.csv.gz"
PANEL = """
[[panels]]
id = "CH"
name = "Switzerland"
countries = ["CH"]
classification = "swiss-mcs"
resolution = "day"
[panels.regions]
9999 = "Liechtenstein and Campione"
"""
REGIONS = {
    "Lake Geneva": "CH01",
    "Espace Mittelland": "CH02",
    "Northwestern": "CH03",
    "Zurich": "CH04",
    "Eastern": "CH05",
    "Central": "CH06",
    "Ticino": "CH07",
    "9999": "9999",
}
ZURICH = ZoneInfo("Europe/Zurich")
BROKEN: tuple[bytes | None, ...] = (
    None,
    b"",
    b"not json",
    b"[1, 2]",
    b"\xff\xfe\x00",
    b'{"id":"x"}',
    b'{"id":"x","ts":"noon","amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}',
    b'{"id":"x","ts":1551702896000,"amount_minor":NaN,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}',
    b'{"id":"x","ts":1551702896000,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"XX","country":"CH"}',
    b'{"id":"x","ts":4090000000000,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}',
    b'{"id":"x","ts":631152000001,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}',
)
"""One of each kind: no value, no JSON, wrong types, far future, far past, not a number."""


@dataclass(frozen=True, slots=True)
class SwissLogs:
    """Logs by partition; `truth` is (transactions, amount) by cell and day; `broken` how many were put in."""

    logs: list[Log]
    truth: dict[tuple[str, str], tuple[int, int]]
    broken: int


def swiss_logs(
    run: Run, partitions: int, *, days: int = 425, late_share: float = 0.0, broken_share: float = 0.0, copies: int = 1
) -> SwissLogs:
    """Return the sample's first `days` days as logs.

    Late records come one to nine days after their time; the broken are of every kind in turn; with `copies` every
    record stands so often in its log, the copies in another order. They count, unless the run de-duplicates.
    """
    counting = 1 if run.settings.fold.deduplicate_blocks else copies
    rng = Random(5)
    logs: list[list[tuple[float, bytes | None]]] = [[] for _ in range(partitions)]
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    first = datetime.fromisoformat(rows[0]["Date"])
    broken = 0
    for number, row in enumerate(rows):
        day = datetime.fromisoformat(row["Date"])
        if day >= first + timedelta(days=days):
            break
        value, moment_ms = _record(number, row)
        outcome = decode_one(value)
        assert not isinstance(outcome, Reject)
        route = run.router.resolve(outcome)
        assert isinstance(route, Route), route
        log = logs[crc32("/".join(route.target).encode()) % partitions]
        for copy in range(copies):
            delay_days = rng.randint(1, 9) if rng.random() < late_share else 0
            log.append((moment_ms + delay_days * 86_400_000 + rng.random(), value))
            if copy >= counting:
                continue
            cell = sums["/".join(route.target), row["Date"]]
            cell[0] += outcome.count
            cell[1] += outcome.amount_minor
        if rng.random() < broken_share:
            log.append((moment_ms + rng.random(), BROKEN[broken % len(BROKEN)]))
            broken += 1
    ordered = [[value for _, value in sorted(log, key=lambda each: each[0])] for log in logs]
    return SwissLogs(ordered, {key: (count, amount) for key, (count, amount) in sums.items()}, broken)


def _record(number: int, row: dict[str, str]) -> tuple[bytes, int]:
    noon = datetime.fromisoformat(f"{row['Date']}T12:00:00").replace(tzinfo=ZURICH)
    moment_ms = int(noon.timestamp() * 1000)
    record = {
        "id": f"r{number}",
        "ts": moment_ms,
        "amount_minor": round(float(row["Amount CHF"]) * 100),
        "currency": "CHF",
        "sector": row["Merchant category"],
        "region": REGIONS[row["Region"]],
        "country": "CH",
        "channel": "pos",
        "card": f"card-{number % 97}",
        "count": int(row["Number of transactions"]),
    }
    return json.dumps(record).encode(), moment_ms
