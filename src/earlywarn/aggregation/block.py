"""First fold: the records of one source partition into cumulative partials of blocks of offsets.

A block is the offsets with equal `offset // block_size`. Its partial is a function of the log's
prefix alone: not of how the records were batched, when they were read, or who read them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import Any, cast

import msgspec

from earlywarn.aggregation.block_sums import BlockSums
from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.route import Route, Router
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import LogError

_DAY_MS = 86_400_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_NEVER = -(1 << 60)
_NOT_PLAIN = "not plain"
_ROUTES_LIMIT = 1 << 17  # combinations of attributes kept at once; then they are resolved anew


_Attributes = tuple[Any, ...]
_Rows = dict[int, dict[_Attributes, list[int]]]
"""By base bucket (number), then by a transaction's attributes: [transactions, amount in minor units]."""


class FoldParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The run's constants that both folds must agree on (they stand in its manifest)."""

    block_size: int = 2000
    lateness_seconds: int = 3600
    revision_horizon_days: int = 45
    future_tolerance_seconds: int = 300
    base_bucket_seconds: int = 3600


class Rejected(msgspec.Struct, frozen=True):
    """A record that was not accepted, by its offset; its original bytes are the caller's to keep."""

    offset: int
    reject: Reject


class BlockFold:
    """Folds one partition; `add` and `flush` return what is to be sent.

    A fold starts at a block's start, with the event-time maximum that held there. To read a block
    again (a rebalance, a redelivery), make a new fold: it gives the same partials.
    """

    def __init__(
        self,
        router: Router,
        parameters: FoldParameters,
        *,
        partition: int = 0,
        partitions: int = 1,
        position: int = 0,
        event_time_ms: int | None = None,
    ) -> None:
        if position % parameters.block_size:
            raise LogError(f"partition {partition}: position {position} is no block start; seek to one first")
        self.parameters = parameters
        self.partition = partition
        self.partitions = partitions
        self.position = position
        self.event_time_ms = event_time_ms
        self._router = router
        self._plain_routes: dict[_Attributes, Route] = {}
        self._other_routes: dict[_Attributes, Route | Reject] = {}
        self._open_block(position // parameters.block_size)

    def add(
        self, offsets: Sequence[int], outcomes: Sequence[Outcome], received_ms: Sequence[int] | int
    ) -> tuple[list[Partial], list[Rejected]]:
        """Fold decoded records in; return the partials of blocks that became complete, and the rejected.

        `offsets` ascend (holes are allowed, repeats are not); `received_ms` is the time of receipt of
        each record, or of all of them.
        """
        if offsets and offsets[0] < self.position:
            raise LogError(
                f"partition {self.partition}: offset {offsets[0]} comes again after {self.position - 1}; "
                "seek to the block's start and fold anew"
            )
        sealed: list[Partial] = []
        rejected: list[Rejected] = []
        start = 0
        size = self.parameters.block_size
        while start < len(offsets):
            block = offsets[start] // size
            sealed += self._reach(block)
            stop = bisect_left(offsets, (block + 1) * size, start)
            self._fold(offsets, outcomes, received_ms, start, stop, rejected)
            self.position = offsets[stop - 1] + 1
            if self.position == (block + 1) * size:
                sealed.append(self._seal())
                self._open_block(block + 1)
            start = stop
        return sealed, rejected

    def end(self, offset: int) -> list[Partial]:
        """Take the mark that ends a finite log, which stands at `offset`; return what is to be sent."""
        size = self.parameters.block_size
        partials = self._reach(offset // size)
        self.position = offset + 1
        partials.append(self._emit(sealed=False, end=True))
        if self.position == (self.block + 1) * size:
            partials.append(self._seal())
            self._open_block(self.block + 1)
        return partials

    def flush(self, *, idle: bool = False, end: bool = False) -> Partial | None:
        """Return the partial of the open block if there is news, or if idleness or the end is to be said."""
        if self.position - 1 == self._sent and not idle and not end:
            return None
        return self._emit(sealed=False, idle=idle, end=end)

    # --- the hot loop

    def _fold(  # noqa: C901, PLR0915  # one loop without calls: each costs 50 ns a transaction
        self,
        offsets: Sequence[int],
        outcomes: Sequence[Outcome],
        received_ms: Sequence[int] | int,
        start: int,
        stop: int,
        rejected: list[Rejected],
    ) -> None:
        base_ms = self.parameters.base_bucket_seconds * 1000
        lateness_ms = self.parameters.lateness_seconds * 1000
        tolerance_ms = self.parameters.future_tolerance_seconds * 1000
        newest = _NEVER if self.event_time_ms is None else self.event_time_ms
        late_below = (newest - lateness_ms) // base_ms
        late_edge = (late_below + 1) * base_ms + lateness_ms
        receipts: Sequence[int] = () if isinstance(received_ms, int) else received_ms
        latest = received_ms + tolerance_ms if isinstance(received_ms, int) else 0
        bucket = bucket_start = bucket_end = 0  # of the base bucket that `rows` belongs to; a Reject lies in none
        rows: dict[_Attributes, list[int]] = {}
        find_row = rows.get
        plain_routes = self._plain_routes
        batch = cast("Sequence[Any]", outcomes[start:stop])  # that an outcome is no Reject shows by its time
        for at, item in enumerate(batch, start):
            if receipts:
                latest = receipts[at] + tolerance_ms
                if latest < bucket_end:
                    bucket_end = 0
            event_ms = item.ts
            if not bucket_start <= event_ms < bucket_end:
                if isinstance(item, Reject):
                    self._reject(offsets[at], item, rejected)
                    continue
                if event_ms > latest:
                    self._reject(offsets[at], _in_future(event_ms, latest), rejected)
                    continue
                bucket = event_ms // base_ms
                if bucket < late_below:
                    bucket_end = 0
                    self._add_late(offsets[at], item, bucket, newest, rejected)
                    continue
                rows = self._on_time.setdefault(bucket, {})
                find_row = rows.get
                bucket_start = bucket * base_ms
                bucket_end = min(bucket_start + base_ms, latest + 1)
            key = (
                item.region, item.mcc, item.currency, item.country, item.channel,
                item.sector, item.kind, item.source,
            )  # fmt: skip
            row, count, amount = find_row(key), item.count, item.amount_minor
            if row is None and amount >= 0 and key in plain_routes:
                row = rows[key] = [0, 0]
            elif row is None or amount < 0:
                entry = self._enter(item, key, self._on_time, bucket)
                bucket_end = 0  # routes may have been forgotten: look the bucket's rows up anew
                if isinstance(entry, Reject):
                    self._reject(offsets[at], entry, rejected)
                    continue
                row, count, amount = entry
            if event_ms > newest:
                newest = event_ms
                if newest >= late_edge:  # the open bucket may have become late: look it up anew
                    late_below = (newest - lateness_ms) // base_ms
                    late_edge = (late_below + 1) * base_ms + lateness_ms
                    bucket_end = 0
            row[0] += count
            row[1] += amount
        self.event_time_ms = None if newest == _NEVER else newest

    # --- the rare cases

    def _enter(
        self, item: Transaction, key: _Attributes, buckets: _Rows, bucket: int
    ) -> tuple[list[int], int, int] | Reject:
        """Return the row that a transaction adds to, and the signed count and amount that it adds.

        Plain purchases of the same attributes share the row that stands under them; what needs a look each
        time (a refund, a foreign currency) has a row under a longer key, where the hot loop does not find it.
        """
        if item.mcc is None and not item.sector and item.merchant:
            key = (*key, item.merchant)  # the shop's name alone says what was bought
        route = self._plain_routes.get(key) or self._other_routes.get(key)
        if route is None:
            route = self._learn_route(key, item)
        if isinstance(route, Reject):
            return route
        examined = self._examine(item, route)
        if isinstance(examined, Reject):
            return examined
        rows = buckets.setdefault(bucket, {})
        return rows.setdefault(key if route.plain else (_NOT_PLAIN, *key), [0, 0]), *examined

    def _learn_route(self, key: _Attributes, transaction: Transaction) -> Route | Reject:
        """Resolve a new combination of attributes."""
        if len(self._plain_routes) + len(self._other_routes) >= _ROUTES_LIMIT:
            self._collect()
            self._plain_routes.clear()
            self._other_routes.clear()
        route = self._router.resolve(transaction)
        if isinstance(route, Route) and route.plain:
            self._plain_routes[key] = route
        else:
            self._other_routes[key] = route
        return route

    def _route_of(self, place: _Attributes) -> Route:
        """Return the route of a row that is not plain; only what was accepted has a row."""
        route = self._other_routes[place[1:]]
        if isinstance(route, Reject):
            raise TypeError(f"a rejected record has a row: {place}")
        return route

    @staticmethod
    def _examine(item: Transaction, route: Route) -> tuple[int, int] | Reject:
        """Return the signed count and amount in the panel's currency, or why the record is rejected."""
        if item.kind == "purchase" and item.amount_minor < 0:
            detail = f"{item.amount_minor}: a purchase is not negative; send a refund or a reversal"
            return Reject(reason=RejectReason.AMOUNT_OUT_OF_RANGE, field="amount_minor", detail=detail)
        amount: int | None = abs(item.amount_minor)
        if route.currency != route.panel.currency:
            day = _EPOCH_ORDINAL + item.ts // _DAY_MS
            amount = route.panel.rates.convert(abs(item.amount_minor), route.currency, day)
        if amount is None:
            detail = f"no rate from {route.currency} to {route.panel.currency} on that day"
            return Reject(reason=RejectReason.CURRENCY_NO_RATE, field="currency", detail=detail)
        return route.count_sign * item.count, route.amount_sign * amount

    def _add_late(self, offset: int, item: Transaction, bucket: int, newest: int, rejected: list[Rejected]) -> None:
        base_ms = self.parameters.base_bucket_seconds * 1000
        if (bucket + 1) * base_ms <= newest - self.parameters.revision_horizon_days * _DAY_MS:
            detail = f"more than {self.parameters.revision_horizon_days} days behind the partition's newest event"
            self._reject(offset, Reject(reason=RejectReason.TOO_LATE, field="ts", detail=detail), rejected)
            return
        key = (
            item.region, item.mcc, item.currency, item.country, item.channel,
            item.sector, item.kind, item.source,
        )  # fmt: skip
        entry = self._enter(item, key, self._late, bucket)
        if isinstance(entry, Reject):
            self._reject(offset, entry, rejected)
            return
        row, count, amount = entry
        row[0] += count
        row[1] += amount

    def _reject(self, offset: int, reject: Reject, rejected: list[Rejected]) -> None:
        self._rejected[reject.reason.value] = self._rejected.get(reject.reason.value, 0) + 1
        rejected.append(Rejected(offset, reject))

    # --- blocks and what is sent of them

    def _open_block(self, block: int) -> None:
        self.block = block
        self.block_event_time_ms = self.event_time_ms
        self._sent = block * self.parameters.block_size - 1
        self._on_time: _Rows = {}
        self._late: _Rows = {}
        self._sums = BlockSums()
        self._rejected: dict[str, int] = {}

    def _reach(self, block: int) -> list[Partial]:
        """Seal the open block if the log goes on in a later one; its last offset then covers the hole between."""
        if block == self.block:
            return []
        self.position = block * self.parameters.block_size
        sealed = self._seal()
        self._open_block(block)
        return [sealed]

    def _seal(self) -> Partial:
        return self._emit(sealed=True)

    def _collect(self) -> None:
        """Move what was added since the last time into the block's sums."""
        seconds = self.parameters.base_bucket_seconds
        plain = self._plain_routes.get
        for late, buckets in ((False, self._on_time), (True, self._late)):
            for bucket, rows in buckets.items():
                added = [(plain(place) or self._route_of(place), row) for place, row in rows.items()]
                self._sums.add(bucket * seconds, added, late=late)
            buckets.clear()

    def _emit(self, *, sealed: bool, idle: bool = False, end: bool = False) -> Partial:
        self._collect()
        rows, sources = self._sums.take_changed()
        partial = Partial(
            partition=self.partition,
            partitions=self.partitions,
            block=self.block,
            since=self._sent,
            last=self.position - 1,
            sealed=sealed,
            event_time_ms=self.event_time_ms,
            idle=idle,
            end=end,
            rows=rows,
            sources=sources,
            rejected=dict(sorted(self._rejected.items())),
        )
        self._sent = self.position - 1
        return partial


def _in_future(event_ms: int, latest_ms: int) -> Reject:
    detail = f"{event_ms} ms is after the receipt and its tolerance, {latest_ms} ms"
    return Reject(reason=RejectReason.TIME_IN_FUTURE, field="ts", detail=detail)
