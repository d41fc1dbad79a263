"""Putting records in time order: an external sort for transactions, a merge for cells of several files."""

import heapq
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from earlywarn.adapters.files.batch import CellBatch, JsonBatch, RowBatch
from earlywarn.adapters.files.cells import Outcome, cell_batches, duplicate
from earlywarn.adapters.files.inputs import InputFile
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError

RUN_BYTES = 64 << 20
"""Bytes of raw records that are sorted in memory at a time; with Python's objects some four times as much."""
FAN_IN = 256
"""Spill files read at a time; more are merged in passes, so that open files stay few."""

_BATCH_RECORDS = 8_192
_FRAME = struct.Struct("<qqIII")
_READ_BYTES = 256 * 1024


class _Record(NamedTuple):
    """One record in the order it sorts: time, then the order of reading."""

    ts_ms: int
    sequence: int
    file: int
    line: int
    value: bytes


def sorted_transactions(
    inputs: Sequence[InputFile],
    time_of: Callable[[bytes], int | None],
    tmpdir: Path,
    run_bytes: int = RUN_BYTES,
) -> Iterator[JsonBatch | RowBatch]:
    """Yield the transactions of all inputs by event time (ties in the order of reading), in bounded memory.

    An external merge sort: sorted runs of `run_bytes` spill to a temporary folder inside `tmpdir`, about the
    size of the uncompressed inputs, which is removed at the end. `time_of` returns a raw record's epoch
    milliseconds, None for one that cannot be read: those, and rejected rows, come out first, as read, for the
    intake to reject. Typed rows come out as JSON.

    Raises:
        InputError: an input is of cells, damaged, or the temporary folder cannot be written.
    """
    for file in inputs:
        if file.kind == "cells":
            raise InputError(f"{file.name}: cells are sorted as they are read; sort transactions only")
    try:
        with tempfile.TemporaryDirectory(prefix="earlywarn-sort-", dir=tmpdir) as folder:
            runs = _Runs(Path(folder), run_bytes)
            for number, file in enumerate(inputs):
                yield from runs.spill(number, file, time_of)
            names = [file.name for file in inputs]
            for records in _chunks(runs.merged()):
                files = [names[record.file] for record in records]
                lines = [record.line for record in records]
                yield JsonBatch(files[0], lines, [record.value for record in records], files)
    except OSError as error:
        raise InputError(f"{tmpdir}: sorting needs room for the uncompressed inputs: {error}") from error


class _Runs:
    """Sorted runs on disk."""

    def __init__(self, folder: Path, run_bytes: int) -> None:
        self._folder = folder
        self._run_bytes = run_bytes
        self._paths: list[Path] = []
        self._records: list[_Record] = []
        self._bytes = 0
        self._sequence = 0
        self._made = 0

    def spill(
        self, number: int, file: InputFile, time_of: Callable[[bytes], int | None]
    ) -> Iterator[JsonBatch | RowBatch]:
        """Take in one file; yield what has no time."""
        for batch in file.batches():
            if isinstance(batch, CellBatch):
                continue
            lost: list[tuple[int, bytes]] = []
            rejects: list[tuple[int, Transaction | Reject]] = []
            for line, value in zip(batch.lines, _raw(batch), strict=True):
                if isinstance(value, Reject):
                    rejects.append((line, value))
                elif (ts_ms := time_of(value)) is None:
                    lost.append((line, value))
                else:
                    self._add(_Record(ts_ms, self._sequence, number, line, value))
            if lost:
                yield JsonBatch(file.name, [line for line, _ in lost], [value for _, value in lost])
            if rejects or (isinstance(batch, RowBatch) and batch.rounded):
                rounded = batch.rounded if isinstance(batch, RowBatch) else 0
                yield RowBatch(file.name, [line for line, _ in rejects], [reject for _, reject in rejects], rounded)

    def _add(self, record: _Record) -> None:
        self._records.append(record)
        self._sequence += 1
        self._bytes += len(record.value)
        if self._bytes >= self._run_bytes:
            self._records.sort()
            self._paths.append(self._write(self._records))
            self._records = []
            self._bytes = 0

    def merged(self) -> Iterator[_Record]:
        """Return all records in order."""
        while len(self._paths) >= FAN_IN:
            first = self._paths[:FAN_IN]
            self._paths = [*self._paths[FAN_IN:], self._write(heapq.merge(*map(_read, first)))]
            for path in first:
                path.unlink()
        self._records.sort()
        return heapq.merge(*map(_read, self._paths), self._records)

    def _write(self, records: Iterable[_Record]) -> Path:
        path = self._folder / f"run-{self._made}"
        self._made += 1
        with path.open("wb", buffering=1 << 20) as stream:
            for ts_ms, sequence, file, line, value in records:
                stream.write(_FRAME.pack(ts_ms, sequence, file, line, len(value)) + value)
        return path


def _raw(batch: JsonBatch | RowBatch) -> Iterable[bytes | Reject]:
    if isinstance(batch, JsonBatch):
        return batch.values
    return (record if isinstance(record, Reject) else msgspec.json.encode(record) for record in batch.records)


def _read(path: Path) -> Iterator[_Record]:
    with path.open("rb", buffering=_READ_BYTES) as stream:
        while record := _next(stream):
            yield record


def _next(stream: BinaryIO) -> _Record | None:
    frame = stream.read(_FRAME.size)
    if not frame:
        return None
    ts_ms, sequence, file, line, size = _FRAME.unpack(frame)
    return _Record(ts_ms, sequence, file, line, stream.read(size))


def _chunks(records: Iterator[_Record]) -> Iterator[list[_Record]]:
    chunk: list[_Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == _BATCH_RECORDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def merge_cells(inputs: Sequence[InputFile]) -> Iterator[CellBatch]:
    """Yield the cells of several files day by day, files in the order given within a day; rejects come as met.

    A cell whose day, region and sector stand in an earlier file is a duplicate. Holds all the files' cells.

    Raises:
        InputError: an input is of transactions, or damaged.
    """
    days: dict[date, list[tuple[InputFile, Outcome]]] = {}
    for file in inputs:
        if file.kind != "cells":
            raise InputError(f"{file.name}: transactions; only cells are merged by day")
        for batch in file.batches():
            rejects: list[Outcome] = []
            for line, outcome in zip(batch.lines, batch.cells if isinstance(batch, CellBatch) else (), strict=True):
                if isinstance(outcome, Reject):
                    rejects.append((line, outcome))
                else:
                    days.setdefault(outcome.day, []).append((file, (line, outcome)))
            rounded = batch.rounded if isinstance(batch, CellBatch) else 0
            if rejects or rounded:
                yield CellBatch(file.name, [line for line, _ in rejects], [reject for _, reject in rejects], rounded)
    for day in sorted(days):
        seen: dict[tuple[str, str], tuple[str, Cell]] = {}
        for name, group in groupby(days.pop(day), key=lambda item: item[0].name):
            outcomes = [_once(outcome, name, seen) for _, outcome in group]
            yield from cell_batches(name, outcomes, _BATCH_RECORDS)


def _once(outcome: Outcome, name: str, seen: dict[tuple[str, str], tuple[str, Cell]]) -> Outcome:
    line, cell = outcome
    if not isinstance(cell, Cell):
        return outcome
    first, before = seen.setdefault((cell.region, cell.sector), (name, cell))
    return outcome if first == name else (line, duplicate(cell, before, f"in {first}"))
