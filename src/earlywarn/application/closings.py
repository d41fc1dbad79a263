"""How far the log was folded when a run closed its days and hours: what came behind that waits for the next close.

A partition that was left out of the watermark as idle, and speaks again, brings records of buckets that are closed.
They are published when the next day closes, and which they are only the order of the partials tells: of a closed day,
what was folded after the last day had closed; of an hour of the day that is open, what was folded after the hour had.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial


class PanelClosings:
    """When the watermark passed the ends of a panel's last published day and of the hours published behind it."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._folded: list[Mapping[int, int]] = []

    def note(self, end: int, folded: Mapping[int, int]) -> None:
        """Note the next end (epoch seconds) that is passed, with the last offset folded of each source partition."""
        self._ends.append(end)
        self._folded.append(folded)

    def wait(self, end: int, partition: int, offset: int) -> bool:
        """Return whether a record of a bucket with this end was folded after all that is published of the bucket."""
        at = bisect_left(self._ends, end)
        return at < len(self._ends) and offset > self._folded[at].get(partition, -1)


class Closings:
    """Folds the partials of every partition q, without buckets, up to what each panel has published last.

    Args:
        new_fold: of one partition q.
        ends: by partition q and panel, when the last published day and the hours published behind it end (epoch
            seconds, ascending).

    Attributes:
        panels: by panel, how far was folded at each of them.
    """

    def __init__(self, new_fold: Callable[[], PartialsFold], ends: Mapping[int, Mapping[str, Iterable[int]]]) -> None:
        self.panels = {panel: PanelClosings() for panels in ends.values() for panel in panels}
        self._folds = {q: new_fold() for q in ends}
        self._waiting = {q: {panel: deque(each) for panel, each in panels.items()} for q, panels in ends.items()}

    def take(self, q: int, partial: Partial) -> None:
        """Take the next partial of a partition q."""
        waiting = self._waiting.get(q)
        if not waiting:
            return
        fold = self._folds[q]
        fold.apply(partial)
        watermark = fold.watermark_seconds()
        if watermark is None:
            return
        folded: dict[int, int] | None = None
        for panel, ends in list(waiting.items()):
            while ends and ends[0] <= watermark:
                folded = folded or fold.applied_offsets()
                self.panels[panel].note(ends.popleft(), folded)
            if not ends:
                del waiting[panel]
