"""One owned partition of the partials: folded and published in the thread of its service, with snapshots of it.

Outputs are published as they come, in transactions of bounded size that move the progress with them: within a partial
too, since one that closes years of buckets makes millions of messages publishable. A snapshot is only written between
partials, of what is published; its bytes are made in this thread, and written in another (`snapshot_writer`).

Progress moves without outputs where a transaction ended with a partial's last one, and at the end of a finite log:
there it says how far all is folded, whether anything came of it or not.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.record_batch import Headers, RecordBatch
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import (
    Message,
    decode_change,
    decode_partial,
    encode_alert,
    encode_rows,
    is_change,
)
from earlywarn.adapters.stream import detector_metrics
from earlywarn.adapters.stream.detector_metrics import show_fold
from earlywarn.adapters.stream.garbage import made_to_stay
from earlywarn.adapters.stream.snapshot_writer import SnapshotWriter
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.detector import LogFold, Progress, Published
from earlywarn.application.fold import RunFold
from earlywarn.application.service_settings import SnapshotSettings
from earlywarn.application.snapshots import (
    LogExtent,
    LogPlace,
    SnapshotRhythm,
    SnapshotStore,
    encode_snapshot,
    recover,
)
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_MESSAGES_PER_TRANSACTION = 20_000
"""Some 12 MB, and a second or two of a broker's time; one output more may come on top."""


@dataclass(frozen=True, slots=True)
class DetectorParts:
    """What the partitions of a worker are made of.

    new_fold: makes the empty second fold of a partition q.
    new_publisher: makes the publisher of a partition q of a log (`topic_identity`).
    published_before: up to where others have published each partition q by the run's last change, if it had one.
    topics: the run's topics.
    partitions: Q of the run.
    snapshots: how often they are written.
    """

    new_fold: Callable[[int], RunFold]
    new_publisher: Callable[[int, str], Publisher]
    published_before: Callable[[int], int]
    topics: RunTopics
    partitions: int
    snapshots: SnapshotSettings


class DetectorPartition:
    """One owned partition q. All but `give_up`, `saved` and what is read blocks, and belongs into one thread.

    Attributes:
        target: the end of the log when it was assigned; before it is reached the fold is catching up.
    """

    def __init__(self, parts: DetectorParts, store: SnapshotStore, extent: LogExtent) -> None:
        """Become the publisher, and restore the newest valid snapshot.

        Raises:
            LogError: what is needed of the log is not there.
            SnapshotError: the store does not answer.
        """
        self.q = extent.partition
        self.target = extent.end
        self._extent = extent
        self._topics = parts.topics
        self._writer = SnapshotWriter(store, extent.partition)
        self._given_up = False
        self._under_way = False
        self.publisher = parts.new_publisher(self.q, extent.log)
        published = self.publisher.open()
        with made_to_stay():
            recovered = recover(extent, store, lambda: parts.new_fold(self.q))
        for problem in recovered.problems:
            detector_metrics.SNAPSHOTS.labels("refused").inc()
            _log.warning("%s", problem)
        _log.info(
            "partition %d of the partials: reading from %d, published up to %d, the log ends at %d",
            self.q, recovered.position, published.offset, extent.end,
        )  # fmt: skip
        if published.offset > extent.end:
            raise LogError(
                f"{parts.topics.partials}-{self.q}: ends at offset {extent.end}, but all up to {published.offset} is "
                "published: the broker has lost the end of the log. See docs/operations/topics.md, When the broker has "
                "lost partials"
            )
        # A snapshot holds only what is published, and the broker forgets offsets of a run that rests for long.
        known = Progress(max(recovered.position, parts.published_before(self.q)))
        self._published = max(published, known)
        self._log = LogFold(recovered.fold, position=recovered.position, published=self._published)
        if recovered.fold.fold.over and self._published > published:
            self.publisher.publish([], self._published)  # forgotten since: who waits for a finite run looks at it
        self._rhythm = SnapshotRhythm(
            every_bytes=parts.snapshots.every_bytes,
            least_seconds=parts.snapshots.least_seconds,
            now_seconds=time.monotonic(),
        )
        show_fold(self.q, recovered.fold)

    @property
    def position(self) -> int:
        """Return the offset to read on from."""
        return self._log.position

    @property
    def caught_up(self) -> bool:
        """Return whether it has folded all that was there when it began. It stays so, whatever is being folded."""
        return self._log.position >= self.target  # what it is giving outputs of is still before it

    @property
    def waiting_seconds(self) -> float:
        """Return for how long it has been trying to publish what comes of it."""
        return self.publisher.waiting_seconds

    def give_up(self) -> None:
        """Let a fold that is under way break off at its next output; its partition is of no use any more."""
        self._given_up = True

    def close(self) -> None:
        """Let go of the broker."""
        self.publisher.close()

    def fold(self, batch: RecordBatch) -> None:
        """Fold a batch, publish what comes of it, and have a snapshot kept if one is due.

        Raises:
            FencedError: another publisher has taken over.
            LogError: the log cannot be folded, or what comes of it not be published.
        """
        log = self._log
        buckets, uncounted, capped = log.closed_buckets, log.fold.uncounted_transactions, log.fold.capped()
        self._under_way = True
        waiting: list[tuple[str, Message]] = []
        for output in self._outputs(batch):
            waiting += self._messages(output)
            if len(waiting) >= _MESSAGES_PER_TRANSACTION:
                self._publish(waiting)
                waiting = []
        if self._given_up:
            return
        owed = self._published.outputs or log.fold.fold.over  # progress alone, and nothing with it
        if waiting or (owed and log.reached > self._published):
            self._publish(waiting)
        log.position = batch.next
        self._under_way = False
        detector_metrics.PARTIALS_FOLDED.inc(len(batch))
        show_fold(self.q, log.fold)
        if log.fold.uncounted_transactions > uncounted:
            _log.warning(
                "%d accepted transactions stand in no aggregate, %d so far: a partition was idle for longer than "
                "fold.revision_horizon_days and came back with older ones; see docs/delivery.md, Uncounted",
                log.fold.uncounted_transactions - uncounted, log.fold.uncounted_transactions,
            )  # fmt: skip
        for each in log.fold.capped():
            if each not in capped:
                _log.warning("%s", each)
        self._rhythm.note((len(value or b"") for value in batch.values), log.closed_buckets - buckets)
        self.save_due()

    def _outputs(self, batch: RecordBatch) -> Iterator[Published]:
        """Give what a batch makes publishable; break off if the partition is given up."""
        headers: list[Headers] = batch.headers or [()] * len(batch)
        for offset, value, named in zip(batch.offsets, batch.values, headers, strict=True):
            place = f"{batch.topic}-{batch.partition}-{offset}"
            if named and is_change(named):
                outputs = self._log.change(offset, decode_change(value, place))
            else:
                outputs = self._log.take(offset, decode_partial(value, place))
            for output in outputs:
                if self._given_up:
                    return
                yield output
            if self._given_up:
                return

    def _publish(self, messages: list[tuple[str, Message]]) -> None:
        self._published = self._log.reached
        self.publisher.publish(messages, self._published)
        for topic, count in Counter(topic for topic, _ in messages).items():
            detector_metrics.PUBLISHED.labels(topic).inc(count)

    def _messages(self, output: Published) -> list[tuple[str, Message]]:
        if isinstance(output, AggregateRows):
            return [(self._topics.aggregates, message) for message in encode_rows(output)]
        return [(self._topics.alerts, encode_alert(output))]

    def save_due(self) -> None:
        """Have a snapshot kept if one is due, which may be long after the last that came: a run that rests needs it."""
        self._save_if(due=self._rhythm.is_due(time.monotonic(), failed=self._writer.failed))

    def save_last(self) -> None:
        """Have a snapshot kept of what was folded since the last one; `saved` when it is over."""
        self._save_if(due=self._rhythm.is_news or self._writer.failed)

    def _save_if(self, *, due: bool) -> None:
        if due and not self._under_way and self._log.fold.succession.in_force and self._writer.free:
            place = LogPlace(self._extent.log, self.q, self._log.position)
            self._writer.save(place.offset, encode_snapshot(self._log.fold, place))
            self._rhythm.done(time.monotonic())

    @property
    def saved(self) -> "Future[None]":
        """Return what is done when no snapshot is under way any more."""
        return self._writer.saved
