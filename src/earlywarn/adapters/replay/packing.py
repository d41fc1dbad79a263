"""Transactions to messages: one JSON object each, or a batch as an Arrow stream."""

from collections.abc import Iterator, Sequence

import msgspec

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.transactions import Header
from earlywarn.aggregation.columns import ARROW_STREAM, BATCH_LIMIT, CONTENT_TYPE_HEADER
from earlywarn.domain.transaction import Transaction

BATCH_RECORDS = 50_000
"""Transactions in one message, at most: 3.4 MB, which an aggregator folds at nine tenths of its best speed, at 5,000 a
third of that (docs/benchmarks.md)."""
BATCHED_BLOCK = BATCH_LIMIT // BATCH_RECORDS
"""Offsets of a block in a run of batched records, so that no block holds more than 100,000 transactions."""

Packed = tuple[bytes, Sequence[Header]]
_encode = msgspec.json.Encoder().encode
_ARROW_HEADERS: tuple[Header, ...] = ((CONTENT_TYPE_HEADER, ARROW_STREAM),)


def as_json(transactions: Sequence[Transaction]) -> Iterator[Packed]:
    """Yield one message for each."""
    for transaction in transactions:
        yield _encode(transaction), ()


def as_arrow(transactions: Sequence[Transaction], message_bytes: int) -> Iterator[Packed]:
    """Yield messages of `BATCH_RECORDS` transactions, of fewer where they would be larger than `message_bytes`."""
    for start in range(0, len(transactions), BATCH_RECORDS):
        yield from _split(transactions[start : start + BATCH_RECORDS], message_bytes)


def _split(transactions: Sequence[Transaction], message_bytes: int) -> Iterator[Packed]:
    value = arrow_batch.encode(transactions)
    if len(value) <= message_bytes or len(transactions) == 1:
        yield value, _ARROW_HEADERS
        return
    half = len(transactions) // 2
    yield from _split(transactions[:half], message_bytes)
    yield from _split(transactions[half:], message_bytes)
