"""Parquet: rows as Python values, a few thousand at a time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from earlywarn.errors import InputError


def parquet_header(path: Path) -> list[str]:
    """Return the names of the columns. Raises InputError for a file that is no Parquet file."""
    try:
        return list(parquet.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); write it again") from error


def parquet_rows(
    path: Path, columns: Sequence[str], batch_rows: int, progress: Callable[[float], None]
) -> Iterator[list[tuple[object, ...]]]:
    """Yield the values of `columns` row by row, in lists of at most `batch_rows`; null is None.

    `progress` is told the share of the rows read so far.

    Raises:
        InputError: a damaged page.
    """
    try:
        with parquet.ParquetFile(path) as file:
            total = max(1, file.metadata.num_rows)
            done = 0
            for batch in file.iter_batches(batch_size=batch_rows, columns=list(columns)):
                done += batch.num_rows
                progress(done / total)
                values = [_values(batch.column(name)) for name in columns]
                yield list(zip(*values, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: the Parquet file is damaged ({error}); write it again") from error


def _values(column: pa.Array) -> list[object]:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        # Python's times end at microseconds; the rest is no use to a bucket.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    values: list[object] = column.to_pylist()
    return values
