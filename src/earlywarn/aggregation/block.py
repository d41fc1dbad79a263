"""First fold: the records of one source partition into cumulative partials of blocks of offsets.

A block is the offsets with equal `offset // block_size`. Its partial is a function of the log's
prefix alone: not of how the records were batched, when they were read, or who read them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.partial import Partial, Row, SourceRow
from earlywarn.aggregation.route import Route, Router
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR, COUNT_LIMIT, Transaction
from earlywarn.errors import LogError

_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST_MS = 631_152_000_000  # 1990-01-01, before any card stream
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_NEVER = -(1 << 60)
_ROUTE_BITS = 17
_ROUTES_LIMIT = 1 << _ROUTE_BITS  # combinations of attributes kept at once; then they are resolved anew


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
        self._route_index: dict[tuple[object, ...], int] = {}
        self._routes: list[Route | Reject] = []
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
            if block != self.block:
                sealed.append(self._seal())
                self._open_block(block)
            stop = bisect_left(offsets, (block + 1) * size, start)
            self._fold(offsets, outcomes, received_ms, start, stop, rejected)
            self.position = offsets[stop - 1] + 1
            if self.position == (block + 1) * size:
                sealed.append(self._seal())
                self._open_block(block + 1)
            start = stop
        return sealed, rejected

    def flush(self, *, idle: bool = False, end: bool = False) -> Partial | None:
        """Return the partial of the open block if there is news, or if idleness or the end is to be said."""
        if self.position - 1 == self._sent and not idle and not end:
            return None
        return self._emit(sealed=False, idle=idle, end=end)

    # --- the hot loop

    def _fold(
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
        same_receipt = isinstance(received_ms, int)
        latest = min(_LATEST_MS, received_ms + tolerance_ms) if same_receipt else _LATEST_MS
        on_time, find_route = self._on_time, self._route_index.get
        find_row = on_time.get
        for at in range(start, stop):
            item = outcomes[at]
            if item.__class__ is not Transaction:
                self._reject(offsets[at], item, rejected)
                continue
            if not same_receipt:
                latest = min(_LATEST_MS, received_ms[at] + tolerance_ms)
            key = (
                item.region, item.mcc, item.currency, item.country, item.channel,
                item.sector, item.kind, item.source, None if item.mcc else item.merchant,
            )  # fmt: skip
            route = find_route(key)
            if route is None:
                route = self._learn_route(key, item)
            event_ms, count, amount = item.ts, item.count, item.amount_minor
            if (
                route < 0
                or event_ms.__class__ is not int
                or not _EARLIEST_MS <= event_ms <= latest
                or not 0 <= amount <= AMOUNT_LIMIT_MINOR
                or not 0 <= count <= COUNT_LIMIT
            ):
                plain = self._examine(item, route, latest)
                if plain.__class__ is Reject:
                    self._reject(offsets[at], plain, rejected)
                    continue
                route, event_ms, count, amount = plain
            bucket = event_ms // base_ms
            if event_ms > newest:
                newest = event_ms
                if newest >= late_edge:
                    late_below = (newest - lateness_ms) // base_ms
                    late_edge = (late_below + 1) * base_ms + lateness_ms
            elif bucket < late_below:
                self._add_late(offsets[at], bucket, route, count, amount, newest, rejected)
                continue
            place = bucket << _ROUTE_BITS | route
            row = find_row(place)
            if row is None:
                on_time[place] = [count, amount]
            else:
                row[0] += count
                row[1] += amount
        self.event_time_ms = None if newest == _NEVER else newest

    # --- the rare cases

    def _learn_route(self, key: tuple[object, ...], transaction: Transaction) -> int:
        """Resolve a new combination of attributes; a negative index stands for what needs `_examine`."""
        if len(self._routes) >= _ROUTES_LIMIT:
            self._collect()
            self._forget_routes()
        route = self._router.resolve(transaction)
        index = len(self._routes)
        self._routes.append(route)
        place = index if not isinstance(route, Reject) and route.plain else -index - 1
        self._route_index[key] = place
        return place

    def _forget_routes(self) -> None:
        self._routes.clear()
        self._route_index.clear()

    def _examine(self, item: Transaction, place: int, latest: int) -> tuple[int, int, int, int] | Reject:
        """Return (route, event time in ms, signed count, signed amount in the panel's currency), or a reject."""
        index = place if place >= 0 else -place - 1
        route = self._routes[index]
        if isinstance(route, Reject):
            return route
        if isinstance(item.ts, int):
            event_ms = item.ts
        elif item.ts.tzinfo is None:
            return Reject(reason=RejectReason.TIME_INVALID, field="ts", detail="no offset from UTC")
        else:
            event_ms = (item.ts - _EPOCH) // _MILLISECOND
        if not _EARLIEST_MS <= event_ms <= _LATEST_MS:
            return Reject(
                reason=RejectReason.TIME_INVALID, field="ts", detail=f"{event_ms} ms is not within 1990..2100"
            )
        if event_ms > latest:
            return Reject(
                reason=RejectReason.TIME_IN_FUTURE,
                field="ts",
                detail=f"{event_ms} ms is after the receipt and its tolerance, {latest} ms",
            )
        if not 0 <= item.count <= COUNT_LIMIT:
            return Reject(reason=RejectReason.COUNT_OUT_OF_RANGE, field="count", detail=str(item.count)[:40])
        amount = item.amount_minor if item.kind == "purchase" else abs(item.amount_minor)
        if not 0 <= amount <= AMOUNT_LIMIT_MINOR:
            return Reject(
                reason=RejectReason.AMOUNT_OUT_OF_RANGE, field="amount_minor", detail=f"{item.amount_minor}"[:40]
            )
        if route.currency != route.panel.currency:
            converted = route.panel.rates.convert(amount, route.currency, _EPOCH_ORDINAL + event_ms // _DAY_MS)
            if converted is None:
                return Reject(
                    reason=RejectReason.CURRENCY_NO_RATE,
                    field="currency",
                    detail=f"no rate from {route.currency} to {route.panel.currency} on that day",
                )
            amount = converted
        return index, event_ms, route.count_sign * item.count, route.amount_sign * amount

    def _add_late(
        self, offset: int, bucket: int, route: int, count: int, amount: int, newest: int, rejected: list[Rejected]
    ) -> None:
        base_ms = self.parameters.base_bucket_seconds * 1000
        if (bucket + 1) * base_ms <= newest - self.parameters.revision_horizon_days * _DAY_MS:
            detail = f"more than {self.parameters.revision_horizon_days} days behind the partition's newest event"
            self._reject(offset, Reject(reason=RejectReason.TOO_LATE, field="ts", detail=detail), rejected)
            return
        row = self._late.setdefault(bucket << _ROUTE_BITS | route, [0, 0])
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
        self._on_time: dict[int, list[int]] = {}
        self._late: dict[int, list[int]] = {}
        self._changed: set[tuple[str, str, str, int, bool]] = set()
        self._changed_sources: set[tuple[str, str, int]] = set()
        self._rows: dict[tuple[str, str, str, int, bool], list[int]] = {}
        self._sources: dict[tuple[str, str, int], int] = {}
        self._rejected: dict[str, int] = {}

    def _seal(self) -> Partial:
        return self._emit(sealed=True)

    def _collect(self) -> None:
        """Move what was added since the last time into the block's rows, and note which rows changed."""
        seconds = self.parameters.base_bucket_seconds
        mask = _ROUTES_LIMIT - 1
        for late, added in ((False, self._on_time), (True, self._late)):
            for place, (count, amount) in added.items():
                route = self._routes[place & mask]
                if isinstance(route, Reject):
                    raise TypeError(route)
                bucket = (place >> _ROUTE_BITS) * seconds
                key = (route.panel.id, route.region, route.sector, bucket, late)
                row = self._rows.setdefault(key, [0, 0])
                row[0] += count
                row[1] += amount
                self._changed.add(key)
                if route.source is not None and not late:
                    source = (route.panel.id, route.source, bucket)
                    self._sources[source] = self._sources.get(source, 0) + count
                    self._changed_sources.add(source)
            added.clear()

    def _emit(self, *, sealed: bool, idle: bool = False, end: bool = False) -> Partial:
        self._collect()
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
            rows=tuple(Row(*key, *self._rows[key]) for key in sorted(self._changed)),
            sources=tuple(SourceRow(*key, self._sources[key]) for key in sorted(self._changed_sources)),
            rejected=dict(sorted(self._rejected.items())),
        )
        self._sent = self.position - 1
        self._changed.clear()
        self._changed_sources.clear()
        return partial
