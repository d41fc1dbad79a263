"""The dead letters of a run: reading them, each key once, and re-entering mended records, each once.

A re-entered record goes into `transactions`, and a *mark* under the letter's key into the dead letters' topic, in
one Kafka transaction. One transactional id belongs to all who re-enter into a run: whoever opens it fences off the
one before, takes back what that one had not committed, and reads the marks after that.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.outbox import SENDING
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import ScannedRecord, TopicScan
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_log.propagate = False  # what goes wrong is raised
_log.addHandler(logging.NullHandler())
_T = TypeVar("_T")

KEY_HEADER = "dlq_key"
"""On a re-entered record: the key of its dead letter."""
MARK_HEADER = "replayed_at"
"""On a record of the dead letters' topic that says that the letter of its key is re-entered; epoch milliseconds."""
BATCH = 500
"""Records re-entered in one transaction."""

_ANSWER_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_QUEUE_FULL_SECONDS = 0.1
_TRANSACTION_MS = 60_000
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001  # its name


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that was not accepted.

    Attributes:
        partition, offset, index: where it stands in `transactions`; `index` is its place in a batched record.
        reason, field, detail: why; none of them holds a card token.
        received_ms: epoch milliseconds of its receipt.
        value: its own bytes, None if it had no value.
        kept_in: partition of the dead letters' topic.
    """

    partition: int
    offset: int
    index: int
    reason: str
    field: str
    detail: str
    received_ms: int
    value: bytes | None
    kept_in: int

    @property
    def key(self) -> str:
        """Return partition/offset/index."""
        return f"{self.partition}/{self.offset}/{self.index}"


def read_letters(scan: TopicScan) -> Iterator[Letter]:
    """Yield the dead letters of a scan of their topic, each key once; some 0.1 kB is kept for each.

    Raises:
        LogError: a record is neither a dead letter nor a mark.
    """
    seen: set[bytes] = set()
    for record in scan:
        key = record.key or b""
        if key in seen or _is_mark(record):
            continue
        seen.add(key)
        yield _letter(record, scan.topic)


def read_marks(scan: TopicScan) -> set[str]:
    """Return the keys of the letters that are re-entered."""
    return {(record.key or b"").decode() for record in scan if _is_mark(record)}


def _is_mark(record: ScannedRecord) -> bool:
    return any(name == MARK_HEADER for name, _ in record.headers)


def _letter(record: ScannedRecord, topic: str) -> Letter:
    try:
        named = {name: (value or b"").decode() for name, value in record.headers}
        return Letter(
            partition=int(named["partition"]),
            offset=int(named["offset"]),
            index=int(named["index"]),
            reason=named["reason"],
            field=named["field"],
            detail=named["detail"],
            received_ms=int(named["received_at"]),
            value=record.value,
            kept_in=record.partition,
        )
    except (KeyError, ValueError) as error:
        place = f"{topic}-{record.partition}-{record.offset}"
        raise LogError(f"{place}: no dead letter ({error}); nothing but aggregators may write to this topic") from error


class Reentry:
    """Re-enters mended records into a run. Its calls block; one at a time works in a run, the last that opens.

    Args:
        kafka: how to reach the broker.
        topics: of the run.
    """

    def __init__(self, kafka: KafkaSettings, topics: RunTopics) -> None:
        self._kafka = kafka
        self._topics = topics
        self._under_way = False
        self._producer = Producer(
            {
                **confluent_connection(kafka),
                **SENDING,
                "message.timeout.ms": _TRANSACTION_MS,
                "transactional.id": f"{topics.prefix}{topics.run}.dlq-replay",
                "transaction.timeout.ms": _TRANSACTION_MS,
                "allow.auto.create.topics": False,
            },
            logger=_log,
        )

    def open(self) -> set[str]:
        """Become the one who re-enters, and return the keys of the letters that are re-entered already.

        Raises:
            LogError: the broker will not have it.
        """
        self._patiently(lambda: self._producer.init_transactions(_ANSWER_SECONDS))
        return read_marks(TopicScan(self._kafka, self._topics.dead_letters))

    def reenter(self, mended: Iterable[tuple[Letter, bytes]], told: Callable[[int], None] = lambda _: None) -> int:
        """Re-enter records, each in the partition of its letter; return how many. `told` hears of each commit.

        Only letters that `open` has not named may come, each once.

        Raises:
            LogError: another one has taken over, or a record cannot be sent; what is not committed is taken back.
        """
        done = waiting = 0
        try:
            for letter, value in mended:
                self._send(letter, value)
                waiting += 1
                if waiting == BATCH:
                    self._commit()
                    done, waiting = done + waiting, 0
                    told(done)
            if waiting:
                self._commit()
                told(done + waiting)
        except BaseException:
            self._take_back()
            raise
        return done + waiting

    def _send(self, letter: Letter, value: bytes) -> None:
        if not self._under_way:
            self._patiently(self._producer.begin_transaction)
            self._under_way = True
        key = letter.key.encode()
        received = str(letter.received_ms).encode()
        self._produce(
            self._topics.transactions, letter.partition, value, None, [(RECEIVED_HEADER, received), (KEY_HEADER, key)]
        )
        now = str(int(time.time() * 1000)).encode()
        self._produce(self._topics.dead_letters, letter.kept_in, None, key, [(MARK_HEADER, now)])

    def _produce(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None, headers: list[tuple[str, Any]]
    ) -> None:
        while True:
            try:
                self._patiently(lambda: self._producer.produce(topic, value, key, partition, headers=headers))
            except BufferError:
                self._producer.poll(_QUEUE_FULL_SECONDS)
            else:
                return

    def _commit(self) -> None:
        self._patiently(lambda: self._producer.commit_transaction(_ANSWER_SECONDS))
        self._under_way = False

    def _take_back(self) -> None:
        """Take back what is open, so that readers need not wait until it is timed out; a broker may be past asking."""
        if self._under_way:
            self._under_way = False
            try:
                self._producer.abort_transaction(_ANSWER_SECONDS)
            except KafkaException as error:
                _log.warning("%s: a transaction is left to its time-out: %s", self._topics.transactions, error)

    def _patiently(self, step: Callable[[], _T]) -> _T:
        """Do a step, and wait for a broker that is gone."""
        while True:
            try:
                return step()
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.code() in _FENCED:
                    self._under_way = False
                    raise LogError(
                        f"run {self._topics.run!r}: another `earlywarn dlq replay` has taken over; let it finish"
                    ) from error
                if not reason.retriable():
                    raise LogError(
                        f"{self._topics.transactions}: cannot be written: {reason.str()}; nothing of the last "
                        f"{BATCH} records at most has been re-entered, run the same command again"
                    ) from error
                time.sleep(_RETRY_SECONDS)
