"""Coverage: is a fall of spending a fall, or has somebody stopped reporting?

A feed is a source partition, a named source (acquirer), a region or a sector of a panel. Its expected
volume on a day is the median of the last four same weekdays on which it was not silent; it is silent
when less than `silent_share` of a sizeable expectation came. What is silent for four weeks is gone,
and expected no more.
"""

from collections.abc import Iterable
from statistics import median

import msgspec

from earlywarn.aggregation.rows import Coverage
from earlywarn.domain.state import State

_SAME_WEEKDAYS = 4


class CoverageParameters(msgspec.Struct, frozen=True, kw_only=True):
    """When a feed counts as silent.

    `silent_share`: of its expected transactions, below which it is silent; `sizeable_transactions`:
    an expectation smaller than this says nothing; `forget_days`: silent for longer is gone for good.
    """

    silent_share: float = 0.02
    sizeable_transactions: int = 50
    forget_days: int = 28


class _Feed:
    __slots__ = ("history", "silent_days")

    def __init__(self) -> None:
        self.history: list[list[int]] = [[] for _ in range(7)]
        self.silent_days = 0

    def expected(self, weekday: int) -> float:
        past = self.history[weekday]
        return float(median(past)) if len(past) == _SAME_WEEKDAYS else 0.0


class CoverageMeter:
    """Counts what each feed of a panel delivers to each day, and compares with its own past."""

    def __init__(self, parameters: CoverageParameters) -> None:
        self.parameters = parameters
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._open: dict[int, dict[tuple[str, str], int]] = {}

    def observe(self, kind: str, feed: str, day: int, transactions: int) -> None:
        """Add on-time transactions of a feed to an open day (ordinal)."""
        volumes = self._open.setdefault(day, {})
        volumes[kind, feed] = volumes.get((kind, feed), 0) + transactions

    def close(self, day: int, *, partitions_heard: float, ended: Iterable[str] = ()) -> Coverage:
        """Judge a day that is over and learn it; `ended` are partitions of which no more is expected."""
        volumes = self._open.pop(day, {})
        for name in volumes:
            if name not in self._feeds:
                self._feeds[name] = _Feed()
        gone = {("partition", name) for name in ended}
        weekday = (day + 6) % 7
        expected: dict[str, float] = {}
        missing: dict[str, float] = {}
        silent = []
        for name in sorted(self._feeds):
            feed = self._feeds[name]
            observed = volumes.get(name, 0)
            usual = 0.0 if name in gone else feed.expected(weekday)
            is_silent = (
                usual >= self.parameters.sizeable_transactions and observed < self.parameters.silent_share * usual
            )
            kind = name[0]
            expected[kind] = expected.get(kind, 0.0) + usual
            if is_silent:
                missing[kind] = missing.get(kind, 0.0) + usual
                silent.append(f"{kind} {name[1]}")
            self._learn(feed, weekday, observed, is_silent=is_silent)
        counted = [kind for kind in expected if not (kind == "partition" and "source" in expected)]
        shares = [1 - missing.get(kind, 0.0) / expected[kind] for kind in counted if expected[kind] > 0]
        return Coverage(round(partitions_heard, 6), round(min(shares, default=1.0), 6), tuple(silent))

    def _learn(self, feed: _Feed, weekday: int, observed: int, *, is_silent: bool) -> None:
        feed.silent_days = feed.silent_days + 1 if is_silent else 0
        if not is_silent or feed.silent_days > self.parameters.forget_days:
            past = feed.history[weekday]
            past.append(observed)
            del past[:-_SAME_WEEKDAYS]

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "feeds": [[*name, feed.silent_days, feed.history] for name, feed in sorted(self._feeds.items())],
            "open": [[day, [[*name, count] for name, count in feeds.items()]] for day, feeds in self._open.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._feeds = {}
        for kind, name, silent_days, history in saved["feeds"]:
            feed = self._feeds[kind, name] = _Feed()
            feed.silent_days, feed.history = silent_days, [list(past) for past in history]
        self._open = {day: {(kind, name): count for kind, name, count in feeds} for day, feeds in saved["open"]}
