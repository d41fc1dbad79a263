"""Opening inputs: patterns to files, files to what they hold, and a reader for each."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from earlywarn.adapters.files.batch import Batch, RowBatch
from earlywarn.adapters.files.cells import Outcome, cell_batches, sorted_cells
from earlywarn.adapters.files.columnar import parquet_rows
from earlywarn.adapters.files.delimited import csv_rows
from earlywarn.adapters.files.json_lines import json_batches
from earlywarn.adapters.files.json_rows import json_rows
from earlywarn.adapters.files.layout import Layout, look
from earlywarn.adapters.files.mapping import ColumnMapping
from earlywarn.adapters.files.mappings import shipped_mapping_names
from earlywarn.adapters.files.rows import CellRows, InputDefaults, TransactionRows
from earlywarn.adapters.files.source import ByteSource, require_file
from earlywarn.adapters.files.template import mapping_for
from earlywarn.aggregation.intake import RECORD_BYTES_LIMIT
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import EmptyInputError, InputError

_ROW_SIZE = 8
"""Rows as Python lists take many times their bytes, so they are read in smaller chunks than raw records."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of memory: bytes read at a time, bytes of one record, rows of one typed batch."""

    chunk_bytes: int = 4 << 20
    record_bytes: int = RECORD_BYTES_LIMIT
    batch_rows: int = 4_096


@dataclass(slots=True)
class InputFile:
    """One file to read. `batches()` may be called several times; each call reads from the start.

    `position_bytes` is how far the latest reading got, in bytes of the file as it lies on disk.
    """

    name: str
    path: Path
    layout: Layout
    size_bytes: int
    defaults: InputDefaults
    limits: ReadLimits
    _source: ByteSource = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = ByteSource(self.path)

    @property
    def kind(self) -> Literal["cells", "transactions"]:
        """What the file holds."""
        return self.layout.kind

    @property
    def guessed_mapping(self) -> str | None:
        """The name of the shipped mapping that was taken because its columns are all there, None if none was."""
        mapping = self.layout.mapping
        return mapping.name if mapping is not None and self.layout.guessed else None

    @property
    def has_shipped_mapping(self) -> bool:
        """Return whether a shipped mapping reads it, whose sector codes are those of a known provider."""
        return self.layout.mapping is not None and self.layout.mapping.name in shipped_mapping_names()

    @property
    def has_own_columns(self) -> bool:
        """Return whether its columns are earlywarn's own, so that a mapping may read them otherwise."""
        return self.layout.own

    def states(self, name: str) -> bool:
        """Return whether the records themselves can say the field `name` (`currency`, say), for every form of input."""
        return self.layout.mapping is None or name in self.layout.mapping.fields

    def mapping_for(self, said: Iterable[str]) -> str:
        """Return a mapping by which the file is read as details of rejects say; empty if it has one, or needs none."""
        mapping = self.layout.mapping
        if mapping is None or not self.layout.own:
            return ""
        return mapping_for(mapping.kind, mapping.fields, self.layout.form, said)

    @property
    def position_bytes(self) -> int:
        """Bytes of the file read so far, from 0 to `size_bytes`."""
        return self._source.position_bytes

    def batches(self) -> Iterator[Batch]:
        """Yield the file's records in order; cells are sorted by day first.

        Raises:
            InputError: the file is damaged (a cut-off gzip, say) or has gone.
        """
        mapping = self.layout.mapping
        if mapping is None:
            yield from json_batches(self._source, self.name, self.limits.chunk_bytes, self.limits.record_bytes)
        elif mapping.kind == "cells":
            cells = CellRows(mapping, self.layout.header, self.defaults, self.name)
            rejects, outcomes = sorted_cells(_converted(self._rows(), cells))
            yield from cell_batches(self.name, rejects, self.limits.batch_rows)
            yield from cell_batches(self.name, outcomes, self.limits.batch_rows, cells.rounded)
        else:
            yield from self._row_batches(TransactionRows(mapping, self.layout.header, self.defaults, self.name))

    def _row_batches(self, rows: TransactionRows) -> Iterator[RowBatch]:
        for chunk in self._rows():
            for start in range(0, len(chunk), self.limits.batch_rows):
                part = chunk[start : start + self.limits.batch_rows]
                before = rows.rounded
                records: list[Transaction | Reject] = [
                    row if isinstance(row, Reject) else rows.convert(row, line) for line, row in part
                ]
                yield RowBatch(self.name, [line for line, _ in part], records, rows.rounded - before)

    def _rows(self) -> Iterator[list[tuple[int, Sequence[object] | Reject]]]:
        layout, limits = self.layout, self.limits
        chunk_bytes = max(1, limits.chunk_bytes // _ROW_SIZE)
        if layout.format == "parquet":
            line = 1
            for rows in parquet_rows(self.path, layout.header, limits.batch_rows, self._progress):
                yield list(enumerate(rows, line))
                line += len(rows)
        elif layout.format == "csv":
            columns = len(layout.header)
            for numbered in csv_rows(self._source, layout.form, columns, chunk_bytes, limits.record_bytes):
                yield list(numbered)
        else:
            yield from json_rows(self._source, layout.header, chunk_bytes, limits.record_bytes)

    def _progress(self, share: float) -> None:
        self._source.position_bytes = round(self.size_bytes * share)


def _converted(chunks: Iterator[list[tuple[int, Sequence[object] | Reject]]], cells: CellRows) -> Iterator[Outcome]:
    for chunk in chunks:
        for line, row in chunk:
            yield line, row if isinstance(row, Reject) else cells.convert(row, line)


def open_inputs(
    patterns: Sequence[str],
    mapping: ColumnMapping | None = None,
    defaults: InputDefaults | None = None,
    limits: ReadLimits | None = None,
) -> list[InputFile]:
    """Find the files of `patterns` (paths and globs, each match sorted, each file once) and see what each holds.

    Raises:
        InputError: no match, not readable, or of a form that is not known; one line for every such file. It is an
            EmptyInputError if there is nothing in any of them.
    """
    defaults = defaults or InputDefaults()
    limits = limits or ReadLimits()
    problems: list[str] = []
    empty = 0
    inputs: dict[Path, InputFile] = {}
    for pattern in patterns:
        for path in _matches(pattern, problems):
            if path.resolve() in inputs:
                continue
            try:
                inputs[path.resolve()] = _open(path, mapping, defaults, limits)
            except InputError as error:
                problems.append(str(error))
                empty += isinstance(error, EmptyInputError)
    if empty and empty == len(problems) and not inputs:
        raise EmptyInputError("\n".join(problems))
    if problems or not inputs:
        raise InputError("\n".join(problems) or "no input is named; give files or globs")
    return list(inputs.values())


def _matches(pattern: str, problems: list[str]) -> list[Path]:
    if not glob.has_magic(pattern) or Path(pattern).exists():  # one that holds brackets is a name before it is a glob
        return [Path(pattern)]
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if not Path(name).is_dir()]  # noqa: PTH207  # a pattern may be absolute
    if not found:
        problems.append(f"{pattern}: no file matches the pattern; check its folder and its ending")
    return found


def _open(path: Path, mapping: ColumnMapping | None, defaults: InputDefaults, limits: ReadLimits) -> InputFile:
    require_file(path)
    layout = look(path, mapping)
    name = str(path)
    if layout.mapping is not None:
        # What the columns and the settings do not give is said now, not in the middle of a run.
        rows = CellRows if layout.mapping.kind == "cells" else TransactionRows
        rows(layout.mapping, layout.header, defaults, name)
    return InputFile(name, path, layout, path.stat().st_size, defaults, limits)
