"""When a finite run is folded to its end, as its topics and offsets show it, whoever works on it.

For every partition q of the partials, in the order in which things happen:

1. the end partials of all P source partitions stand there, behind everything that was sent: nothing more comes;
2. what was published covers them: the committed offset of the group `<prefix><run>.detector.published`, which moves
   with the outputs in their transaction, lies behind the last partial that has any.

Which partial is the last that has outputs is the end partial that completes the set, nearly always: it closes what is
still open. Where the committed offset stays before it, because all of q was closed earlier (its panels end before
others do) or nothing ever counted there, the buckets are folded here, without models, to see which one it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import decode_partial, is_change
from earlywarn.adapters.replay.patience import patiently
from earlywarn.aggregation.ledger import PanelLedger
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import Parts
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.errors import LogError

_RECORDS_AT_ONCE = 1_000
_POLL_SECONDS = 0.3
_ANSWER_SECONDS = 4.0
_AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}  # noqa: SLF001  # their names
"""What is told of brokers that are not there now."""


@dataclass(slots=True)
class _Ends:
    """What partition q of the partials has said so far: source partitions that ended, and the last offset of each."""

    ended: set[int] = field(default_factory=set)
    folded: dict[int, int] = field(default_factory=dict)
    parts: defaultdict[int, Parts] = field(default_factory=lambda: defaultdict(Parts))
    complete_at: int | None = None
    rejected: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)
    last_output: int | None = None

    def take(self, partial: Partial, offset: int, marks: Mapping[int, int]) -> None:
        """Note one partial; of one in several parts the last."""
        p = partial.partition
        if self.parts[p].whole(partial) is None:
            return
        self.parts[p].forget(partial.order)
        self.folded[p] = max(partial.last, self.folded.get(p, -1))
        self.rejected[p, partial.block] = partial.rejected
        if partial.end and partial.last >= marks.get(p, 0):
            self.ended.add(p)
        if self.complete_at is None and self.ended >= marks.keys():
            self.complete_at = offset


class Completion:
    """Looks whether a run is folded. Its calls block for a fraction of a second.

    Args:
        run: with the settings of its workers.
        topics: of the run.
        panels_of: the panels that live in each partition q of the partials.
    """

    def __init__(self, run: Run, topics: RunTopics, panels_of: tuple[frozenset[str], ...]) -> None:
        self._run = run
        self._topics = topics
        self._panels_of = panels_of
        self._connection = confluent_connection(run.settings.kafka)
        self._reader = self._consumer(f"{topics.partials}.replay")
        self._published = self._consumer(f"{topics.prefix}{topics.run}.detector.published")
        self._marks = patiently(self._end_marks, topics.transactions)
        self._ends = {q: _Ends() for q in range(len(panels_of))}
        self._reader.assign([TopicPartition(topics.partials, q, 0) for q in self._ends])

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()
        self._published.close()

    @property
    def rejected(self) -> dict[str, int]:
        """Return the dead letters by reason, of what is folded."""
        found: dict[str, int] = {}
        for counts in self._ends[0].rejected.values():
            for reason, count in counts.items():
                found[reason] = found.get(reason, 0) + count
        return dict(sorted(found.items()))

    def progress(self) -> tuple[int, int]:
        """Return how many offsets of the transactions are folded, and how many there are."""
        folded = min(
            (sum(min(each.folded.get(p, -1), last) + 1 for p, last in self._marks.items()))
            for each in self._ends.values()
        )
        return folded, sum(last + 1 for last in self._marks.values())

    def reached(self) -> bool:
        """Take in what is new, and return whether all is folded and published."""
        self._read()
        # Asked while partials are missing too: a broker that is gone looks like a lack of news, else.
        places = [TopicPartition(self._topics.partials, q) for q in self._ends]
        committed = self._published.committed(places, timeout=_ANSWER_SECONDS)
        return all(self._is_published(each.partition, max(each.offset, 0)) for each in committed)

    def _is_published(self, q: int, published: int) -> bool:
        each = self._ends[q]
        if each.complete_at is None:
            return False
        if published > each.complete_at:
            return True
        if each.last_output is None:
            each.last_output = self._last_output(q, each.complete_at)
        return published > each.last_output

    def _last_output(self, q: int, complete_at: int) -> int:
        """Return the offset of the last partial of q that makes anything publishable; -1 if none does."""
        settings = self._run.settings
        ledgers = {
            each.panel.id: PanelLedger(
                each.panel, revision_horizon_days=settings.fold.revision_horizon_days, coverage=settings.coverage
            )
            for each in self._run.panels
            if each.panel.id in self._panels_of[q]
        }
        fold = PartialsFold(partitions=len(self._marks), lateness_seconds=settings.fold.lateness_seconds)
        found = -1
        for offset, partial in self._partials(q, complete_at):
            applied = fold.apply(partial)
            for difference in applied.differences:
                ledgers[difference.panel].add(difference, partial.partition)
            for ledger in ledgers.values():
                if any([isinstance(each, AggregateRows) for each in ledger.close(fold)]):  # noqa: C419  # to its end
                    found = offset
        return found

    def _partials(self, q: int, last: int) -> Iterator[tuple[int, Partial]]:
        consumer = self._consumer(f"{self._topics.partials}.replay")
        try:
            consumer.assign([TopicPartition(self._topics.partials, q, 0)])
            while True:
                messages: list[Any] = consumer.consume(_RECORDS_AT_ONCE, _POLL_SECONDS)
                for message in messages:
                    if message.error() is None and not is_change(message.headers()):
                        yield message.offset(), decode_partial(message.value(), _place(message))
                        if message.offset() >= last:
                            return
        finally:
            consumer.close()

    def _read(self) -> None:
        """Take in the partials that are new, for at most as long as there are some."""
        while messages := self._reader.consume(_RECORDS_AT_ONCE, _POLL_SECONDS):
            message: Any
            for message in messages:
                error: KafkaError | None = message.error()
                if error is None and is_change(message.headers()):
                    continue
                if error is None:
                    partial = decode_partial(message.value(), _place(message))
                    self._ends[message.partition()].take(partial, message.offset(), self._marks)
                elif not error.retriable() and error.code() not in _AWAY:
                    raise LogError(f"{self._topics.partials}: cannot be read: {error}")

    def _end_marks(self) -> dict[int, int]:
        """Return the offset of the end mark of every source partition: it stands before its transaction's marker."""
        topic = self._topics.transactions
        count = len(self._published.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions)
        ends = {
            p: self._published.get_watermark_offsets(TopicPartition(topic, p), _ANSWER_SECONDS)[1] for p in range(count)
        }
        return {p: end - 2 for p, end in ends.items()}

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                **self._connection,
                "group.id": group,  # it has no members
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
            },
            logger=QUIET,
        )


def wait_until_folded(completion: Completion, check: Callable[[], None], tell: Callable[[int, int], None]) -> None:
    """Wait until all is folded and published; `check` raises when that cannot come any more, `tell` hears how far."""
    while not patiently(completion.reached, "whether all is folded", check):
        check()
        tell(*completion.progress())


def _place(message: Any) -> str:  # noqa: ANN401  # confluent-kafka ships no types
    return f"{message.topic()}-{message.partition()}-{message.offset()}"
