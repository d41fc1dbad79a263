"""Putting records in time order: an external sort for transactions, a merge for cells of several files."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from earlywarn.adapters.files.batch import CellBatch, JsonBatch, RowBatch
from earlywarn.adapters.files.inputs import InputFile


def sorted_transactions(
    inputs: Sequence[InputFile], time_of: Callable[[bytes], int | None], tmpdir: Path
) -> Iterator[JsonBatch | RowBatch]:
    """Yield the transactions of all inputs by event time, with bounded memory (external merge sort in `tmpdir`).

    `time_of` returns a raw record's epoch milliseconds, None for one that cannot be read: such records
    come first, untouched, so that the intake rejects them. Typed rows come out as JSON.
    """
    raise NotImplementedError


def merge_cells(inputs: Sequence[InputFile]) -> Iterator[CellBatch]:
    """Yield the cells of several files day by day; a cell that stands in two files is a duplicate in the later one."""
    raise NotImplementedError
