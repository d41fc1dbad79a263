"""Whether records that were too late were so because their file is not in the order of time: from these alone."""

from collections import Counter
from collections.abc import Mapping

_DISORDER_SHARE = 0.01
_DAY_MS = 86_400_000
_BACK_SHARE = 0.1
"""Share of the too late records of a file that step back by more than a day, beyond which it is in no order of time.
Behind one wrong time stamp of the future all are too late as well, and go forward."""


class TimeOrder:
    """Takes the times of too late records, in the order of their files."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._count: Counter[str] = Counter()
        self._back: Counter[str] = Counter()

    def add(self, file: str, ts_ms: int) -> None:
        """Take in a record that was too late."""
        self._count[file] += 1
        self._back[file] += ts_ms < self._last.get(file, ts_ms) - _DAY_MS
        self._first.setdefault(file, ts_ms)
        self._last[file] = ts_ms

    def unsorted(self, records: Mapping[str, int], *, has_leapt: bool) -> dict[str, int]:
        """Return how many records of each unsorted file were too late, most first.

        Args:
            records: how many there are of each file; a few that are very late are in every good file.
            has_leapt: whether anything else explains them: time went on by more than what is too late. Then only
                files that go back are unsorted for certain.
        """
        found = {
            file: count
            for file, count in self._count.items()
            if count > _DISORDER_SHARE * records.get(file, count) and (not has_leapt or self._goes_back(file))
        }
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))

    def _goes_back(self, file: str) -> bool:
        is_newest_first = self._last[file] < self._first[file] - _DAY_MS
        return is_newest_first or self._back[file] > _BACK_SHARE * self._count[file]
