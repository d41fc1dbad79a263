"""The last seven days against the same a year before: no alert tells of a slow change, which the models follow.

Compared is like with like: cells that are there in both years, on days on which they were heard in both. All figures of
the page are of `YearBefore.of`.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.history import OBSERVED, WEEK_DAYS, Key, PanelHistory
from earlywarn.adapters.report.week_words import SMALL_BASE, in_short
from earlywarn.adapters.report.wording import change_against, counted, listed, short_day, signed
from earlywarn.aggregation.rolling import YEAR_DAYS
from earlywarn.alerting.words import LEAST_PAYMENTS, Names, joined
from earlywarn.domain.series import holds

ROWS = 60
"""So many regions and sectors have a row, the largest."""
KNOWN_FROM_DAYS = YEAR_DAYS + 7
"""Days of history from which on a change is known."""
_MEASURES = (1, 0)
"""Spending, payments: places in `PanelHistory`."""
_EXISTS_DAYS = 28
"""A cell of which nothing came for so long to the end of a week is not there in that year."""
_LEAST_SHARE = 0.8
"""With less of this year's spending compared there is no figure: the rest would decide it."""
_NAMED_SHARE = 0.005
"""What is left out of less of either year's spending is not named: no figure in whole per cent shows it."""


@dataclass(frozen=True, slots=True)
class Change:
    """The last week on a year before, of payments and of spending (shares); None if too little can be compared.

    `payments_before` are those a day of the year before, `left_out` says what is not compared ("Tirol (1 day)"),
    empty if nothing is.
    """

    shares: tuple[float, float] | None
    payments_before: float
    left_out: str

    @property
    def is_too_little(self) -> bool:
        """Return whether too few payments were made a year before for a percentage."""
        return self.payments_before < LEAST_PAYMENTS

    @property
    def without(self) -> str:
        """Return what is left out as the end of a sentence."""
        return f", without {self.left_out}" if self.left_out else ""

    def in_short(self, measure: int) -> str:
        """Return it for a key figure of the page, as the end of its line."""
        if self.shares is None:
            return "; no comparison with a year before"
        if self.is_too_little:
            return ""
        return f"; {change_against(self.shares[measure], 'a year before')}{self.without}"


class YearBefore:
    """Compares the last week of a panel with the same weekdays a year before.

    Args:
        history: of the panel. Its figures are those that were judged first, in both years.
        names: what codes are called.
    """

    def __init__(self, history: PanelHistory, names: Names) -> None:
        self._names = names
        self._cells = sorted(cell for cell in history.cells if None not in cell)
        self.is_known = history.days >= KNOWN_FROM_DAYS and bool(self._cells)
        if not self.is_known:
            return
        seen = np.stack([_spending(history, cell) for cell in self._cells])
        end = history.days
        self._now, self._ago = (seen[:, :, to - WEEK_DAYS : to] for to in (end, end - YEAR_DAYS))
        there = [
            np.nansum(seen[:, :, max(to - _EXISTS_DAYS, 0) : to], axis=2).any(axis=1) for to in (end, end - YEAR_DAYS)
        ]
        self._is_there: npt.NDArray[np.bool_] = there[0] | there[1]
        heard = np.isfinite(self._now[:, 1]) & np.isfinite(self._ago[:, 1])
        self._compared = heard & (there[0] & there[1])[:, None]

    def of(self, key: Key) -> Change | None:
        """Return the change of a series; None if nothing of it is known a year before, or of now."""
        if not self.is_known:
            return None
        inside = np.array([holds(key, cell) for cell in self._cells], dtype=np.bool_) & self._is_there
        compared = self._compared & inside[:, None]
        whole = [float(np.nansum(each[inside, 1])) for each in (self._now, self._ago)]
        now, ago = ([float(each[:, at][compared].sum()) for at in (0, 1)] for each in (self._now, self._ago))
        shares = [part / each if each > 0 else 1.0 for part, each in zip((now[1], ago[1]), whole, strict=True)]
        left_out = self._left_out(inside, compared) if min(shares) < 1 - _NAMED_SHARE else ""
        if not compared.any() or shares[0] < _LEAST_SHARE or min(ago) <= 0:
            return Change(None, ago[0] / WEEK_DAYS, left_out)
        days = int(compared.any(axis=0).sum())
        return Change((now[0] / ago[0] - 1, now[1] / ago[1] - 1), ago[0] / days, left_out)

    def _left_out(self, inside: npt.NDArray[np.bool_], compared: npt.NDArray[np.bool_]) -> str:
        """Return what of a series is not compared: days, regions, sectors, and sectors in regions, on so many days."""
        days: npt.NDArray[np.bool_] = np.logical_not(compared.any(axis=0))
        lacking: npt.NDArray[np.int64] = (~compared[:, ~days]).sum(axis=1)  # days, on which others are compared
        gone: npt.NDArray[np.bool_] = np.logical_not(compared.any(axis=1))
        found = []
        left = inside.copy()
        for is_lacking in (gone, lacking > 0):
            for place, name in ((0, self._names.region), (1, self._names.sector)):
                codes = np.array([cell[place] or "" for cell in self._cells], dtype=object)
                for code in sorted(set(codes[left & is_lacking])):
                    of = left & (codes == code)
                    if is_lacking[of].all() and (of.sum() > 1 or gone[of].all()):
                        found.append(name(code) + _on_days(lacking[of], gone[of]))
                        left &= codes != code
        told = [listed(found, "place")] if found else []
        rest = left & (lacking > 0)
        if rest.any():
            many = counted(int(rest.sum()), "sector in a region", "sectors in regions")
            told.append(many + _on_days(lacking[rest], gone[rest]))
        if days.any() and not days.all():
            told.append(f"{int(days.sum())} of the 7 days")
        return joined(told)


def _on_days(lacking: npt.NDArray[np.int64], gone: npt.NDArray[np.bool_]) -> str:
    """Return on how many days some cells are not compared; nothing if it is on all."""
    if gone.all():
        return ""
    most = int(lacking.max())
    return f" ({'up to ' if lacking.min() < most else ''}{counted(most, 'day')})"


def _spending(history: PanelHistory, cell: Key) -> npt.NDArray[np.float64]:
    """Return float64[2, days]: payments and spending of a cell, NaN where it was not heard."""
    values = history.values(cell)
    if values is None:
        return np.full((2, history.days), np.nan)
    return values[:2, OBSERVED].astype(np.float64)


@dataclass(frozen=True, slots=True)
class YearRow:
    """A series: spending and payments, each against a year before and against expected; `note` is what is left out."""

    name: str
    chart: int | None
    cells: tuple[str, str, str, str]
    note: str


@dataclass(frozen=True, slots=True)
class YearOnYear:
    """The table, its groups of rows by heading; `day` is the last one of its weeks, empty if nothing is known yet."""

    day: str
    groups: tuple[tuple[str, tuple[YearRow, ...]], ...]


def year_on_year(years: YearBefore, history: PanelHistory, book: ChartBook, names: Names) -> YearOnYear:
    """Return the table.

    Args:
        years: compares the panel.
        history: of the panel, for the change against expected.
        book: its charts, and its series by size.
        names: what codes are called.
    """
    last: date | None = history.last_day
    if not years.is_known or last is None:
        return YearOnYear("", ())

    def row(key: Key) -> YearRow:
        change = years.of(key)
        region, sector = key
        name = "All regions and sectors"
        if region is not None or sector is not None:
            name = names.region(region) if region is not None else names.sector(sector or "")
        cells: list[str] = []
        for measure in _MEASURES:
            week = history.week(key, measure)
            cells += [_in_short(change, measure), "\u2013" if week is None else in_short(week)]
        # Of a row that is all left out "no comparison" says enough.
        note = f"without {change.left_out}" if change is not None and change.shares and change.left_out else ""
        return YearRow(name, book.index.get(key), (cells[0], cells[1], cells[2], cells[3]), note)

    shown = (("Total", [(None, None)]), ("Regions", book.regions[:ROWS]), ("Sectors", book.sectors[:ROWS]))
    return YearOnYear(short_day(last), tuple((heading, tuple(map(row, of))) for heading, of in shown))


def _in_short(change: Change | None, measure: int) -> str:
    if change is None or change.shares is None:
        return "no comparison"
    return SMALL_BASE if change.is_too_little else signed(change.shares[measure])
