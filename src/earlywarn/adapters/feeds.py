"""Input files as feeds of the embedded run: every batch becomes decoded outcomes with their places."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from earlywarn.adapters.files import Batch, CellBatch, InputFile, JsonBatch, Place, merge_cells, sorted_transactions
from earlywarn.aggregation.intake import Outcome, decode
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Place as CellPlace
from earlywarn.domain.reject import Reject, Whereabouts
from earlywarn.domain.transaction import Transaction


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Outcomes, and where each record stands; `cells` are what the outcomes were made of, where a file holds cells."""

    outcomes: Sequence[Outcome]
    place: Callable[[int], Place]
    rounded: int = 0
    cells: Sequence[Cell | Reject] = ()

    def told(self, index: int, reject: Reject) -> Reject:
        """Return why the folds refuse a record in the words of its file: a cell has a date, and no time."""
        cell = self.cells[index] if self.cells else None
        if not isinstance(cell, Cell) or reject.field != "ts":
            return reject
        return msgspec.structs.replace(reject, field="date", detail=f"{cell.day}: {reject.detail.rpartition(': ')[2]}")


class FileFeed:
    """The batches of one reading, decoded. Cells count at noon of their local day.

    Attributes:
        records: how many were read of each file.
        rounded: how many amounts of each file were rounded to minor units.
        one_sided: cells with transactions and no amount, or an amount and no transactions, which count as they stand.
        first_one_sided: where the first of these stands.
    """

    def __init__(self, read: Callable[[], Iterator[Batch]], calendar: LocalCalendar) -> None:
        self._read = read
        self._calendar = calendar
        self._noons: dict[date, int] = {}
        self.records: Counter[str] = Counter()
        self.rounded: Counter[str] = Counter()
        self.one_sided = 0
        self.first_one_sided: Place | None = None

    def batches(self) -> Iterator[DecodedBatch]:
        """Yield the records in the order of the file."""
        for batch in self._read():
            self.records.update(_files_of(batch))
            if isinstance(batch, JsonBatch):
                yield DecodedBatch(decode(batch.values), batch.place)
            elif isinstance(batch, CellBatch):
                self.rounded[batch.file] += batch.rounded
                outcomes = [self._transaction(cell, batch.place(at)) for at, cell in enumerate(batch.cells)]
                yield DecodedBatch(outcomes, batch.place, batch.rounded, batch.cells)
            else:
                self.rounded[batch.file] += batch.rounded
                yield DecodedBatch(batch.records, batch.place, batch.rounded)

    def _transaction(self, cell: Cell | Reject, place: Place) -> Outcome:
        """Return the record that stands for all payments of a cell."""
        if isinstance(cell, Reject):
            return self._with_time(cell)
        if (cell.transactions == 0) != (cell.amount_minor == 0):
            self.one_sided += 1
            self.first_one_sided = self.first_one_sided or place
        return Transaction(
            id=f"{place.file}:{place.line}"[-128:],
            ts=self._noon(cell.day),
            amount_minor=cell.amount_minor,
            currency=cell.currency,
            sector=cell.sector,
            region=cell.region,
            country=cell.country,
            count=cell.transactions,
        )

    def _with_time(self, reject: Reject) -> Reject:
        """Return why a row is no cell, and where it would have counted as a record does that stands for a cell."""
        about = reject.about
        if not isinstance(about, Cell):
            return reject
        place = CellPlace(region=about.region, country=about.country, sector=about.sector)
        told = Whereabouts(ts=self._noon(about.day), place=place, count=about.transactions)
        return msgspec.structs.replace(reject, about=told)

    def _noon(self, day: date) -> int:
        noon = self._noons.get(day)
        if noon is None:
            start, _ = self._calendar.day_bounds(day)
            noon = self._noons[day] = (start + 12 * 3600) * 1000
        return noon


def feeds_of(inputs: Sequence[InputFile], calendar: LocalCalendar, *, sort_in: Path | None = None) -> list[FileFeed]:
    """Return one feed for all cells, and one for each file of transactions (or one for all, sorted by time)."""
    cells = [each for each in inputs if each.kind == "cells"]
    transactions = [each for each in inputs if each.kind == "transactions"]
    feeds = [FileFeed(lambda: iter(merge_cells(cells)), calendar)] if cells else []
    if transactions and sort_in is not None:
        return [*feeds, FileFeed(lambda: iter(sorted_transactions(transactions, _time_of, sort_in)), calendar)]
    return [*feeds, *(FileFeed(each.batches, calendar) for each in transactions)]


def _files_of(batch: Batch) -> Mapping[str, int]:
    """Return how many records of a batch are of which file: of several, if they were sorted."""
    if isinstance(batch, JsonBatch) and batch.files:
        return Counter(batch.files)
    return {batch.file: len(batch.lines)}


def _time_of(value: bytes) -> int | None:
    outcome = decode([value])[0]
    return None if isinstance(outcome, Reject) else outcome.ts
