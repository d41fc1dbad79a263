"""A generated panel with a shock in it, run through folds, models and desk; what the calm panel would have expected."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from panel_run import PanelRun

from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.generate import synthetic_cells

FIRST, DAYS, SHOCK = date(2022, 1, 1), 230, date(2022, 7, 4)
REGIONS = tuple((f"CH0{at}", 1.0) for at in range(1, 6))

Change = Callable[[Cell], float | tuple[float, float]]
"""By what a cell's figures are multiplied: both, or transactions and amount."""


def one_after_another(
    first: date, levels: Iterable[tuple[int, float]], region: str | None = None, sector: str | None = None
) -> Change:
    """Return the shock of a place (None: all) that is at some levels for some days each, from a first day on."""
    factors = [factor for days, factor in levels for _ in range(days)]

    def change(cell: Cell) -> float:
        age = (cell.day - first).days
        inside = region in (None, cell.region) and sector in (None, cell.sector)
        return factors[age] if inside and 0 <= age < len(factors) else 1.0

    return change


class ShockedPanel(PanelRun):
    """The cells of a panel with a shock.

    Args:
        cells: of the calm panel.
        change: the shock.
    """

    def __init__(self, cells: Sequence[Cell], change: Change) -> None:
        super().__init__()
        for cell in cells:
            factor = change(cell)
            self.pay(cell, *(factor if isinstance(factor, tuple) else (factor, factor)))

    def tops(self, first: date = SHOCK, days: int = 14) -> list[Alert]:
        """Return the first revision of each economic episode without a parent that opens within so many days."""
        last = {alert.id: alert for alert in self.alerts}
        within = (first.isoformat(), (first + timedelta(days)).isoformat())
        return [
            alert
            for alert in self.alerts
            if alert.status == "open"
            and alert.kind == "economic"
            and last[alert.id].parent is None
            and within[0] <= alert.detected_on < within[1]
        ]

    def revisions(self, alert: Alert) -> list[Alert]:
        """Return all revisions of an alert."""
        return [each for each in self.alerts if each.id == alert.id]

    def histories(self) -> list[list[Alert]]:
        """Return the revisions of each economic alert, in the order in which they opened."""
        found: dict[str, list[Alert]] = {}
        for alert in self.alerts:
            if alert.kind == "economic":
                found.setdefault(alert.id, []).append(alert)
        return list(found.values())

    def expected(self, day: date, region: str | None, sector: str | None) -> float:
        """Return the amount that the models expected of a day (minor units)."""
        scores = next(each.scores for each in self.judged if each.scores.day == day)
        place = [(node.region, node.sector) for node in scores.nodes].index((region, sector))
        return float(scores.amount.expected[place])


def composed(classification: str = "swiss-mcs", *, known_events: str = "", school_holidays: str = "") -> Run:
    """Return the run of one panel by days, with tables of its own."""
    panel = PanelSettings(
        id="CH",
        name="Testland",
        countries=("CH",),
        classification=classification,
        resolution="day",
        known_events=known_events,
        school_holidays=school_holidays,
    )
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


def cells(*, days: int = DAYS, regions: Sequence[tuple[str, float]] = REGIONS, noise_log: float = 0.04) -> list[Cell]:
    """Return a calm panel."""
    return list(synthetic_cells(seed=11, first_day=FIRST, days=days, regions=regions, noise_log=noise_log))


def played(run: Run, calm: Sequence[Cell], change: Change) -> ShockedPanel:
    """Return the panel after its run."""
    panel = ShockedPanel(calm, change)
    panel.play(run)
    return panel
