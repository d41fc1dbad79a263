"""The second fold over a live log: one partition of the partials, from a snapshot or the start, without a broker.

What it gives out is numbered by the log: the outputs of a partial belong to that partial's offset, and are counted in
their order. What was published before (`Progress`) is folded again, and not given out a second time. Outputs come one
at a time, as buckets close, so that one partial that closes years of them never stands in memory as a whole.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.fold import Output, RunFold
from earlywarn.application.succession import Change
from earlywarn.domain.alert import Alert

Published = AggregateRows | Alert


class Progress(NamedTuple):
    """A place in what a log makes publishable: all outputs before the record at `offset`, and so many of its own.

    The fold is a function of the log, so the outputs are the same ones whoever counts them.
    """

    offset: int
    outputs: int = 0


class LogFold:
    """One partition of the partials, folded up to `position` (the next offset to read).

    Attributes:
        published: what is not given out, since it was published before.
        closed_buckets: how many it has closed.
    """

    def __init__(self, fold: RunFold, *, position: int, published: Progress) -> None:
        self.fold = fold
        self.position = position
        self.published = published
        self.closed_buckets = 0
        self._outputs = 0

    @property
    def reached(self) -> Progress:
        """Return up to where outputs were given out."""
        return Progress(self.position, self._outputs)

    def take(self, offset: int, partial: Partial) -> Iterator[Published]:
        """Fold the partial at `offset` and give what it makes publishable and is not published yet. Exhaust it."""
        return self._give(offset, self.fold.apply(partial))

    def change(self, offset: int, change: Change) -> Iterator[Published]:
        """Take the control record at `offset` and give what it makes publishable. Exhaust it.

        Raises:
            LogError: the run has gone on to another configuration.
        """
        return self._give(offset, self.fold.change(change))

    def _give(self, offset: int, outputs: Iterable[Output]) -> Iterator[Published]:
        self.position = offset
        for each in outputs:
            if not isinstance(each, AggregateRows | Alert):
                continue
            self.closed_buckets += isinstance(each, AggregateRows)
            self._outputs += 1
            if self.reached > self.published:
                yield each
        self.position, self._outputs = offset + 1, 0
