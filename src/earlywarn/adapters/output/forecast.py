"""forecast.parquet: what is expected of every series and total on the next days (docs/outputs.md)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earlywarn.detection.day_scores import MEASURES
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.domain.series import Series

Key = tuple[str | None, str | None]
"""(region, sector); None for what is summed over."""
_ENDS = ("expected", "lower_80", "upper_80", "lower_95", "upper_95")
SCHEMA = pa.schema(
    [
        pa.field("series_id", pa.string(), nullable=False),
        pa.field("panel", pa.string(), nullable=False),
        pa.field("level", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("sector", pa.string()),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("horizon_days", pa.int32(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in _ENDS),
        pa.field("made_on", pa.date32(), nullable=False),
    ]
)


def write_forecast(path: Path, forecasts: Mapping[str, PanelForecast]) -> int:
    """Write the forecasts of panels; return how many rows there are.

    Series and totals whose warm-up is not over, or of which nothing is expected, have no rows.
    """
    rows = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for panel, forecast in sorted(forecasts.items()):
            table = pa.concat_tables([SCHEMA.empty_table(), *_tables(panel, forecast)]).combine_chunks()
            writer.write_table(table)
            rows += table.num_rows
    return rows


def places_of(forecast: PanelForecast) -> dict[Key, int]:
    """Return where every series stands among the nodes: cells, regions, sectors, the panel, in this order.

    A total that is no node of its own, since another sums the same cells, stands where that one does.
    """
    nodes = {node.key: place for place, node in enumerate(forecast.nodes)}
    cells = [node.key for node in forecast.nodes if node.level == "cell"]
    members: dict[Key, list[Key]] = {cell: [cell] for cell in cells}
    totals: list[list[Key]] = [[(region, None), (None, sector), (None, None)] for region, sector in cells]
    for level in range(3):
        for cell, of_cell in zip(cells, totals, strict=True):
            members.setdefault(of_cell[level], []).append(cell)
    same = {tuple(inside): nodes[key] for key, inside in members.items() if key in nodes}
    return {key: same[tuple(inside)] for key, inside in members.items()}


def _tables(panel: str, forecast: PanelForecast) -> Iterator[pa.Table]:
    days = np.array(forecast.days, dtype="datetime64[D]")
    horizon = np.arange(1, len(days) + 1, dtype=np.int32)
    for key, place in places_of(forecast).items():
        series = Series(panel, *key)
        if not forecast.ready[place]:
            continue
        for at, measure in enumerate(MEASURES):
            known = np.isfinite(forecast.expected[at, place])
            count = int(known.sum())
            constant = (series.series_id, panel, series.level, series.region, series.sector, measure)
            columns = [pa.repeat(pa.scalar(each, pa.string()), count) for each in constant]
            columns += [pa.array(days[known]), pa.array(horizon[known])]
            columns += [pa.array(np.round(getattr(forecast, name)[at, place, known], 4)) for name in _ENDS]
            columns += [pa.repeat(pa.scalar(forecast.made_on, pa.date32()), count)]
            yield pa.Table.from_arrays(columns, schema=SCHEMA)
