"""Cells in memory as the input of a run in one process, and as the sink that keeps what it gives."""

from collections.abc import Iterator
from datetime import date
from typing import Self

from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import JudgedDay, Output, RunFold
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction

RECEIVED_MS = 1_900_000_000_000


class PanelRun:
    """A feed, which is one batch, and a sink."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.judged: list[JudgedDay] = []
        self.rows: list[AggregateRows] = []
        self.outcomes: list[Transaction | Reject] = []

    def pay(self, cell: Cell, counts_by: float, amounts_by: float, source: str | None = None) -> None:
        """Take such a part of a cell in, at noon; nothing if that is less than half a payment."""
        if count := round(cell.transactions * counts_by):
            noon_ms = ((cell.day - date(1970, 1, 1)).days * 86_400 + 43_200) * 1000
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
                    source=source,
                )
            )

    def play(self, run: Run) -> RunFold:
        """Run all of it."""
        return run_embedded(run, [self], self, received_ms=RECEIVED_MS)

    def batches(self) -> Iterator[Self]:
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
