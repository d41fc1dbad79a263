"""Cells of one file in time order: a history is small, so it is held and sorted whole."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa
from pyarrow import compute

from earlywarn.adapters.files.batch import CellBatch
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject, RejectReason

Outcome = tuple[int, Cell | Reject]

OTHER_FIGURES = ", with other figures"
"""Stands in what is said of a cell that stands twice and is no copy."""
_ORDER = [("day", "ascending"), ("region", "ascending"), ("sector", "ascending")]


def sorted_cells(rows: Iterable[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Return the rejects of `rows` (line, outcome), and its cells by (day, region, sector).

    Sources sort by region as often as by day, and a watermark needs days in order. All cells of the file are
    in memory for it, some 300 bytes each. Where a key stands twice, the earlier line is the cell and the
    later one a reject in its place.
    """
    rejects: list[Outcome] = []
    lines: list[int] = []
    cells: list[Cell] = []
    for line, outcome in rows:
        if isinstance(outcome, Reject):
            rejects.append((line, outcome))
        else:
            lines.append(line)
            cells.append(outcome)
    order = _stable_order(cells)
    sorted_outcomes: list[Outcome] = []
    before: Cell | None = None
    first_line = 0
    for index in order:
        cell, line = cells[index], lines[index]
        if before is not None and same_key(cell, before):
            sorted_outcomes.append((line, duplicate(cell, before, f"on line {first_line}")))
        else:
            sorted_outcomes.append((line, cell))
            before, first_line = cell, line
    return rejects, sorted_outcomes


def cell_batches(name: str, outcomes: Iterable[Outcome], batch_rows: int, rounded: int = 0) -> Iterator[CellBatch]:
    """Yield `outcomes` in batches; the count of rounded amounts goes with the first."""
    rest = iter(outcomes)
    while chunk := list(islice(rest, batch_rows)):
        yield CellBatch(name, [line for line, _ in chunk], [outcome for _, outcome in chunk], rounded)
        rounded = 0


def same_key(one: Cell, other: Cell) -> bool:
    """Return whether two cells are of the same day, region and sector."""
    return one.day == other.day and one.region == other.region and one.sector == other.sector


def duplicate(cell: Cell, before: Cell, place: str) -> Reject:
    """Return the reject of a cell whose key was there before, at a place; other figures than there are told.

    Example:
        >>> from datetime import date
        >>> one, other = (Cell(date(2024, 2, 1), "AT1", "grocery", count, 300_00, "EUR") for count in (120, 80))
        >>> duplicate(one, one, "on line 7").detail
        'date, region and sector: stands on line 7 already'
        >>> duplicate(other, one, "on line 7").detail
        'date, region and sector: stands on line 7 already, with other figures; parts of a cell are to be summed before'
    """
    is_copy = (cell.transactions, cell.amount_minor, cell.currency) == (
        before.transactions,
        before.amount_minor,
        before.currency,
    )
    other = "" if is_copy else f"{OTHER_FIGURES}; parts of a cell are to be summed before"
    return Reject(
        reason=RejectReason.DUPLICATE_CELL,
        field="date",
        detail=f"date, region and sector: stands {place} already{other}",
    )


def _stable_order(cells: Sequence[Cell]) -> list[int]:
    keys = pa.table(
        {
            "day": pa.array([cell.day for cell in cells], pa.date32()),
            "region": pa.array([cell.region for cell in cells], pa.string()),
            "sector": pa.array([cell.sector for cell in cells], pa.string()),
        }
    )
    order: list[int] = compute.sort_indices(keys, sort_keys=_ORDER).to_pylist()
    return order
