"""The partial: what one source partition has counted in its current block of offsets, cumulatively.

The names on the wire are those of docs/delivery.md.
"""

from collections.abc import Callable

import msgspec

OTHER_SOURCES = "(others)"
"""Stands for the named sources beyond a limit."""


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """Cumulative block value of one cell and base bucket; late rows are rows of their own.

    `bucket` is the bucket's start in epoch seconds; `amount_minor` is in the panel's currency.
    """

    panel: str
    region: str
    sector: str
    bucket: int
    late: bool
    transactions: int
    amount_minor: int


class SourceRow(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """Cumulative number of on-time transactions that one source (acquirer, feed) delivered to a cell and bucket.

    Of what was not accepted the source is empty where the record names none.
    """

    panel: str
    region: str
    sector: str
    source: str
    bucket: int
    transactions: int


class Partial(
    msgspec.Struct, frozen=True, kw_only=True, rename={"partition": "p", "partitions": "P", "event_time_ms": "M"}
):
    """One record of a partials log.

    `since` is the offset after which rows may have changed (the sender's previous record of the
    block, or the offset before the block's first); `last` the last offset folded in, -1 for an empty
    partition. `event_time_ms` is the running maximum of accepted event times, None before the first.
    `rejected` counts the block's dead letters by reason, cumulatively; `unread` are those, as transactions, of which is
    known what cell and bucket they would have counted in on time. It is a list of its own, so no source's name passes
    for it.
    A partial that does not fit into a record travels in several: `part` of `parts`, see `aggregation.parts`.
    `lost` says that the log begins at that offset now, behind what would have to be read next: nothing more comes of
    this partition. Such a record has no rows.
    """

    partition: int
    partitions: int
    block: int
    since: int
    last: int
    sealed: bool
    event_time_ms: int | None
    idle: bool = False
    end: bool = False
    rows: tuple[Row, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    unread: tuple[SourceRow, ...] = ()
    rejected: dict[str, int] = {}
    part: int = 0
    parts: int = 1
    lost: int | None = None

    @property
    def order(self) -> tuple[int, int, bool, int]:
        """Return the place in its partition: block, last offset, open before sealed, active before idle before end."""
        return (self.block, self.last, self.sealed, 2 if self.end else int(self.idle))

    def restrict(self, takes: Callable[[str], bool]) -> "Partial":
        """Return the partial with the rows of those panels alone that `takes` accepts."""
        return msgspec.structs.replace(
            self,
            rows=tuple(row for row in self.rows if takes(row.panel)),
            sources=tuple(row for row in self.sources if takes(row.panel)),
            unread=tuple(row for row in self.unread if takes(row.panel)),
        )
