"""divisions.parquet: latest daily values by COICOP division and NACE section, for publication.

Classes are split by their weights here and nowhere else: per region and class, by largest remainder on
the bucket's total. Regions and the panel are sums of these parts, so all margins agree in integers.
"""

from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.domain.allocation import allocate_classes

SCHEMA = pa.schema(
    [
        pa.field("panel", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("system", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("start", pa.string(), nullable=False),
        pa.field("transactions", pa.int64(), nullable=False),
        pa.field("amount_minor", pa.int64(), nullable=False),
        pa.field("coverage", pa.float64(), nullable=False),
        pa.field("coverage_partitions", pa.float64(), nullable=False),
        pa.field("coverage_volume", pa.float64(), nullable=False),
    ]
)

_Cells = dict[tuple[str, str], tuple[int, int]]
_Coverage = dict[str | None, tuple[float, float, float]]
"""By region, of the panel by None: that of its row of all sectors."""


class DivisionsWriter:
    """Keeps the latest value of every cell and day, and writes the divisions when it closes.

    A division has the coverage of its region, or of its panel. Memory: one small tuple for each cell and day.
    """

    def __init__(self, run: Run, path: Path) -> None:
        self.path = path
        self._panels = {each.panel.id: each.panel for each in run.panels}
        self._days: dict[tuple[str, str], _Cells] = defaultdict(dict)
        self._coverage: dict[tuple[str, str], _Coverage] = defaultdict(dict)

    def add(self, rows: AggregateRows) -> None:
        """Take the cells of a day; a later vintage replaces an earlier one."""
        if rows.bucket != "day" or not self._panels[rows.panel].classification.systems:
            return
        day = self._days[rows.panel, rows.start]
        heard, volume_heard, partitions = rows.heard, rows.volume_heard, rows.coverage.partitions
        coverage = self._coverage[rows.panel, rows.start]
        for at, series in enumerate(rows.series):
            if series.sector is None:
                coverage[series.region] = (float(heard[at]), partitions, float(volume_heard[at]))
            elif series.region is not None:
                day[series.region, series.sector] = (int(rows.transactions[at]), int(rows.amount_minor[at]))

    def close(self) -> None:
        """Write the file."""
        with pq.ParquetWriter(self.path, SCHEMA, compression="zstd") as writer:
            for (panel, start), cells in sorted(self._days.items()):
                writer.write_table(self._day(panel, start, cells, self._coverage[panel, start]))

    def _day(self, panel: str, start: str, cells: _Cells, coverage: _Coverage) -> pa.Table:
        classification = self._panels[panel].classification
        by_region: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for (region, sector), pair in sorted(cells.items()):
            by_region[region][sector] = pair
        rows: list[dict[str, object]] = []
        for system in classification.systems:
            whole: dict[str, tuple[int, int]] = {}
            for region, classes in by_region.items():
                counts, amounts = (
                    allocate_classes({name: pair[at] for name, pair in classes.items()}, classification, system)
                    for at in (0, 1)
                )
                for code, count in counts.items():
                    counted, amount = whole.get(code, (0, 0))
                    whole[code] = (counted + count, amount + amounts[code])
                    rows.append(_row(panel, region, system, code, start, (count, amounts[code]), coverage[region]))
            rows += [_row(panel, None, system, code, start, sums, coverage[None]) for code, sums in whole.items()]
        return pa.Table.from_pylist(rows, SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()


def _row(
    panel: str,
    region: str | None,
    system: str,
    code: str,
    start: str,
    sums: tuple[int, int],
    coverage: tuple[float, float, float],
) -> dict[str, object]:
    share, partitions, volume = coverage
    return {
        "panel": panel,
        "region": region,
        "system": system,
        "code": code,
        "bucket": "day",
        "start": start,
        "transactions": sums[0],
        "amount_minor": sums[1],
        "coverage": share,
        "coverage_partitions": partitions,
        "coverage_volume": volume,
    }
