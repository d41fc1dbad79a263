"""A generated panel of four regions whose cells several sources deliver, run in one process."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta

from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import JudgedDay, Output, RunFold
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction
from earlywarn.generate import synthetic_cells

FIRST, DAYS, SHOCK = date(2022, 1, 1), 230, date(2022, 7, 4)
REGIONS = tuple((f"CH0{at}", 1.0) for at in range(1, 5))
SOURCES = {"big": 0.6, "small": 0.37, "tiny": 0.03}
RECEIVED_MS = 1_900_000_000_000

Heard = Callable[[Cell, str], float]
"""Which share of a cell's transactions of a source comes."""


class Collected:
    """A sink that keeps what a run gives, and a feed of cells in memory, each split among sources."""

    def __init__(self, heard: Heard, sources: Mapping[str, float] = SOURCES) -> None:
        self.alerts: list[Alert] = []
        self.judged: list[JudgedDay] = []
        self.rows: list[AggregateRows] = []
        self.outcomes: list[Transaction | Reject] = []
        for cell in synthetic_cells(seed=11, first_day=FIRST, days=DAYS, regions=REGIONS, noise_log=0.04):
            noon_ms = ((cell.day - date(1970, 1, 1)).days * 86_400 + 43_200) * 1000
            for source, share in sources.items():
                factor = heard(cell, source) * share
                if round(cell.transactions * factor):
                    self.outcomes.append(
                        Transaction(
                            id="cell",
                            ts=noon_ms,
                            amount_minor=round(cell.amount_minor * factor),
                            currency="CHF",
                            region=cell.region,
                            sector=cell.sector,
                            country="CH",
                            count=round(cell.transactions * factor),
                            source=source,
                        )
                    )

    def batches(self) -> "Iterator[Collected]":
        yield self  # one batch, itself

    def publish(self, output: Output) -> None:
        if isinstance(output, Alert):
            self.alerts.append(output)
        elif isinstance(output, JudgedDay):
            self.judged.append(output)
        else:
            self.rows.append(output)

    def reject(self, _batch: object, _index: int, reject: Reject) -> None:
        raise AssertionError(reject)

    def advance(self, records: int) -> None:
        assert records

    def of_kind(self, kind: str) -> list[Alert]:
        return [alert for alert in self.alerts if alert.kind == kind]

    def economic(self, first: date = SHOCK, days: int = DAYS) -> list[Alert]:
        """Return the economic alerts detected within so many days."""
        within = (first.isoformat(), (first + timedelta(days=days)).isoformat())
        return [alert for alert in self.of_kind("economic") if within[0] <= alert.detected_on < within[1]]


def folded(run: Run, heard: Heard, sources: Mapping[str, float] = SOURCES) -> tuple[Collected, RunFold]:
    collected = Collected(heard, sources)
    return collected, run_embedded(run, [collected], collected, received_ms=RECEIVED_MS)


def within(cell: Cell, first: date, days: int) -> bool:
    return first <= cell.day < first + timedelta(days=days)
