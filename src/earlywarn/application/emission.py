"""What an aggregator reads and what comes of it: batches of records, what is to be sent, where a block begins."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from earlywarn.aggregation.columns import TransactionColumns
from earlywarn.aggregation.partial import Partial
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS

RECEIVED_HEADER = "received_at"
"""Epoch milliseconds of the first receipt, on records that are replayed."""

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
        end: offset of the mark that ends the log, if it was met.
    """

    offset: int = 0
    event_time_ms: int | None = None
    sent: Partial | None = None
    end: int | None = None

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
