"""What the readers hand out: batches of records, each with the place it came from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: file name and 1-based line (CSV, JSON Lines) or row (Parquet)."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class JsonBatch:
    """Raw JSON values, one record each and not decoded yet, of `file` (or, when sorted, of `files[i]`)."""

    file: str
    lines: Sequence[int]
    values: list[bytes]
    files: Sequence[str] = field(default=())

    def place(self, index: int) -> Place:
        """Return the place of `values[index]`."""
        return Place(self.files[index] if self.files else self.file, self.lines[index])


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Typed transactions, or the reason why a row is none; `rounded` of them lost digits, where a mapping allows it."""

    file: str
    lines: Sequence[int]
    records: list[Transaction | Reject]
    rounded: int = 0

    def place(self, index: int) -> Place:
        """Return the place of `records[index]`."""
        return Place(self.file, self.lines[index])


@dataclass(frozen=True, slots=True)
class CellBatch:
    """Cells in the order (day, region, sector), or the reason why a row is none.

    The amounts of `rounded` of them were rounded (half-even) to minor units.
    """

    file: str
    lines: Sequence[int]
    cells: list[Cell | Reject]
    rounded: int = 0

    def place(self, index: int) -> Place:
        """Return the place of `cells[index]`."""
        return Place(self.file, self.lines[index])


Batch = JsonBatch | RowBatch | CellBatch
