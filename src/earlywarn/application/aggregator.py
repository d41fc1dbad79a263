"""The first fold over a live log: what an aggregator does with batches of records, without a broker or a clock.

Each assigned source partition is a `BlockFold` and the position in the log up to which it has read. Time is an
argument (`now_seconds`, of any clock that does not go back); it decides only when something is sent and when a
partition is called idle, never what a block holds.
"""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from earlywarn.aggregation.block import BlockFold, Rejected
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER, TransactionColumns
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.application.compose import Run
from earlywarn.application.control_marks import CONTROL_HEADER, marked_ms, refused_mark
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS

RECEIVED_HEADER = "received_at"
"""Epoch milliseconds of the first receipt, on records that are replayed."""

_ROWS_AT_ONCE = 1_000
_TIME_BYTES = 64  # no time is written longer, and of a very long header not all may be there

Headers = Sequence[tuple[str, bytes | None]]


class Batch(Protocol):
    """Neighbouring records of a partition as columns; see `adapters.kafka.record_batch.RecordBatch`."""

    @property
    def start(self) -> int:
        """Log position before the records."""

    @property
    def next(self) -> int:
        """Log position behind them."""

    @property
    def offsets(self) -> Sequence[int]:
        """Offsets, ascending."""

    @property
    def values(self) -> Sequence[bytes | None]:
        """Values."""

    @property
    def timestamps_ms(self) -> Sequence[int] | int:
        """The log's times."""

    @property
    def headers(self) -> Sequence[Headers] | None:
        """Headers, if any record has one."""


class DecodedColumns(Protocol):
    """A record that held many transactions; see `adapters.arrow_batch.ArrowBatch`."""

    @property
    def columns(self) -> TransactionColumns:
        """The transactions."""

    def records(self, rows: Sequence[int]) -> list[bytes]:
        """Return some of them as the JSON records that they stand for."""


ColumnsDecoder = Callable[[bytes | None], DecodedColumns | Reject]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was not accepted, with its original bytes; `index` is its place in a batched record."""

    partition: int
    offset: int
    value: bytes | None
    received_ms: int
    reject: Reject
    index: int = 0


@dataclass(slots=True)
class Emission:
    """What is to be sent, dead letters first; `judged` transactions were read for it, accepted or not.

    Those of batched records are made as they are taken: one record may give a hundred thousand, each far longer than
    its row, which may be a few codes of dictionaries.
    """

    dead_letters: list[DeadLetter] = field(default_factory=list)
    batched_letters: list[Iterator[DeadLetter]] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)
    judged: int = 0


@dataclass(frozen=True, slots=True)
class BlockStart:
    """Where a block begins, and the newest event time before it: enough to fold it again.

    Attributes:
        sent: what was sent of the block, if the log does not hold its start any more: the fold goes on behind it.
    """

    offset: int = 0
    event_time_ms: int | None = None
    sent: Partial | None = None

    @classmethod
    def behind(cls, sent: Partial, block_size: int) -> "BlockStart":
        """Return where to begin behind a partial that has all rows of its block."""
        if sent.sealed:
            return cls(sent.last + 1, sent.event_time_ms)
        return cls(sent.block * block_size, sent=sent)

    @property
    def position(self) -> int:
        """Return the offset from which on the log is needed."""
        return self.offset if self.sent is None else self.sent.last + 1


class SourcePartition:
    """One source partition: position in the log, open block, news not yet sent.

    A `finite` one is a replay's, and obeys its marks. In any other such a mark is a record that cannot be used.
    """

    def __init__(
        self, fold: BlockFold, decode_columns: ColumnsDecoder, now_seconds: float, *, finite: bool = False
    ) -> None:
        self.fold = fold
        self.finite = finite
        self.lost = False
        self._decode_columns = decode_columns
        self.position = self._looks_from = fold.remembers_from
        self._begins = fold.position
        self.idle = False
        self.heard_seconds = now_seconds
        self.news_seconds: float | None = None

    @property
    def block_start(self) -> BlockStart:
        """Return where the open block begins."""
        return BlockStart(self.fold.block * self.fold.parameters.block_size, self.fold.block_event_time_ms)

    @property
    def needed(self) -> int:
        """Return the offset from which on the log must be there; what is read before it only tells copies."""
        return max(self.position, self._begins)

    def skip(self, earliest: int) -> bool:
        """Go on at `earliest`, where the log begins, if what is not there any more only told copies."""
        if earliest <= self._begins and earliest > self.position:
            self.position = earliest
            self._looks_from = 0  # nothing is before it
        return earliest <= self.position

    def lose(self, earliest: int) -> Emission:
        """Fold nothing more: the log begins at `earliest`, and what would have to be read next is before that."""
        self.lost = True
        self.news_seconds = None
        return Emission(partials=self.fold.lose(earliest))

    def take(self, batch: Batch, now_seconds: float) -> Emission:
        """Fold a batch that starts at `position`; what lies before where the fold begins is only remembered.

        Where too few records lie there, `position` goes back behind the batch's start: read on from there.
        """
        emission = Emission()
        self.heard_seconds = now_seconds
        if self.position < self._begins <= batch.next and not self._has_looked_back(batch):
            return emission
        if batch.headers is None:
            self._add(batch, 0, len(batch.offsets), batch.timestamps_ms, emission)
        else:
            self._take_with_headers(batch, batch.headers, emission)
        self.position = batch.next
        if batch.offsets:
            self.idle = False
            if self.news_seconds is None:
                self.news_seconds = now_seconds
        return emission

    def _has_looked_back(self, batch: Batch) -> bool:
        """Return whether enough records are remembered with those of a batch; if not, begin further back."""
        past = bisect_left(batch.offsets, self._begins)
        marks = sum(self._is_mark(dict(pairs)) for pairs in (batch.headers or ())[:past] if pairs)
        if not self._looks_from or self.fold.remembers_enough(past - marks):
            return True
        self.position = self._looks_from = max(0, self._begins - 2 * (self._begins - self._looks_from))
        self.fold.forget()
        return False

    def _is_mark(self, named: Mapping[str, bytes | None]) -> bool:
        """Return whether a record with these headers is a mark that this log obeys, and so no record of it."""
        return CONTROL_HEADER in named and refused_mark(named[CONTROL_HEADER], finite=self.finite) is None

    def flush(self, *, idle: bool = False) -> Emission:
        """Return what is new in the open block, or say that the partition is idle."""
        self.news_seconds = None
        self.idle = self.idle or idle
        sealed = self.fold.pass_over(self.position) if idle else []
        partial = self.fold.flush(idle=idle)
        return Emission(partials=sealed if partial is None else [*sealed, partial])

    def _take_with_headers(self, batch: Batch, headers: Sequence[Headers], emission: Emission) -> None:
        """Fold runs of plain records, and what stands between them."""
        times = batch.timestamps_ms
        received = [times] * len(headers) if isinstance(times, int) else list(times)
        start = 0
        for at, pairs in enumerate(headers):
            if not pairs:
                continue
            named = dict(pairs)
            received[at] = time_of_receipt(named.get(RECEIVED_HEADER), received[at], finite=self.finite)
            controls, holds_many = CONTROL_HEADER in named, named.get(CONTENT_TYPE_HEADER) == ARROW_STREAM
            if not (controls or holds_many):
                continue
            self._add(batch, start, at, received, emission)
            start = at + 1
            if controls:
                self._obey(batch.offsets[at], named[CONTROL_HEADER], batch.values[at], received[at], emission)
            else:
                self._add_columns(batch.offsets[at], batch.values[at], received[at], emission)
        self._add(batch, start, len(headers), received, emission)

    def _add(self, batch: Batch, start: int, stop: int, received_ms: Sequence[int] | int, emission: Emission) -> None:
        if start == stop:
            return
        if batch.offsets[start] < self._begins:
            begins = bisect_left(batch.offsets, self._begins, start, stop)
            times = received_ms if isinstance(received_ms, int) else received_ms[start:begins]
            self.fold.remember(batch.offsets[start:begins], decode(batch.values[start:begins]), times)
            self._add(batch, begins, stop, received_ms, emission)
            return
        offsets, values = batch.offsets[start:stop], batch.values[start:stop]
        times = received_ms if isinstance(received_ms, int) else received_ms[start:stop]
        sealed, rejected = self.fold.add(offsets, decode(values), times)
        emission.judged += len(values)
        emission.partials += sealed
        emission.dead_letters += [self._dead_letter(each, offsets, values, times) for each in rejected]

    def _obey(self, offset: int, mark: bytes | None, value: bytes | None, received_ms: int, emission: Emission) -> None:
        """Take a control record: a mark of a replay, or one that has no place here."""
        reject = refused_mark(mark, finite=self.finite)
        if offset < self._begins:
            if reject is not None:
                self.fold.remember([offset], [reject], received_ms)
            return
        if reject is None:
            event_ms = marked_ms(mark)
            emission.partials += self.fold.end(offset) if event_ms is None else self.fold.advance(offset, event_ms)
            return
        sealed, [rejected] = self.fold.add([offset], [reject], received_ms)
        emission.partials += sealed
        emission.dead_letters.append(DeadLetter(self.fold.partition, offset, value, received_ms, rejected.reject))

    def _add_columns(self, offset: int, value: bytes | None, received_ms: int, emission: Emission) -> None:
        """Fold a record that holds many transactions."""
        decoded = self._decode_columns(value)
        if offset < self._begins:
            if isinstance(decoded, Reject):
                self.fold.remember([offset], [decoded], received_ms)
            else:
                self.fold.remember_columns(offset, decoded.columns, received_ms)
            return
        if isinstance(decoded, Reject):
            sealed, [whole] = self.fold.add([offset], [decoded], received_ms)
            emission.dead_letters.append(DeadLetter(self.fold.partition, offset, value, received_ms, whole.reject))
        else:
            sealed, rejected = self.fold.add_columns(offset, decoded.columns, received_ms)
            emission.judged += len(decoded.columns.ts)
            if rejected:
                emission.batched_letters.append(self._letters_of_rows(decoded, rejected, received_ms))
        emission.partials += sealed

    def _letters_of_rows(
        self, decoded: DecodedColumns, rejected: Sequence[Rejected], received_ms: int
    ) -> Iterator[DeadLetter]:
        for start in range(0, len(rejected), _ROWS_AT_ONCE):
            some = rejected[start : start + _ROWS_AT_ONCE]
            for each, text in zip(some, decoded.records([row.index for row in some]), strict=True):
                yield DeadLetter(self.fold.partition, each.offset, text, received_ms, each.reject, each.index)

    def _dead_letter(
        self, rejected: Rejected, offsets: Sequence[int], values: Sequence[bytes | None], times: Sequence[int] | int
    ) -> DeadLetter:
        at = bisect_left(offsets, rejected.offset)
        received_ms = times if isinstance(times, int) else times[at]
        return DeadLetter(self.fold.partition, rejected.offset, values[at], received_ms, rejected.reject)


class Aggregator:
    """The assigned partitions of one worker; those of a replay are `finite`, and idle by no clock.

    How long a replay is paused, or its replayer away, says nothing about its partitions: their marks do.
    """

    def __init__(
        self,
        run: Run,
        decode_columns: ColumnsDecoder,
        *,
        flush_seconds: float,
        idle_seconds: float,
        finite: bool = False,
    ) -> None:
        self._run = run
        self._finite = finite
        self._decode_columns = decode_columns
        self._flush_seconds = flush_seconds
        self._idle_seconds = idle_seconds
        self.partitions: dict[int, SourcePartition] = {}

    def assign(self, starts: Mapping[int, BlockStart], partitions: int, now_seconds: float) -> None:
        """Forget all blocks and begin those of `starts`; the topic has `partitions` partitions now."""
        self.partitions = {}
        for partition, start in starts.items():
            self.begin(partition, start, partitions, now_seconds)

    def begin(self, partition: int, start: BlockStart, partitions: int, now_seconds: float) -> None:
        """Begin a partition (anew), whatever was known of it."""
        fold = self._run.block_fold(partition, partitions, position=start.offset, event_time_ms=start.event_time_ms)
        if start.sent is not None:
            fold.resume(start.sent)
        self.partitions[partition] = SourcePartition(fold, self._decode_columns, now_seconds, finite=self._finite)

    def due(self, now_seconds: float, held: Container[int] = ()) -> list[tuple[int, Emission]]:
        """Return, by partition, what has waited for a flush interval; of those that are held nothing."""
        return [
            (partition, each.flush())
            for partition, each in self.partitions.items()
            if partition not in held
            and each.news_seconds is not None
            and now_seconds - each.news_seconds >= self._flush_seconds
        ]

    def silent(self, now_seconds: float) -> list[int]:
        """Return the partitions that may be idle: nothing came for the idle time, and it was not said yet."""
        if self._finite:
            return []
        return [
            partition
            for partition, each in self.partitions.items()
            if not (each.idle or each.lost) and now_seconds - each.heard_seconds >= self._idle_seconds
        ]

    def confirm_idle(self, partition: int, end_offset: int, now_seconds: float) -> Emission:
        """Say that a partition is idle, if it still is silent and stands at `end_offset`, asked for just now."""
        if partition not in self.silent(now_seconds) or self.partitions[partition].position != end_offset:
            return Emission()
        return self.partitions[partition].flush(idle=True)


def time_of_receipt(stated: bytes | None, appended_ms: int, *, finite: bool) -> int:
    """Return the time that a record's header states; the log's own where it is absent, no number, or no time.

    Nor does a header count in a log that goes on if it states a time after the log's own: nothing is received before
    it is sent, and a sender's clock would decide what all others send too late.
    """
    try:
        found = int(stated) if stated and len(stated) <= _TIME_BYTES else appended_ms
    except ValueError:
        return appended_ms
    found = found if EARLIEST_MS <= found < LATEST_MS else appended_ms
    return found if finite else min(found, appended_ms)
