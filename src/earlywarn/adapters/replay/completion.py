"""When a finite run is folded to its end, as its topics and offsets show it, whoever works on it.

For every partition q of the partials, in the order in which things happen:

1. the partials of all P source partitions say that they have ended, and go up to the last record that stood in each
   when this was asked for first: records that came in behind the end mark (`dlq replay`) are among them;
2. what was published covers that: the committed offset of the group `<prefix><run>.detector.published`, which moves
   with every partial once all partitions have ended, lies behind the partial that completes the set.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from earlywarn.adapters.kafka.committed import committed
from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.rights import may_not_read_with
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import decode_partial, is_change
from earlywarn.adapters.replay.log_ends import log_ends
from earlywarn.adapters.replay.patience import patiently
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import Parts
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_RECORDS_AT_ONCE = 1_000
_POLL_SECONDS = 0.3
_ANSWER_SECONDS = 4.0
_STILL_SECONDS = 10.0
_LISTED = 10
_NO_FAILURE = {
    KafkaError._PARTITION_EOF,  # noqa: SLF001  # its name
    KafkaError._TRANSPORT,  # noqa: SLF001  # brokers that are not there now
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
}


@dataclass(slots=True)
class _Ends:
    """What partition q of the partials has said so far: source partitions that ended, and the last offset of each."""

    ended: set[int] = field(default_factory=set)
    folded: dict[int, int] = field(default_factory=dict)
    parts: defaultdict[int, Parts] = field(default_factory=lambda: defaultdict(Parts))
    complete_at: int | None = None
    rejected: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)

    def take(self, partial: Partial, offset: int, last: Mapping[int, int]) -> None:
        """Note one partial; of one in several parts the last."""
        p = partial.partition
        if self.parts[p].whole(partial) is None:
            return
        self.parts[p].forget(partial.order)
        self.folded[p] = max(partial.last, self.folded.get(p, -1))
        self.rejected[p, partial.block] = partial.rejected
        if partial.end:
            self.ended.add(p)
        if self.complete_at is None and not self.missing(last):
            self.complete_at = offset

    def missing(self, last: Mapping[int, int]) -> list[int]:
        """Return the source partitions that have not said that they are folded to their ends."""
        return [p for p, end in last.items() if p not in self.ended or self.folded[p] < end]


class Completion:
    """Looks whether a run is folded. Its calls block for a fraction of a second.

    Args:
        kafka: where.
        topics: of the run.
        partitions: Q.
    """

    def __init__(self, kafka: KafkaSettings, topics: RunTopics, partitions: int) -> None:
        self._topics = topics
        self._group = f"{topics.partials}.replay"
        self._reader = new_reader(kafka, self._group)
        self._offsets = new_reader(kafka, topics.published_group)
        self._published: dict[int, int] = {}
        ends = patiently(lambda: log_ends(kafka, topics.transactions), topics.transactions)
        self._last = {p: end.last for p, end in ends.items()}
        self._ends = {q: _Ends() for q in range(partitions)}
        self._reader.assign([TopicPartition(topics.partials, q, 0) for q in self._ends])

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()
        self._offsets.close()

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
            (sum(min(each.folded.get(p, -1), last) + 1 for p, last in self._last.items()))
            for each in self._ends.values()
        )
        return folded, sum(last + 1 for last in self._last.values())

    def reached(self) -> bool:
        """Take in what is new, and return whether all is folded and published."""
        self._read()
        # Asked while partials are missing too: a broker that is gone looks like a lack of news, else.
        places = [TopicPartition(self._topics.partials, q) for q in self._ends]
        found = committed(self._offsets, places, self._topics.published_group, _ANSWER_SECONDS)
        self._published = {each.partition: max(each.offset, 0) for each in found}
        return not self._unpublished()

    def _unpublished(self) -> list[int]:
        """Return the partitions q of which not all is folded and published."""
        return [
            q
            for q, each in self._ends.items()
            if each.complete_at is None or self._published.get(q, 0) <= each.complete_at
        ]

    def waits_for(self) -> str:
        """Return in words what is missing, and who should bring it."""
        missing = sorted({p for each in self._ends.values() for p in each.missing(self._last)})
        if missing:
            return (
                f"partitions {_listed(missing)} of {self._topics.transactions} are not folded to their ends; that is "
                "the work of the run's aggregators (new partitions they take within 5 minutes)"
            )
        return (
            f"partitions {_listed(self._unpublished())} of {self._topics.partials} are not published to their ends; "
            "that is the work of the run's detectors"
        )

    def _read(self) -> None:
        """Take in the partials that are new, for at most as long as there are some."""
        while messages := self._reader.consume(_RECORDS_AT_ONCE, _POLL_SECONDS):
            message: Any
            for message in messages:
                error: KafkaError | None = message.error()
                if error is None and is_change(message.headers()):
                    continue
                if error is None:
                    place = f"{message.topic()}-{message.partition()}-{message.offset()}"
                    partial = decode_partial(message.value(), place)
                    self._ends[message.partition()].take(partial, message.offset(), self._last)
                elif not error.retriable() and error.code() not in _NO_FAILURE:
                    topic = self._topics.partials
                    missing = may_not_read_with(error, topic, self._group)
                    raise LogError(missing or f"{topic}: cannot be read: {error}")


def wait_until_folded(completion: Completion, check: Callable[[], None], tell: Callable[[int, int], None]) -> None:
    """Wait until all is folded and published; `check` raises when that cannot come any more, `tell` hears how far.

    Where nothing moves for some time, the log says what is waited for.
    """
    before, since = completion.progress(), time.monotonic()
    while not patiently(completion.reached, "whether all is folded", check):
        check()
        now = completion.progress()
        tell(*now)
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > _STILL_SECONDS:
            _log.warning("%d of %d offsets are folded; %s", *now, completion.waits_for())
            since = time.monotonic()


def _listed(partitions: list[int]) -> str:
    more = f" and {len(partitions) - _LISTED} more" if len(partitions) > _LISTED else ""
    return ", ".join(map(str, partitions[:_LISTED])) + more
