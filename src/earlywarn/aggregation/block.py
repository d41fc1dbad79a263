"""First fold: the records of one source partition into cumulative partials of blocks of offsets.

A block is the offsets with equal `offset // block_size`. Its partial is a function of the log's
prefix alone: not of how the records were batched, when they were read, or who read them.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from earlywarn.aggregation.attribute_rows import DAY_MS, AttributeRows, Attributes
from earlywarn.aggregation.column_fold import ColumnFold
from earlywarn.aggregation.columns import TransactionColumns
from earlywarn.aggregation.copies import CopyWindow
from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.parameters import FoldParameters
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.refusals import Rejected, in_future, too_late
from earlywarn.aggregation.route import Router
from earlywarn.domain.reject import Reject, Whereabouts
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import LogError

__all__ = ["BlockFold", "FoldParameters", "Rejected"]

_NEVER = -(1 << 60)


class BlockFold:
    """Folds one partition; `add` and `flush` return what is to be sent.

    A fold starts at a block's start, with the event-time maximum that held there. To read a block
    again (a rebalance, a redelivery), make a new fold: it gives the same partials. Where the log does not hold the
    block's start any more, it goes on behind what was sent of it (`resume`). If it de-duplicates, it is told first what
    stands before (`remember`), from `remembers_from` on.
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
        self._records = AttributeRows(router, parameters)
        self._columns = ColumnFold(router, parameters)
        self._rejected: dict[str, int]
        self.forget()
        self._open_block(position // parameters.block_size)

    def resume(self, sent: Partial) -> None:
        """Go on behind what was sent of the open block, with all its rows; for a fold to which nothing is added yet."""
        self.position = sent.last + 1
        self.event_time_ms = sent.event_time_ms
        self._sent = sent.last
        self._rejected = dict(sent.rejected)
        self._records.sums.resume(sent.rows, sent.sources, sent.unread)

    def forget(self) -> None:
        """Remember no record from before the position; for a fold to which none is added yet."""
        size = self.parameters.block_size
        window = self.parameters.deduplicate_blocks * size
        self._copies = CopyWindow(window, size, self._refusal) if window else None

    @property
    def remembers_from(self) -> int:
        """Return from which offset on records before the position may decide what behind it is a copy.

        Where the log has holes it is further back: until it `remembers_enough`.
        """
        return max(0, self.position - max(0, self._needed))

    def remembers_enough(self, more: int = 0) -> bool:
        """Return whether with so many more as many records are remembered as ever decide what is a copy."""
        return self._copies is None or self._copies.seen + more >= self._needed

    @property
    def _needed(self) -> int:
        return self.parameters.deduplicate_blocks * self.parameters.block_size - 1

    def remember(self, offsets: Sequence[int], outcomes: Sequence[Outcome], received_ms: Sequence[int] | int) -> None:
        """Take records from before the position, in their order and before any is added: they count no more."""
        if offsets:
            self._remembering(offsets[-1]).remember(outcomes, 0, self._latest_ms(received_ms))

    def remember_columns(self, offset: int, columns: TransactionColumns, received_ms: int) -> None:
        """Take a record of many transactions from before the position."""
        copies = self._remembering(offset)
        copies.open_record()
        self._columns.remember(columns, received_ms, copies)

    def add(
        self, offsets: Sequence[int], outcomes: Sequence[Outcome], received_ms: Sequence[int] | int
    ) -> tuple[list[Partial], list[Rejected]]:
        """Fold decoded records in; return the partials of blocks that became complete, and the rejected.

        `offsets` ascend (holes are allowed, repeats are not); `received_ms` is the time of receipt of
        each record, or of all of them.
        """
        if offsets:
            self._check_new(offsets[0])
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
            sealed += self._leave_full_block()
            start = stop
        return sealed, rejected

    def add_columns(
        self, offset: int, columns: TransactionColumns, received_ms: int
    ) -> tuple[list[Partial], list[Rejected]]:
        """Fold one record in that holds many transactions, as if each were a record of its own, in their order.

        All of them stand at `offset`, so they are of one block, and the position moves by one. Returns what
        `add` returns; the rejected have their index in the record.
        """
        self._check_new(offset)
        sealed = self._reach(offset // self.parameters.block_size)
        rejected: list[Rejected] = []
        if self._copies is not None:
            self._copies.open_record()
        self.event_time_ms, rejects = self._columns.fold(
            columns, received_ms, self.event_time_ms, self._records.sums, self._copies
        )
        for index, reject in rejects:
            self._reject(offset, reject, rejected, index)
        self.position = offset + 1
        sealed += self._leave_full_block()
        return sealed, rejected

    def pass_over(self, position: int) -> list[Partial]:
        """Say that the log holds nothing that counts before `position`; return the partials of blocks that end there.

        At a log's end marks of transactions may stand: retention removes them with the records before.
        """
        sealed = self._reach(position // self.parameters.block_size) if position > self.position else []
        self.position = max(self.position, position)
        return sealed

    def end(self, offset: int) -> list[Partial]:
        """Take the mark that ends a finite log, which stands at `offset`; return what is to be sent."""
        partials = self._reach(offset // self.parameters.block_size)
        self.position = offset + 1
        partials.append(self._emit(sealed=False, end=True))
        return partials + self._leave_full_block()

    def advance(self, offset: int, event_ms: int) -> list[Partial]:
        """Take the mark at `offset` that nothing older than `event_ms` is still to come; return what is to be sent."""
        partials = self._reach(offset // self.parameters.block_size)
        self.event_time_ms = event_ms if self.event_time_ms is None else max(self.event_time_ms, event_ms)
        self.position = offset + 1
        return partials + self._leave_full_block()

    def flush(self, *, idle: bool = False, end: bool = False) -> Partial | None:
        """Return the partial of the open block if there is news, or if idleness or the end is to be said."""
        if self.position - 1 == self._sent and not idle and not end:
            return None
        return self._emit(sealed=False, idle=idle, end=end)

    def lose(self, begins: int) -> list[Partial]:
        """Say that the log begins at `begins` now, behind the position: what is folded, and that no more comes."""
        news = self.flush()
        lost = msgspec.structs.replace(self._emit(sealed=False), rejected={}, lost=begins)
        return [lost] if news is None else [news, lost]

    # --- the hot loop

    def _fold(  # noqa: C901, PLR0912, PLR0915  # one loop without calls: each costs 50 ns a transaction
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
        rows: dict[Attributes, list[int]] = {}
        find_row = rows.get
        plain_routes, on_time = self._records.plain, self._records.on_time
        admit = self._records.sums.admit
        for at, item in self._numbered(outcomes[start:stop], start, received_ms, rejected):
            if receipts:
                latest = receipts[at] + tolerance_ms
                if latest < bucket_end:
                    bucket_end = 0
            event_ms = item.ts
            if not bucket_start <= event_ms < bucket_end:
                if isinstance(item, Reject):
                    self._reject(offsets[at], item, rejected)
                    if isinstance(item.about, Whereabouts):
                        self._records.miss(item.about, newest, latest)
                    continue
                if event_ms > latest:
                    self._reject(offsets[at], in_future(event_ms, latest), rejected)
                    continue
                bucket = event_ms // base_ms
                if bucket < late_below:
                    bucket_end = 0
                    self._add_late(offsets[at], item, bucket, newest, rejected)
                    continue
                rows = on_time.setdefault(bucket, {})
                find_row = rows.get
                bucket_start = bucket * base_ms
                bucket_end = min(bucket_start + base_ms, latest + 1)
            key = (
                item.region, item.mcc, item.currency, item.country, item.channel,
                item.sector, item.kind, item.source,
            )  # fmt: skip
            row, count, amount = find_row(key), item.count, item.amount_minor
            if row is None or amount < 0:
                if row is None and amount >= 0 and key in plain_routes:
                    row = rows[key] = [0, 0]
                else:
                    entry = self._records.enter(item, key, on_time, bucket)
                    bucket_end = 0  # routes may have been forgotten: look the bucket's rows up anew
                    if isinstance(entry, Reject):
                        self._reject(offsets[at], entry, rejected)
                        self._records.miss_transaction(item, bucket)
                        continue
                    row, count, amount = entry
                if item.source:
                    admit(item.source)
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

    def _add_late(self, offset: int, item: Transaction, bucket: int, newest: int, rejected: list[Rejected]) -> None:
        base_ms = self.parameters.base_bucket_seconds * 1000
        if (bucket + 1) * base_ms <= newest - self.parameters.revision_horizon_days * DAY_MS:
            self._reject(offset, too_late(self.parameters), rejected)
            return
        key = (
            item.region, item.mcc, item.currency, item.country, item.channel,
            item.sector, item.kind, item.source,
        )  # fmt: skip
        entry = self._records.enter(item, key, self._records.late, bucket)
        if isinstance(entry, Reject):
            self._reject(offset, entry, rejected)
            return
        row, count, amount = entry
        row[0] += count
        row[1] += amount

    def _reject(self, offset: int, reject: Reject, rejected: list[Rejected], index: int = 0) -> None:
        self._rejected[reject.reason.value] = self._rejected.get(reject.reason.value, 0) + 1
        rejected.append(Rejected(offset, reject, index))

    # --- copies

    def _numbered(
        self, batch: Sequence[Outcome], start: int, received_ms: Sequence[int] | int, rejected: Sequence[Rejected]
    ) -> Iterator[tuple[int, Any]]:
        """Number a batch for the loop, to which it shows by its time whether an outcome is a Reject."""
        if self._copies is None:
            return enumerate(batch, start)
        return self._copies.sifted(batch, start, self._latest_ms(received_ms), rejected)

    def _remembering(self, offset: int) -> CopyWindow:
        if self._copies is None or offset >= self.position:
            raise LogError(f"partition {self.partition}: offset {offset} is not before {self.position}")
        return self._copies

    def _refusal(self, item: Transaction, latest_ms: int) -> Reject | None:
        """Say why a transaction is not acceptable by itself."""
        return in_future(item.ts, latest_ms) if item.ts > latest_ms else self._records.refusal(item)

    def _latest_ms(self, received_ms: Sequence[int] | int) -> Callable[[int], int]:
        """Return the latest event time that is not in the future, by a record's place in its batch."""
        tolerance_ms = self.parameters.future_tolerance_seconds * 1000
        if isinstance(received_ms, int):
            return lambda _: received_ms + tolerance_ms
        return lambda at: received_ms[at] + tolerance_ms

    # --- blocks and what is sent of them

    def _check_new(self, offset: int) -> None:
        if offset < self.position:
            raise LogError(
                f"partition {self.partition}: offset {offset} comes again after {self.position - 1}; "
                "seek to the block's start and fold anew"
            )

    def _open_block(self, block: int) -> None:
        self.block = block
        self.block_event_time_ms = self.event_time_ms
        self._sent = block * self.parameters.block_size - 1
        self._records.open_block()
        self._rejected = {}

    def _reach(self, block: int) -> list[Partial]:
        """Seal the open block if the log goes on in a later one; its last offset then covers the hole between."""
        if block == self.block:
            return []
        self.position = block * self.parameters.block_size
        sealed = self._seal()
        self._open_block(block)
        return [sealed]

    def _leave_full_block(self) -> list[Partial]:
        """Seal the open block if its last offset is folded."""
        if self.position < (self.block + 1) * self.parameters.block_size:
            return []
        sealed = self._seal()
        self._open_block(self.block + 1)
        return [sealed]

    def _seal(self) -> Partial:
        return self._emit(sealed=True)

    def _emit(self, *, sealed: bool, idle: bool = False, end: bool = False) -> Partial:
        changed = self._records.collect().take_changed()
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
            rows=changed.rows,
            sources=changed.sources,
            unread=changed.unread,
            rejected=dict(sorted(self._rejected.items())),
        )
        self._sent = self.position - 1
        return partial
