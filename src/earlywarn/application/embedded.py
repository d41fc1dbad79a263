"""The embedded run: the same two folds in one process, over finite feeds, to the end of the input.

Each feed (a file) is a source partition. The next batch is always read from the feed whose events are
oldest, so that many files cover their time together and the memory stays bounded.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.partial import Partial
from earlywarn.application.compose import Run
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import Output, RunFold
from earlywarn.domain.reject import Reject


class FeedBatch(Protocol):
    """Some records of a feed, in order."""

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Decoded records."""


_Batch = TypeVar("_Batch", bound=FeedBatch)
_Batch_co = TypeVar("_Batch_co", bound=FeedBatch, covariant=True)
_Batch_contra = TypeVar("_Batch_contra", bound=FeedBatch, contravariant=True)


class Feed(Protocol[_Batch_co]):
    """A finite source of records."""

    def batches(self) -> Iterator[_Batch_co]:
        """Yield the records in order."""


class Sink(Protocol[_Batch_contra]):
    """Takes what a run gives: outputs in order, and the records that were not accepted."""

    def publish(self, output: Output) -> None:
        """Take one output."""

    def reject(self, batch: _Batch_contra, index: int, reject: Reject) -> None:
        """Take a rejected record: the one at `index` of a batch."""

    def advance(self, records: int) -> None:
        """Note progress: so many records were folded since the last call."""


def run_embedded(run: Run, feeds: Sequence[Feed[_Batch]], sink: Sink[_Batch], *, received_ms: int) -> RunFold:
    """Fold all feeds to their ends; return the fold as it stands then.

    `received_ms` is the time of receipt of every record, against which "in the future" is judged.
    """
    fold = compose_fold(run, len(feeds))
    blocks = [run.block_fold(partition, len(feeds)) for partition in range(len(feeds))]
    batches = [iter(feed.batches()) for feed in feeds]
    reading = list(range(len(feeds)))
    while reading:
        partition = min(reading, key=lambda at: (blocks[at].event_time_ms or 0, at))
        block = blocks[partition]
        batch = next(batches[partition], None)
        if batch is None:
            reading.remove(partition)
            _publish(fold, block.flush(end=True), sink)
            continue
        start = block.position
        sealed, rejected = block.add(range(start, start + len(batch.outcomes)), batch.outcomes, received_ms)
        for partial in sealed:
            _publish(fold, partial, sink)
        _publish(fold, block.flush(), sink)
        for each in rejected:
            sink.reject(batch, each.offset - start, each.reject)
        sink.advance(len(batch.outcomes))
    return fold


def _publish(fold: RunFold, partial: Partial | None, sink: Sink[_Batch]) -> None:
    if partial is not None:
        for output in fold.apply(partial):
            sink.publish(output)
