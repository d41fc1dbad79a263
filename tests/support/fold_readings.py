"""What a second fold has published, as values that compare."""

import numpy as np
from fold_oracle import Cell
from fold_stream import SecondFold

from earlywarn.domain.series import Series

Row = tuple[int, int, tuple[tuple[str, int, int], ...], tuple[float, float]]
"""Transactions, amount, windows by name, year-on-year changes (-9 where unknown)."""
Key = tuple[str, int, Series]
"""Bucket, its start in epoch seconds, series."""


def rows_of(second: SecondFold, *, latest: bool) -> dict[Key, Row]:
    """Return vintage 0, or the latest vintage, of every bucket and series, as comparable values."""
    found: dict[Key, Row] = {}
    vintages: dict[Key, int] = {}
    for rows in second.rows:
        for at, series in enumerate(rows.series):
            key = (rows.bucket, rows.start_seconds, series)
            vintage = int(rows.vintage[at])
            following = vintages.get(key, -1) + 1
            assert vintage == following or (vintage, following) == (1, 0), "vintages are numbered without gap"
            vintages[key] = vintage
            if vintage == 0 or latest:
                windows = tuple((name, int(sums[at, 0]), int(sums[at, 1])) for name, sums in rows.windows.items())
                year = tuple(float(change) if np.isfinite(change) else -9.0 for change in rows.year_on_year[at])
                value = (int(rows.transactions[at]), int(rows.amount_minor[at]), windows, (year[0], year[1]))
                found[key] = value
    return found


def coverage_of(second: SecondFold) -> dict[Key, float]:
    """Return the coverage of every bucket and series, which all its vintages share."""
    found: dict[Key, float] = {}
    for rows in second.rows:
        for series, share in zip(rows.series, rows.heard.tolist(), strict=True):
            key = (rows.bucket, rows.start_seconds, series)
            assert found.setdefault(key, share) == share
    return found


def hourly(second: SecondFold, *, latest: bool, panel: str = "P") -> dict[tuple[Cell, int], tuple[int, int]]:
    """Return a panel's cells of base buckets that are not zero."""
    return {
        ((series.region or "", series.sector or ""), start): row[:2]
        for (bucket, start, series), row in rows_of(second, latest=latest).items()
        if bucket == "hour" and (series.panel, series.level) == (panel, "cell") and row[:2] != (0, 0)
    }
