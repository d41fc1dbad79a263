"""The newest change on a year before of each total of a panel, picked out of the rows of days."""

from datetime import date
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.rows import AggregateRows

_WEEK_DAYS = 7


class Change(NamedTuple):
    """A change of the 7-day sum as a share, of payments and of amount, and the payments a day of the year before."""

    day: date
    shares: tuple[float, float]
    payments_before: float


class LastChanges:
    """Of the panel, its regions and its sectors the change of the last closed day that has one."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str | None, str | None], Change] = {}

    def observe(self, rows: AggregateRows) -> None:
        """Take in the rows of a day; those of a later vintage replace what was known of it, not of a later day."""
        if "7d" not in rows.windows:
            return
        day = date.fromisoformat(rows.start[:10])
        known = np.isfinite(rows.year_on_year).all(axis=1)
        for at in np.flatnonzero(known).tolist():
            series = rows.series[at]
            key = (series.region, series.sector)
            before = self.changes.get(key)
            if None not in key or (before is not None and before.day > day):
                continue
            payments, amount = rows.year_on_year[at].tolist()
            week = int(rows.windows["7d"][at, 0])
            base = week / (1 + payments) / _WEEK_DAYS if payments > -1 else np.inf
            self.changes[key] = Change(day, (payments, amount), base)
