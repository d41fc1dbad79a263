"""How far the log was folded when a run last closed a day: what came behind that waits for the next close.

A partition that was left out of the watermark as idle, and speaks again, brings records of days that are closed. They
are published when the next day closes, and which they are only the order of the partials tells.
"""

from collections.abc import Callable, Mapping

from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial


class Closings:
    """Folds the partials of every partition q, without buckets, up to where each panel's last published day closed.

    Args:
        new_fold: of one partition q.
        ends: by partition q and panel, when the last published day ends (epoch seconds).

    Attributes:
        folded: by panel, the last offset of each source partition that was folded then.
    """

    def __init__(self, new_fold: Callable[[], PartialsFold], ends: Mapping[int, Mapping[str, int]]) -> None:
        self.folded: dict[str, Mapping[int, int]] = {}
        self._folds = {q: new_fold() for q in ends}
        self._ends = {q: dict(panels) for q, panels in ends.items()}

    def take(self, q: int, partial: Partial) -> None:
        """Take the next partial of a partition q."""
        waiting = self._ends.get(q)
        if not waiting:
            return
        fold = self._folds[q]
        fold.apply(partial)
        watermark = fold.watermark_seconds()
        if watermark is None:
            return
        for panel in [panel for panel, end in waiting.items() if end <= watermark]:
            self.folded[panel] = fold.applied_offsets()
            del waiting[panel]
