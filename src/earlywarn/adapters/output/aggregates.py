"""aggregates.parquet: one row per series or total, closed bucket and vintage (docs/outputs.md).

Written in two passes with bounded memory: rows as they come, then once more with `latest`, which is
known only when the run is over.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earlywarn.aggregation.rows import WINDOWS, AggregateRows
from earlywarn.domain.series import Series

_ROWS_PER_GROUP = 65_536
_MEANS = {"24h": (24, "hour"), "7d": (7, "day"), "28d": (28, "day")}
_MEASURES = ("transactions", "amount_minor")


def _schema() -> pa.Schema:
    fields = [
        pa.field("series_id", pa.string(), nullable=False),
        pa.field("panel", pa.string(), nullable=False),
        pa.field("level", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("sector", pa.string()),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("start", pa.string(), nullable=False),
        pa.field("transactions", pa.int64(), nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("vintage", pa.int32(), nullable=False),
        pa.field("latest", pa.bool_(), nullable=False),
        pa.field("coverage", pa.float64(), nullable=False),
        pa.field("coverage_partitions", pa.float64(), nullable=False),
        pa.field("coverage_volume", pa.float64(), nullable=False),
    ]
    fields += [pa.field(f"{measure}_{window}", pa.int64()) for window in WINDOWS for measure in _MEASURES]
    fields += [
        pa.field(f"{measure}_{window}_mean_{unit}", pa.float64())
        for window, (_, unit) in _MEANS.items()
        for measure in _MEASURES
    ]
    fields += [pa.field("transactions_yoy", pa.float64()), pa.field("amount_yoy", pa.float64())]
    return pa.schema(fields)


SCHEMA = _schema()


class AggregatesWriter:
    """Writes aggregate rows; use it as a context manager, the file is complete when it closes without error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._draft = path.with_suffix(".draft")
        self._writer = pq.ParquetWriter(self._draft, SCHEMA, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._newest: dict[tuple[str, str, str], int] = {}
        self._texts = _SeriesTexts()

    def add(self, rows: AggregateRows) -> None:
        """Write the rows of one vintage of one bucket."""
        for at in np.flatnonzero(rows.vintage):
            key = (rows.series[at].series_id, rows.bucket, rows.start)
            self._newest[key] = max(self._newest.get(key, 0), int(rows.vintage[at]))
        self._waiting.append(_record_batch(rows, self._texts))
        self._waiting_rows += len(rows.series)
        if self._waiting_rows >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, SCHEMA))
            self.rows += self._waiting_rows
            self._waiting, self._waiting_rows = [], 0

    def close(self) -> None:
        """Write what is waiting, and mark the latest vintage of every bucket."""
        self._flush()
        self._writer.close()
        if not self._newest:
            self._draft.replace(self.path)
            return
        with pq.ParquetFile(self._draft) as draft, pq.ParquetWriter(self.path, SCHEMA, compression="zstd") as writer:
            for group in range(draft.num_row_groups):
                writer.write_table(self._marked(draft.read_row_group(group)))
        self._draft.unlink()

    def _marked(self, table: pa.Table) -> pa.Table:
        keys = zip(*(table.column(name).to_pylist() for name in ("series_id", "bucket", "start")), strict=True)
        vintages = table.column("vintage").to_pylist()
        latest = [self._newest.get(key, 0) == vintage for key, vintage in zip(keys, vintages, strict=True)]
        return table.set_column(SCHEMA.get_field_index("latest"), SCHEMA.field("latest"), pa.array(latest))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._writer.close()
            self._draft.unlink(missing_ok=True)


class _SeriesTexts:
    """The text columns of series, each series worked out once."""

    def __init__(self) -> None:
        self._places: dict[Series, int] = {}
        self._known: dict[str, pa.Array] = {}

    def of(self, series: tuple[Series, ...]) -> dict[str, pa.Array]:
        """Return series_id, level, region and sector of each series."""
        before = len(self._places)
        places = [self._places.setdefault(each, len(self._places)) for each in series]
        if len(self._places) > before or not self._known:
            names = ("series_id", "level", "region", "sector")
            self._known = {
                name: pa.array([getattr(each, name) for each in self._places], pa.string()) for name in names
            }
        return {name: known.take(pa.array(places)) for name, known in self._known.items()}


def _record_batch(rows: AggregateRows, texts: _SeriesTexts) -> pa.RecordBatch:
    count = len(rows.series)
    constant = {
        "panel": rows.panel,
        "bucket": rows.bucket,
        "start": rows.start,
        "latest": True,
        "coverage_partitions": rows.coverage.partitions,
    }
    columns = texts.of(rows.series)
    columns |= {name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), count) for name, value in constant.items()}
    columns["vintage"] = pa.array(rows.vintage, pa.int32())
    columns["transactions"] = pa.array(rows.transactions)
    columns["amount_minor"] = pa.array(rows.amount_minor)
    columns["coverage"] = pa.array(rows.heard)
    columns["coverage_volume"] = pa.array(rows.volume_heard)
    for window in WINDOWS:
        sums = rows.windows.get(window)
        for at, measure in enumerate(_MEASURES):
            name = f"{measure}_{window}"
            columns[name] = pa.nulls(count, pa.int64()) if sums is None else pa.array(np.ascontiguousarray(sums[:, at]))
            if window in _MEANS:
                length, unit = _MEANS[window]
                mean = pa.nulls(count, pa.float64()) if sums is None else pa.array(np.round(sums[:, at] / length, 4))
                columns[f"{name}_mean_{unit}"] = mean
    for at, name in enumerate(("transactions_yoy", "amount_yoy")):
        change = rows.year_on_year[:, at]
        columns[name] = pa.array(change, mask=np.isnan(change))
    return pa.record_batch([columns[field.name] for field in SCHEMA], schema=SCHEMA)
