"""The sums of one block so far, and which of them changed since they were last sent."""

from collections.abc import Iterable

from earlywarn.aggregation.partial import OTHER_SOURCES, Row, SourceRow
from earlywarn.aggregation.route import Route

_Target = tuple[str, str, str]
"""Panel, region, sector."""


class BlockSums:
    """Cumulative values by target, base bucket (epoch seconds) and lateness; on-time volumes by named source.

    Attributes:
        sources: the named sources that are told apart: the first `sources_limit` in the log's order of which something
            came on time. Whoever folds notes them record by record (`admit`), before what they brought is added.
    """

    def __init__(self, sources_limit: int) -> None:
        self.sources: dict[str, None] = {}
        self.sources_limit = sources_limit
        self._rows: dict[tuple[int, bool], dict[_Target, list[int]]] = {}
        self._changed: dict[tuple[int, bool], dict[_Target, list[int]]] = {}
        self._sources: dict[tuple[str, str, int], int] = {}
        self._changed_sources: dict[tuple[str, str, int], None] = {}

    def admit(self, source: str) -> None:
        """Note that a named source has brought something on time."""
        if len(self.sources) < self.sources_limit:
            self.sources[source] = None

    def add(self, bucket: int, added: Iterable[tuple[Route, list[int]]], *, late: bool) -> None:
        """Add to one bucket what came by each route: [transactions, amount in minor units]."""
        rows = self._rows.setdefault((bucket, late), {})
        changed = self._changed.setdefault((bucket, late), {})
        for route, (transactions, amount_minor) in added:
            target = route.target
            row = rows.get(target)
            if row is None:
                row = rows[target] = [transactions, amount_minor]
            else:
                row[0] += transactions
                row[1] += amount_minor
            changed[target] = row
            if route.source is not None and not late:
                name = route.source if route.source in self.sources else OTHER_SOURCES
                source = (target[0], name, bucket)
                self._sources[source] = self._sources.get(source, 0) + transactions
                self._changed_sources[source] = None

    def take_changed(self) -> tuple[tuple[Row, ...], tuple[SourceRow, ...]]:
        """Return the cumulative values that changed since the last call."""
        rows = tuple(
            Row(panel, region, sector, bucket, late, transactions, amount_minor)
            for (bucket, late), changed in self._changed.items()
            for (panel, region, sector), (transactions, amount_minor) in changed.items()
        )
        sources = tuple(SourceRow(*key, self._sources[key]) for key in self._changed_sources)
        self._changed.clear()
        self._changed_sources.clear()
        return rows, sources
