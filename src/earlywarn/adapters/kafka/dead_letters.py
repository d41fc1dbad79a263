"""The dead letters of a run: reading them, each key once, and re-entering mended records, each once.

A re-entered record goes into `transactions`, and a *mark* under the letter's key into the dead letters' topic, in
one Kafka transaction. One transactional id belongs to all who re-enter into a run: whoever opens it fences off the
one before, takes back what that one had not committed, and reads the marks after that.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import ScannedRecord, TopicScan
from earlywarn.adapters.kafka.transactions import Transactions
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.control_marks import REENTERED_HEADER
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

MARK_HEADER = "replayed_at"
"""On a record of the dead letters' topic that says that the letter of its key is re-entered; epoch milliseconds."""
BATCH = 500
"""Records re-entered in one transaction."""


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


@dataclass(frozen=True, slots=True)
class Marks:
    """What says of letters that they are re-entered, and what may be gone of it (`Reentered`).

    Attributes:
        keys: of the letters that are marked.
        cut: whether anything was removed from the topic, by retention or by hand.
        gone_until_ms: nothing that was removed is younger, by the log's time; infinite if a partition has nothing left.
        lowest: by partition of `transactions`, the lowest offset of a letter, marked or not.
    """

    keys: set[str]
    cut: bool
    gone_until_ms: float
    lowest: Mapping[int, int]


def read_marks(scan: TopicScan) -> Marks:
    """Return the marks of a scan of the dead letters.

    Raises:
        LogError: as `read_letters`.
    """
    keys: set[str] = set()
    begins_ms = {partition: float("inf") for partition, extent in scan.extents.items() if extent.low}
    lowest: dict[int, int] = {}
    for record in scan:
        if begins_ms.get(record.partition) == float("inf"):
            begins_ms[record.partition] = record.timestamp_ms
        if _is_mark(record):
            keys.add((record.key or b"").decode())
        else:
            letter = _letter(record, scan.topic)
            lowest[letter.partition] = min(letter.offset, lowest.get(letter.partition, letter.offset))
    return Marks(keys, bool(begins_ms), max(begins_ms.values(), default=float("-inf")), lowest)


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
        self._transactions = Transactions(
            confluent_connection(kafka),
            f"{topics.prefix}{topics.run}.dlq-replay",
            place=f"{topics.transactions}, of which at most {BATCH} records are taken back; run the same command again",
            fenced=f"run {topics.run!r}: another `earlywarn dlq replay` has taken over; let it finish",
            log=QUIET,
        )

    def open(self) -> Marks:
        """Become the one who re-enters, and return the marks of the letters that are re-entered already.

        Raises:
            LogError: the broker will not have it.
        """
        self._transactions.open()
        return read_marks(TopicScan(self._kafka, self._topics.dead_letters))

    def reenter(self, mended: Iterable[tuple[Letter, bytes]], told: Callable[[int], None] = lambda _: None) -> int:
        """Re-enter records, each in the partition of its letter; return how many. `told` hears of each commit.

        Only letters that are not re-entered may come, each once. However long one is waited for, no transaction is
        open meanwhile: a broker would take it back after a minute.

        Raises:
            LogError: another one has taken over, or a record cannot be sent; what is not committed is taken back.
        """
        done = 0
        waiting = iter(mended)
        while batch := list(islice(waiting, BATCH)):
            try:
                for letter, value in batch:
                    self._send(letter, value)
                self._transactions.commit()
            except BaseException:
                self._take_back()
                raise
            done += len(batch)
            told(done)
        return done

    def _send(self, letter: Letter, value: bytes) -> None:
        key = letter.key.encode()
        received = str(letter.received_ms).encode()
        self._transactions.send(
            self._topics.transactions,
            letter.partition,
            value,
            None,
            [(RECEIVED_HEADER, received), (REENTERED_HEADER, key)],
        )
        now = str(int(time.time() * 1000)).encode()
        self._transactions.send(self._topics.dead_letters, letter.kept_in, None, key, [(MARK_HEADER, now)])

    def _take_back(self) -> None:
        """Take back what is open, so that readers need not wait until it is timed out; a broker may be past asking."""
        try:
            self._transactions.take_back()
        except LogError as error:
            QUIET.warning("%s: a transaction is left to its time-out: %s", self._topics.transactions, error)
