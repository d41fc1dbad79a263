"""What all contestants see: the Swiss sample as the folds close its days, before the first shock of 2020."""

import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from command_line import PANEL, SAMPLE

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.aggregation.rows import ClosedDay
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import JudgedDay
from earlywarn.application.settings import load
from earlywarn.detection.hierarchy import NodeTree, SeriesKey
from earlywarn.detection.panel_day import DayFeatures
from earlywarn.domain.reject import Reject

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BEFORE = date(2020, 2, 24)
"""The first day that is left out: from here on the real shock of 2020 is in the data."""
ABROAD = "9999"
"""The sample's region that lies outside of the country."""
RECEIVED_MS = 1_767_225_600_000
WARM_UP_DAYS = 120


@dataclass(frozen=True)
class Sample:
    """T days of K cells.

    Attributes:
        series: the K keys, ascending.
        days: the T local days, without gaps.
        counts, amounts: int64[T, K], transactions and minor units; 0 where nothing came.
        features: the calendar of the panel.
    """

    series: tuple[SeriesKey, ...]
    days: tuple[date, ...]
    counts: Integers
    amounts: Integers
    features: DayFeatures

    @cached_property
    def tree(self) -> NodeTree:
        """Return the G nodes over the cells."""
        return NodeTree(self.series)

    @property
    def middle(self) -> int:
        """Return the place of the first day of the second half of what follows the warm-up."""
        return (WARM_UP_DAYS + len(self.days)) // 2

    @cached_property
    def members(self) -> Flags:
        """Return bool[G, K]: the cells of each node."""
        return np.array([self.tree.cells_of(place) for place in range(len(self.tree.nodes))])

    @cached_property
    def tercile(self) -> Integers:
        """Return int64[K]: the third by spending in the warm-up that a cell is in, 0 (least) to 2."""
        size = self.amounts[:WARM_UP_DAYS].sum(axis=0)
        rank = np.argsort(np.argsort(size, kind="stable"), kind="stable")
        return np.asarray(3 * rank // len(self.series), dtype=np.int64)


def composed() -> Run:
    """Return the run whose settings are judged: those of `earlywarn demo`."""
    return compose(load(PANEL, {}))


def closed_days(run: Run) -> tuple[ClosedDay, ...]:
    """Return the days before `BEFORE` as the folds close them, of the cells inside the country."""
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    block, fold = run.block_fold(0, 1), compose_fold(run, 1)
    days = []
    for batch in feeds_of(inputs, run.panels[0].panel.calendar)[0].batches():
        outcomes = [each for each in batch.outcomes if isinstance(each, Reject) or each.region != ABROAD]
        sealed, _ = block.add(range(block.position, block.position + len(outcomes)), outcomes, RECEIVED_MS)
        for partial in [*sealed, block.flush()]:
            if partial is not None:
                days += [output.closed for output in fold.apply(partial) if isinstance(output, JudgedDay)]
    return tuple(each for each in days if each.day < BEFORE)


def sample_of(run: Run, days: tuple[ClosedDay, ...]) -> Sample:
    """Return the days as arrays."""
    return Sample(
        series=tuple((cell.region, cell.sector) for cell in days[-1].cells),
        days=tuple(each.day for each in days),
        counts=np.stack([each.transactions for each in days]),
        amounts=np.stack([each.amount_minor for each in days]),
        features=run.panels[0].features,
    )
