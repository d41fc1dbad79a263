"""A generated panel of four regions whose cells several sources deliver, run in one process."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from panel_run import PanelRun

from earlywarn.application.compose import Run
from earlywarn.application.fold import RunFold
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.generate import synthetic_cells

FIRST, DAYS, SHOCK = date(2022, 1, 1), 230, date(2022, 7, 4)
REGIONS = tuple((f"CH0{at}", 1.0) for at in range(1, 5))
SOURCES = {"big": 0.6, "small": 0.37, "tiny": 0.03}

Heard = Callable[[Cell, str], float]
"""Which share of a cell's transactions of a source comes."""


class Collected(PanelRun):
    """The cells of a panel, each split among sources."""

    def __init__(self, heard: Heard, sources: Mapping[str, float] = SOURCES) -> None:
        super().__init__()
        for cell in synthetic_cells(seed=11, first_day=FIRST, days=DAYS, regions=REGIONS, noise_log=0.04):
            for source, share in sources.items():
                self.pay(cell, heard(cell, source) * share, heard(cell, source) * share, source)

    def of_kind(self, kind: str) -> list[Alert]:
        return [alert for alert in self.alerts if alert.kind == kind]

    def economic(self, first: date = SHOCK, days: int = DAYS) -> list[Alert]:
        """Return the economic alerts detected within so many days."""
        within = (first.isoformat(), (first + timedelta(days=days)).isoformat())
        return [alert for alert in self.of_kind("economic") if within[0] <= alert.detected_on < within[1]]


def folded(run: Run, heard: Heard, sources: Mapping[str, float] = SOURCES) -> tuple[Collected, RunFold]:
    collected = Collected(heard, sources)
    return collected, collected.play(run)


def within(cell: Cell, first: date, days: int) -> bool:
    return first <= cell.day < first + timedelta(days=days)
