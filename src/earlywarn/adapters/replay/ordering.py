"""Several feeds as one, by event time."""

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice

from earlywarn.adapters.feeds import DecodedBatch, FileFeed
from earlywarn.adapters.files import Place
from earlywarn.aggregation.intake import Outcome
from earlywarn.domain.reject import Reject

_BATCH_RECORDS = 4_096
_Ordered = tuple[int, int, int, Outcome, DecodedBatch, int]
"""Newest event time so far in the feed, feed, number in the feed; then the record and its place."""


def merged(feeds: Sequence[FileFeed]) -> Iterator[DecodedBatch]:
    """Yield the records of all feeds; each feed's stay in their own order, and feeds go on together in event time.

    A record that comes late in its file comes as late here. Ties go by the order of the feeds, so that the same
    files give the same sequence always.
    """
    if len(feeds) == 1:
        yield from feeds[0].batches()
        return
    records = heapq.merge(*(_ordered(number, feed) for number, feed in enumerate(feeds)))
    while chunk := list(islice(records, _BATCH_RECORDS)):
        yield DecodedBatch([record[3] for record in chunk], _Places(chunk))


class _Places:
    """Finds where each record of a chunk stands."""

    def __init__(self, chunk: Sequence[_Ordered]) -> None:
        self._chunk = chunk

    def __call__(self, index: int) -> Place:
        _, _, _, _, batch, at = self._chunk[index]
        return batch.place(at)


def _ordered(number: int, feed: FileFeed) -> Iterator[_Ordered]:
    newest = sequence = 0
    for batch in feed.batches():
        for at, outcome in enumerate(batch.outcomes):
            if not isinstance(outcome, Reject):
                newest = max(newest, outcome.ts)
            yield newest, number, sequence, outcome, batch, at
            sequence += 1
