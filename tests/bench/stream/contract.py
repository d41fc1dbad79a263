"""What every program of the comparison is told, and what it has to say.

Told by environment: see `Task`. It reads `input` from the beginning, counts and sums by region, sector and hour
(UTC), writes rows to `output` and exits with 0 once they are safe. A row is JSON, `{region, sector, hour, count,
sum}`, hour in epoch milliseconds; its key names the row, and the last row of a key counts. Rows of different keys
may be parts of one cell, which the reader adds up: so an engine may keep its state by source partition, as
earlywarn's aggregator does, and needs no shuffle.

Said on standard output: a line `first` with the time and its own CPU time so far, when it has its first event, and
a line `last` with the same when all is done. Imports nothing beyond the standard library.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

HOUR_MS = 3_600_000
REGIONS = ("CH01", "CH02", "CH03", "CH04", "CH05", "CH06", "CH07")
SECTOR_OF_MCC = {
    "5411": "grocery", "5462": "grocery", "5499": "grocery",
    "5812": "restaurants", "5813": "restaurants", "5814": "restaurants",
    "5541": "fuel",
    "4111": "public-transport", "4121": "public-transport",
    "5651": "clothing", "5661": "clothing",
    "5912": "pharmacies",
    "5311": "department-general",
    "5941": "leisure-goods", "5942": "leisure-goods", "5945": "leisure-goods",
    "5732": "electronics",
    "5200": "diy-garden",
    "5712": "household-furnishing",
    "8011": "health-care",
    "7230": "personal-services",
    "7832": "recreation-culture", "7997": "recreation-culture",
    "7011": "accommodation",
    "4511": "airlines",
}  # fmt: skip
"""25 codes in 16 sectors, as the shipped classification `mcc` has them (a test compares)."""

Cell = tuple[str, str, int]
"""Region, sector, start of the hour in epoch milliseconds."""
Totals = dict[Cell, tuple[int, int]]
"""Count and sum in minor units by cell."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a program is told; every field is an environment variable `BENCH_<FIELD>`.

    brokers: host:port. input, output: topics. group: an id of its own, unused so far. events: how many there are
    in `input`. state: an empty folder. variant: which of the program's ways. grace_seconds: how late an event may
    be where the variant closes windows.
    """

    brokers: str
    input: str
    output: str
    group: str
    events: int
    state: str
    variant: str = ""
    grace_seconds: int = 0

    @classmethod
    def told(cls) -> "Task":
        """Return the task in the environment."""
        said = {name[6:].lower(): value for name, value in os.environ.items() if name.startswith("BENCH_")}
        numbers = {name: int(said[name]) for name in ("events", "grace_seconds")}
        return cls(**{name: said[name] for name in said if name in cls.__slots__} | numbers)

    def environment(self) -> dict[str, str]:
        """Return the variables that tell it."""
        return {f"BENCH_{name.upper()}": str(value) for name, value in asdict(self).items()} | {
            "BENCH_SECTORS": json.dumps(SECTOR_OF_MCC)
        }


def rows_of(totals: Totals) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each cell."""
    for (region, sector, hour), (count, total) in totals.items():
        row = {"region": region, "sector": sector, "hour": hour, "count": count, "sum": total}
        yield f"{region}|{sector}|{hour}".encode(), json.dumps(row).encode()


def say_first() -> None:
    """Say that the first event is there."""
    _say("first")


def say_last() -> None:
    """Say that every result is safe."""
    _say("last")


def _say(what: str) -> None:
    print(f"{what} {time.time():.6f} {time.process_time():.6f}", flush=True)
