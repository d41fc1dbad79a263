"""The sums of one block so far, and which of them changed since they were last sent."""

from collections.abc import Iterable
from typing import NamedTuple

from earlywarn.aggregation.column_sums import ColumnSums
from earlywarn.aggregation.partial import OTHER_SOURCES, Row, SourceRow
from earlywarn.aggregation.route import Route, Target
from earlywarn.domain.card_number import has_card_number

_Place = tuple[Target, str, int]
"""Target, source, bucket."""


class Changed(NamedTuple):
    """Cumulative values that changed: of cells, of what named sources brought, and of what could not be read."""

    rows: tuple[Row, ...]
    sources: tuple[SourceRow, ...]
    unread: tuple[SourceRow, ...]


class BlockSums:
    """Cumulative values by target, base bucket (epoch seconds) and lateness; on-time volumes by named source.

    Attributes:
        columns: values that came as columns; in the end they stand beside the others as if they had come one by one.
        sources: the named sources that are told apart: the first `sources_limit` in the log's order of which something
            came on time. Whoever folds notes them record by record (`admit`), before what they brought is added.
    """

    def __init__(self, sources_limit: int) -> None:
        self.columns = ColumnSums()
        self.sources: dict[str, None] = {}
        self.sources_limit = sources_limit
        self._rows: dict[tuple[int, bool], dict[Target, list[int]]] = {}
        self._changed: dict[tuple[int, bool], dict[Target, list[int]]] = {}
        self._sources = _Counts()
        self._unread = _Counts()
        self._unread_sources: dict[str, None] = {}

    def resume(self, rows: Iterable[Row], sources: Iterable[SourceRow], unread: Iterable[SourceRow]) -> None:
        """Go on from cumulative values that are sent already; of those that repeat the last one holds."""
        for row in rows:
            target = (row.panel, row.region, row.sector)
            self._rows.setdefault((row.bucket, row.late), {})[target] = [row.transactions, row.amount_minor]
        self.sources = self._sources.resume(sources)
        self._unread_sources = self._unread.resume(unread)

    def admit(self, source: str) -> None:
        """Note that a named source has brought something on time; one named by a card counts among the others.

        So does one that is called as they are: who goes on from what was sent could not tell it from them.
        """
        self._name(source, self.sources)

    def _name(self, source: str, named: dict[str, None]) -> None:
        if source in named or len(named) >= self.sources_limit or source == OTHER_SOURCES or has_card_number(source):
            return
        named[source] = None

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
                self.add_source(target, route.source, bucket, transactions)

    def add_source(self, target: Target, source: str, bucket: int, transactions: int) -> None:
        """Add what a named source has brought to a cell and bucket on time."""
        self._sources.add((target, source if source in self.sources else OTHER_SOURCES, bucket), transactions)

    def miss(self, target: Target, source: str | None, bucket: int, transactions: int) -> None:
        """Add what was not accepted and would have counted in a cell and bucket on time, in the log's order.

        As many sources are told apart as of what is accepted, and take none of those their places.
        """
        if transactions:
            if source:
                self._name(source, self._unread_sources)
            known = not source or source in self._unread_sources
            self._unread.add((target, source or "" if known else OTHER_SOURCES, bucket), transactions)

    def take_changed(self) -> Changed:
        """Return the cumulative values that changed since the last call."""
        rows = self._take_changed() if self._rows else self.columns.take_changed()
        return Changed(rows, self._sources.take_changed(), self._unread.take_changed())

    def _take_changed(self) -> tuple[Row, ...]:
        """Return the changed rows of a block to which single records came as well."""
        sent, new = self.columns.take_all()
        for row in sent:
            self._merge(row)
        for row in new:
            changed = self._changed.setdefault((row.bucket, row.late), {})
            changed[row.panel, row.region, row.sector] = self._merge(row)
        rows = tuple(
            Row(panel, region, sector, bucket, late, transactions, amount_minor)
            for (bucket, late), changed in self._changed.items()
            for (panel, region, sector), (transactions, amount_minor) in changed.items()
        )
        self._changed.clear()
        return rows

    def _merge(self, row: Row) -> list[int]:
        """Add what came as columns, and return the cumulative value."""
        target = (row.panel, row.region, row.sector)
        values = self._rows.setdefault((row.bucket, row.late), {}).setdefault(target, [0, 0])
        values[0] += row.transactions
        values[1] += row.amount_minor
        return values


class _Counts:
    """Cumulative transactions by target, source and bucket."""

    def __init__(self) -> None:
        self._counts: dict[_Place, int] = {}
        self._changed: dict[_Place, None] = {}

    def add(self, place: _Place, transactions: int) -> None:
        self._counts[place] = self._counts.get(place, 0) + transactions
        self._changed[place] = None

    def resume(self, rows: Iterable[SourceRow]) -> dict[str, None]:
        """Go on from what was sent; return the sources that are told apart."""
        for row in rows:
            self._counts[(row.panel, row.region, row.sector), row.source, row.bucket] = row.transactions
        return {source: None for _, source, _ in self._counts if source not in ("", OTHER_SOURCES)}

    def take_changed(self) -> tuple[SourceRow, ...]:
        rows = tuple(SourceRow(*place[0], *place[1:], self._counts[place]) for place in self._changed)
        self._changed.clear()
        return rows
