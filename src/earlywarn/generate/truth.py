"""What must come out of generated data: totals by day, region, sector and channel, and what was done to the stream."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
from pyarrow import parquet

_EPOCH_DAY = date(1970, 1, 1)

Key = tuple[date, str, str, str]
"""(local day, region, sector or MCC as the records carry it, channel)."""

SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("region", pa.string()),
        ("sector", pa.string()),
        ("channel", pa.string()),
        ("transactions", pa.int64()),
        ("amount_minor", pa.int64()),
        ("late_transactions", pa.int64()),
        ("late_amount_minor", pa.int64()),
        ("duplicate_transactions", pa.int64()),
        ("duplicate_amount_minor", pa.int64()),
    ]
)
"""`transactions` and `amount_minor` count each id once, late ones among them; `duplicate_` is what copies add."""


class Truth:
    """Totals that grow as records are generated; complete when the generator is exhausted.

    `expected_rejects` counts the broken records by the reason they must be rejected for.
    """

    def __init__(self) -> None:
        self.cells: dict[Key, list[int]] = {}
        self.expected_rejects: Counter[str] = Counter()

    @property
    def transactions(self) -> int:
        """Number of good transactions, each id once."""
        return sum(row[0] for row in self.cells.values())

    @property
    def amount_minor(self) -> int:
        """Sum of their amounts, in minor units."""
        return sum(row[1] for row in self.cells.values())

    @property
    def late(self) -> int:
        """How many of the transactions arrive late by a day or more."""
        return sum(row[2] for row in self.cells.values())

    @property
    def duplicates(self) -> int:
        """How many records are second copies."""
        return sum(row[4] for row in self.cells.values())

    @property
    def broken(self) -> int:
        """How many records are broken."""
        return sum(self.expected_rejects.values())

    @property
    def records(self) -> int:
        """How many lines there are in all."""
        return self.transactions + self.duplicates + self.broken

    def add(self, key: Key, column: int, count: int, amount_minor: int) -> None:
        """Add a count and its amount at `column` (0 all, 2 late, 4 duplicate) of a row."""
        row = self.cells.setdefault(key, [0] * 6)
        row[column] += count
        row[column + 1] += amount_minor

    def table(self) -> pa.Table:
        """Return the totals by `SCHEMA`, sorted by its first four columns."""
        rows = sorted(self.cells.items())
        columns: list[list[object]] = [[key[index] for key, _ in rows] for index in range(4)]
        columns += [[row[index] for _, row in rows] for index in range(6)]
        return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)

    def write(self, folder: Path, options: object, file: str) -> None:
        """Write options, totals and expected rejects as JSON, and the table as Parquet, into `folder`.

        `truth.json` and `truth.parquet` are those of the file written last. With the file's own name before them,
        `load.truth.json` for `load.jsonl.zst`, they stay when another file is generated into the folder.
        """
        days = [key[0] for key in self.cells] or [_EPOCH_DAY]
        summary = {
            "file": file,
            "records": self.records,
            "transactions": self.transactions,
            "amount_minor": self.amount_minor,
            "first_day": min(days),
            "days": (max(days) - min(days)) // timedelta(days=1) + 1 if self.cells else 0,
            "late": self.late,
            "duplicates": self.duplicates,
            "broken": self.broken,
            "expected_rejects": dict(sorted(self.expected_rejects.items())),
            "options": options,
        }
        text = msgspec.json.format(msgspec.json.encode(summary), indent=2)
        table = self.table()
        for name in (f"{file.partition('.')[0]}.truth", "truth"):
            parquet.write_table(table, folder / f"{name}.parquet")
            (folder / f"{name}.json").write_bytes(text + b"\n")
