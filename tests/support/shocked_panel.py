"""A generated panel with a shock in it, run through folds, models and desk; what the calm panel would have expected."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from earlywarn.application.compose import Run, compose
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import JudgedDay, Output
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction
from earlywarn.generate import synthetic_cells

FIRST, DAYS, SHOCK = date(2022, 1, 1), 230, date(2022, 7, 4)
REGIONS = tuple((f"CH0{at}", 1.0) for at in range(1, 6))
RECEIVED_MS = 1_900_000_000_000

Change = Callable[[Cell], float | tuple[float, float]]
"""By what a cell's figures are multiplied: both, or transactions and amount."""


class ShockedPanel:
    """A feed of cells in memory, and a sink that keeps alerts and judged days.

    Args:
        cells: of the calm panel.
        change: the shock.
    """

    def __init__(self, cells: Sequence[Cell], change: Change) -> None:
        self.alerts: list[Alert] = []
        self.judged: list[JudgedDay] = []
        self.outcomes: list[Transaction | Reject] = []
        for cell in cells:
            factor = change(cell)
            counts_by, amounts_by = factor if isinstance(factor, tuple) else (factor, factor)
            noon_ms = ((cell.day - date(1970, 1, 1)).days * 86_400 + 43_200) * 1000
            if count := round(cell.transactions * counts_by):
                self.outcomes.append(
                    Transaction(
                        id="cell",
                        ts=noon_ms,
                        amount_minor=round(cell.amount_minor * amounts_by),
                        currency="CHF",
                        region=cell.region,
                        sector=cell.sector,
                        country="CH",
                        count=count,
                    )
                )

    def batches(self) -> "Iterator[ShockedPanel]":
        yield self  # one batch, itself

    def publish(self, output: Output) -> None:
        if isinstance(output, Alert):
            self.alerts.append(output)
        elif isinstance(output, JudgedDay):
            self.judged.append(output)

    def reject(self, _batch: object, _index: int, reject: Reject) -> None:
        raise AssertionError(reject)

    def advance(self, records: int) -> None:
        assert records

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

    def expected(self, day: date, region: str | None, sector: str | None) -> float:
        """Return the amount that the models expected of a day (minor units)."""
        scores = next(each.scores for each in self.judged if each.scores.day == day)
        place = [(node.region, node.sector) for node in scores.nodes].index((region, sector))
        return float(scores.amount.expected[place])


def composed(classification: str = "swiss-mcs") -> Run:
    """Return the run of one panel by days."""
    panel = PanelSettings(id="CH", name="Testland", countries=("CH",), classification=classification, resolution="day")
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


def cells(*, days: int = DAYS, regions: Sequence[tuple[str, float]] = REGIONS, noise_log: float = 0.04) -> list[Cell]:
    """Return a calm panel."""
    return list(synthetic_cells(seed=11, first_day=FIRST, days=days, regions=regions, noise_log=noise_log))


def played(run: Run, calm: Sequence[Cell], change: Change) -> ShockedPanel:
    """Return the panel after its run."""
    panel = ShockedPanel(calm, change)
    run_embedded(run, [panel], panel, received_ms=RECEIVED_MS)
    return panel
