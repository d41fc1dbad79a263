"""One source partition of a live log: its position, its open block, and what its records and marks are to it."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from earlywarn.aggregation.block import BlockFold, Rejected
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.aggregation.intake import Outcome, decode
from earlywarn.application.control_marks import AFTER_END, CONTROL_HEADER, REENTERED_HEADER, marked_ms, refused_mark
from earlywarn.application.emission import (
    RECEIVED_HEADER,
    Batch,
    BlockStart,
    ColumnsDecoder,
    DeadLetter,
    DecodedColumns,
    Emission,
    Headers,
    time_of_receipt,
)
from earlywarn.domain.reject import Reject

_ROWS_AT_ONCE = 1_000


class SourcePartition:
    """One source partition: position in the log, open block, news not yet sent.

    A `finite` one is a replay's, and obeys its marks; behind the mark at `end` nothing counts but what was re-entered.
    In any other such a mark is a record that cannot be used.
    """

    def __init__(
        self,
        fold: BlockFold,
        decode_columns: ColumnsDecoder,
        now_seconds: float,
        *,
        finite: bool = False,
        end: int | None = None,
    ) -> None:
        self.fold = fold
        self.finite = finite
        self.end = end
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
        offset = self.fold.block * self.fold.parameters.block_size
        return BlockStart(offset, self.fold.block_event_time_ms, end=self.end)

    @property
    def block_end(self) -> int:
        """Return the offset at which the open block ends."""
        return (self.fold.block + 1) * self.fold.parameters.block_size

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
            reentered = REENTERED_HEADER in named and self._is_over(batch.offsets[at])
            if not (controls or holds_many or reentered):
                continue
            self._add(batch, start, at, received, emission)
            start = at + 1
            if controls:
                self._obey(batch.offsets[at], named[CONTROL_HEADER], batch.values[at], received[at], emission)
            elif holds_many:
                self._add_columns(batch.offsets[at], batch.values[at], received[at], emission)
            else:
                self._add(batch, at, start, received, emission, reentered=True)
        self._add(batch, start, len(headers), received, emission)

    def _is_over(self, offset: int) -> bool:
        """Return whether what stands at an offset came in after the log's end."""
        return self.end is not None and offset > self.end

    def _add(
        self,
        batch: Batch,
        start: int,
        stop: int,
        received_ms: Sequence[int] | int,
        emission: Emission,
        *,
        reentered: bool = False,
    ) -> None:
        """Fold neighbouring records; all of them stand on one side of the mark that ends the log."""
        if start == stop:
            return
        counts = reentered or not self._is_over(batch.offsets[start])
        if batch.offsets[start] < self._begins:
            begins = bisect_left(batch.offsets, self._begins, start, stop)
            times = received_ms if isinstance(received_ms, int) else received_ms[start:begins]
            self.fold.remember(batch.offsets[start:begins], _outcomes(batch.values[start:begins], counts=counts), times)
            self._add(batch, begins, stop, received_ms, emission, reentered=reentered)
            return
        offsets, values = batch.offsets[start:stop], batch.values[start:stop]
        times = received_ms if isinstance(received_ms, int) else received_ms[start:stop]
        sealed, rejected = self.fold.add(offsets, _outcomes(values, counts=counts), times)
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
            if event_ms is None:
                self.end = offset if self.end is None else min(self.end, offset)
            emission.partials += self.fold.end(offset) if event_ms is None else self.fold.advance(offset, event_ms)
            return
        sealed, [rejected] = self.fold.add([offset], [reject], received_ms)
        emission.partials += sealed
        emission.dead_letters.append(DeadLetter(self.fold.partition, offset, value, received_ms, rejected.reject))

    def _add_columns(self, offset: int, value: bytes | None, received_ms: int, emission: Emission) -> None:
        """Fold a record that holds many transactions."""
        decoded = AFTER_END if self._is_over(offset) else self._decode_columns(value)
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


def _outcomes(values: Sequence[bytes | None], *, counts: bool) -> list[Outcome]:
    """Return what records are; of those that count no more that they do not."""
    return decode(values) if counts else [AFTER_END] * len(values)
