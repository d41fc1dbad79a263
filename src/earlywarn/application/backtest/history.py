"""The closed days of a run, as its folds give them: what a backtest replays."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.application.compose import Run
from earlywarn.application.embedded import Feed, FeedBatch, run_embedded
from earlywarn.application.fold import JudgedDay, Output
from earlywarn.domain.reject import Reject
from earlywarn.errors import InputError

_Batch = TypeVar("_Batch", bound=FeedBatch)


@dataclass(frozen=True, slots=True)
class History:
    """The judged days of each panel in order, and how many records they come from.

    `rejected` counts the records that were not accepted, by reason.
    """

    days: Mapping[str, tuple[ClosedDay, ...]]
    records: int
    rejected: Mapping[str, int]


class _DaysSink(Generic[_Batch]):
    """Keeps closed days, and lets everything else go."""

    def __init__(self, reject: Callable[[_Batch, int, Reject], None], progress: Callable[[int], None]) -> None:
        self.days: dict[str, list[ClosedDay]] = {}
        self.records = 0
        self.rejected: Counter[str] = Counter()
        self._reject, self._progress = reject, progress

    def publish(self, output: Output) -> None:
        """Keep a judged day."""
        if isinstance(output, JudgedDay):
            self.days.setdefault(output.closed.panel, []).append(output.closed)

    def reject(self, batch: _Batch, index: int, reject: Reject) -> None:
        """Count a rejected record."""
        self.rejected[reject.reason.value] += 1
        self._reject(batch, index, reject)

    def advance(self, records: int) -> None:
        """Note progress."""
        self.records += records
        self._progress(records)


def collect_history(
    run: Run,
    feeds: Sequence[Feed[_Batch]],
    *,
    received_ms: int,
    reject: Callable[[_Batch, int, Reject], None] = lambda _batch, _index, _reject: None,
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Fold `feeds` to their ends and return the days that the models judged.

    Args:
        run: as composed.
        feeds: finite sources of records.
        received_ms: time of receipt (epoch milliseconds) against which "in the future" is judged.
        reject: told of every record that is not accepted: batch, place in it, reason.
        progress: told how many records were folded since its last call.

    Raises:
        InputError: not one day of any panel is complete.
    """
    sink = _DaysSink(reject, progress)
    run_embedded(run, feeds, sink, received_ms=received_ms)
    if not sink.days:
        why = ", ".join(f"{reason} {count}" for reason, count in sorted(sink.rejected.items())) or "none was rejected"
        raise InputError(f"backtest: {sink.records} records give not one complete day (rejected: {why})")
    return History(
        days={panel: tuple(days) for panel, days in sorted(sink.days.items())},
        records=sink.records,
        rejected=dict(sorted(sink.rejected.items())),
    )
