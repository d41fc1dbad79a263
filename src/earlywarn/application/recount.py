"""The plain count of a run's transactions: what must be published, found by neither fold.

One record at a time, one dictionary. Of the folds' code it shares the parser and the router, whose result is what a
record *is*; how records become numbers is written here once more, so that a defect of the folds shows.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from earlywarn.aggregation.caps import base_cap
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.aggregation.intake import decode_one
from earlywarn.aggregation.route import Route
from earlywarn.application.aggregator import RECEIVED_HEADER, time_of_receipt
from earlywarn.application.closings import PanelClosings
from earlywarn.application.compose import Run
from earlywarn.application.control_marks import AFTER_END, CONTROL_HEADER, REENTERED_HEADER, marked_ms, refused_mark
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.series import Resolution
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR, Transaction

_DAY_MS = 86_400_000

Unpack = Callable[[bytes | None], Sequence[bytes] | Reject]
"""From a record that holds many transactions to their JSON records, or why it holds none."""


class Bucket(NamedTuple):
    """An hour (base bucket) or local day of a cell; `start` in epoch seconds."""

    panel: str
    region: str
    sector: str
    kind: Resolution
    start: int


class Counted:
    """What was counted in a bucket.

    Attributes:
        transactions, amount_minor: exact sums, the amount in the panel's currency.
        late_behind_ms: the newest event time that a late one of them found in its partition; None without late ones.
        waits: whether one of them was folded after all that is published of the bucket (`PanelClosings`).
        gross: what sums of some of them may come to, whatever the order: sizes added up, of the larger of the two.
        is_capped: whether such a sum may be capped (`aggregation.caps`).
    """

    __slots__ = ("amount_minor", "gross", "is_capped", "late_behind_ms", "transactions", "waits")

    def __init__(self) -> None:
        self.transactions = 0
        self.amount_minor = 0
        self.late_behind_ms: int | None = None
        self.waits = False
        self.gross = 0
        self.is_capped = False

    def add(self, transactions: int, amount_minor: int, late_behind_ms: int | None, *, waits: bool) -> None:
        """Add one record."""
        self.transactions += transactions
        self.amount_minor += amount_minor
        if late_behind_ms is not None:
            self.late_behind_ms = max(late_behind_ms, self.late_behind_ms or 0)
        self.waits = self.waits or waits
        self.gross += max(abs(transactions), abs(amount_minor))

    def take(self, other: "Counted", cap: int) -> None:
        """Add what another bucket holds; `cap` is that of what both are counted in."""
        self.add(other.transactions, other.amount_minor, other.late_behind_ms, waits=other.waits)
        self.gross += other.gross - max(abs(other.transactions), abs(other.amount_minor))
        self.is_capped = self.is_capped or other.is_capped or self.gross > cap


class Recount:
    """Counts the records of all partitions, each partition in its order.

    Args:
        run: for its router, panels and constants.
        unpack: reads records that hold many transactions.
        finite: the run is a replay, whose marks count.
        closings: by panel, how far was folded when what it has published last closed (`Closings`).

    Attributes:
        buckets: the count, by cell and hour (of panels that publish hours) or day. It grows with cells and buckets,
            never with transactions (but for the ids of the newest records, where the run de-duplicates).
        rejected: transactions that were not accepted, by reason.
        rejected_behind_end: of these what stands behind the mark that ends its partition.
        records, accepted: records read; transactions counted.
    """

    def __init__(
        self, run: Run, unpack: Unpack, *, finite: bool, closings: Mapping[str, PanelClosings] | None = None
    ) -> None:
        self.buckets: dict[Bucket, Counted] = {}
        self.rejected: Counter[str] = Counter()
        self.rejected_behind_end: Counter[str] = Counter()
        self.records = 0
        self.accepted = 0
        self._run = run
        self._unpack = unpack
        self._finite = finite
        self._closings = closings or {}
        self._cap = base_cap(run.settings.fold.base_bucket_seconds)
        self._newest_ms: dict[int, int] = {}
        self._ended: set[int] = set()
        self._offsets: dict[int, int] = {}
        self._numbers: Counter[int] = Counter()
        self._ids: dict[int, dict[tuple[str, str, str], int]] = {}
        self._stood: dict[int, deque[tuple[int, tuple[str, str, str]]]] = {}

    def take(
        self,
        partition: int,
        offset: int,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        appended_ms: int,
    ) -> None:
        """Count one record of the log."""
        self.records += 1
        named = dict(headers)
        if CONTROL_HEADER in named:
            refused = refused_mark(named[CONTROL_HEADER], finite=self._finite)
            event_ms = marked_ms(named[CONTROL_HEADER])
            if refused is not None:
                self._reject(partition, refused.reason)
            elif event_ms is None:
                self._ended.add(partition)
            else:
                self._newest_ms[partition] = max(event_ms, self._newest_ms.get(partition, event_ms))
            return
        if self._offsets.get(partition) != offset:
            self._offsets[partition] = offset
            self._numbers[partition] += 1
        received_ms = time_of_receipt(named.get(RECEIVED_HEADER), appended_ms, finite=self._finite)
        values: Sequence[bytes | None] | Reject = [value]
        holds_many = named.get(CONTENT_TYPE_HEADER) == ARROW_STREAM
        if partition in self._ended and (holds_many or REENTERED_HEADER not in named):
            values = AFTER_END
        elif holds_many:
            values = self._unpack(value)
        for outcome in [values] if isinstance(values, Reject) else map(decode_one, values):
            reason = self._count(partition, outcome, received_ms)
            if reason is None:
                self.accepted += 1
            else:
                self._reject(partition, reason)

    def _reject(self, partition: int, reason: RejectReason) -> None:
        self.rejected[reason.value] += 1
        if partition in self._ended:
            self.rejected_behind_end[reason.value] += 1

    def watermark_seconds(self, partitions: int) -> float | None:
        """Return up to which event time all `partitions` have spoken; None if one has not, infinite at their end."""
        open_ones = [partition for partition in range(partitions) if partition not in self._ended]
        if any(partition not in self._newest_ms for partition in open_ones):
            return None
        lateness_seconds = self._run.settings.fold.lateness_seconds
        times = (self._newest_ms[partition] / 1000 - lateness_seconds for partition in open_ones)
        return min(times, default=float("inf"))

    def _count(self, partition: int, outcome: Transaction | Reject, received_ms: int) -> RejectReason | None:
        """Count a transaction; return why it is not accepted, None if it is."""
        if isinstance(outcome, Reject):
            return outcome.reason
        fold = self._run.settings.fold
        if outcome.ts > received_ms + fold.future_tolerance_seconds * 1000:
            return RejectReason.TIME_IN_FUTURE
        base_ms = fold.base_bucket_seconds * 1000
        start_ms = outcome.ts // base_ms * base_ms
        newest_ms = self._newest_ms.get(partition)
        late = newest_ms is not None and start_ms + base_ms <= newest_ms - fold.lateness_seconds * 1000
        found = self._weigh(outcome, start_ms)
        if not isinstance(found, RejectReason) and self._is_copy(partition, outcome):
            return RejectReason.DUPLICATE
        if late and newest_ms is not None and start_ms + base_ms <= newest_ms - fold.revision_horizon_days * _DAY_MS:
            return RejectReason.TOO_LATE
        if isinstance(found, RejectReason):
            return found
        self._add(*found, start_ms // 1000, newest_ms if late else None, partition)
        self._newest_ms[partition] = outcome.ts if newest_ms is None else max(newest_ms, outcome.ts)
        return None

    def _weigh(self, transaction: Transaction, start_ms: int) -> tuple[Route, tuple[int, int]] | RejectReason:
        """Return where a transaction counts, and what it adds; or why it is not acceptable, whatever its time."""
        route = self._run.router.resolve(transaction)
        if isinstance(route, Reject):
            return route.reason
        if transaction.kind == "purchase" and transaction.amount_minor < 0:
            return RejectReason.AMOUNT_OUT_OF_RANGE
        day = route.panel.calendar.day_of(start_ms // 1000).toordinal()
        amount = route.panel.rates.convert(abs(transaction.amount_minor), route.currency, day)
        if amount is None:
            return RejectReason.CURRENCY_NO_RATE
        if amount > AMOUNT_LIMIT_MINOR:
            return RejectReason.AMOUNT_OUT_OF_RANGE
        return route, (route.count_sign * transaction.count, route.amount_sign * amount)

    def _is_copy(self, partition: int, transaction: Transaction) -> bool:
        """Return whether a transaction stands in this record or one shortly before, and note that it stands here."""
        fold = self._run.settings.fold
        if not fold.deduplicate_blocks:
            return False
        number = self._numbers[partition]
        before = number - fold.deduplicate_blocks * fold.block_size
        newest, stood = self._ids.setdefault(partition, {}), self._stood.setdefault(partition, deque())
        while stood and stood[0][0] <= before:
            at, old = stood.popleft()
            if newest[old] == at:
                del newest[old]
        mark = (transaction.id, transaction.source or "", transaction.kind)
        found = mark in newest
        if newest.get(mark) != number:
            stood.append((number, mark))
        newest[mark] = number
        return found

    def _add(self, route: Route, sums: tuple[int, int], start: int, late_behind_ms: int | None, partition: int) -> None:
        closings = self._closings.get(route.panel.id)
        day_start, day_end = route.panel.calendar.day_bounds(route.panel.calendar.day_of(start))
        buckets = [(Bucket(*route.target, "day", day_start), day_end)]
        if route.panel.resolution == "hour":
            buckets.append((Bucket(*route.target, "hour", start), start + self._run.settings.fold.base_bucket_seconds))
        counteds = []
        for bucket, end in buckets:
            counted = self.buckets.get(bucket)
            if counted is None:
                counted = self.buckets[bucket] = Counted()
            waits = closings is not None and closings.wait(end, partition, self._offsets[partition])
            counted.add(*sums, late_behind_ms, waits=waits)
            counteds.append(counted)
        if counteds[-1].gross > self._cap:
            for counted in counteds:
                counted.is_capped = True
