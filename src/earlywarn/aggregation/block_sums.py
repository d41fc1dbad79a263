"""The sums of one block so far, and which of them changed since they were last sent."""

from earlywarn.aggregation.partial import Row, SourceRow
from earlywarn.aggregation.route import Route
from earlywarn.domain.reject import Reject

_Target = tuple[str, str, str]
"""Panel, region, sector."""


class BlockSums:
    """Cumulative values by target, base bucket (epoch seconds) and lateness; on-time volumes by named source."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, bool], dict[_Target, list[int]]] = {}
        self._changed: dict[tuple[int, bool], set[_Target]] = {}
        self._sources: dict[tuple[str, str, int], int] = {}
        self._changed_sources: set[tuple[str, str, int]] = set()

    def add(self, route: Route | Reject, bucket: int, transactions: int, amount_minor: int, *, late: bool) -> None:
        """Add what came by one route."""
        if isinstance(route, Reject):
            raise TypeError(f"a rejected record has no sum: {route}")
        place = (bucket, late)
        rows = self._rows.get(place)
        if rows is None:
            rows = self._rows[place] = {}
        changed = self._changed.get(place)
        if changed is None:
            changed = self._changed[place] = set()
        target = route.target
        row = rows.get(target)
        if row is None:
            rows[target] = [transactions, amount_minor]
        else:
            row[0] += transactions
            row[1] += amount_minor
        changed.add(target)
        if route.source is not None and not late:
            source = (route.panel.id, route.source, bucket)
            self._sources[source] = self._sources.get(source, 0) + transactions
            self._changed_sources.add(source)

    def take_changed(self) -> tuple[tuple[Row, ...], tuple[SourceRow, ...]]:
        """Return the cumulative values that changed since the last call, in a fixed order."""
        rows = tuple(
            Row(*target, bucket, late, *self._rows[bucket, late][target])
            for bucket, late in sorted(self._changed)
            for target in sorted(self._changed[bucket, late])
        )
        sources = tuple(SourceRow(*key, self._sources[key]) for key in sorted(self._changed_sources))
        self._changed.clear()
        self._changed_sources.clear()
        return rows, sources
