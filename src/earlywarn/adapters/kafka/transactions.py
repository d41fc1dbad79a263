"""Kafka's transactions as earlywarn uses them: what is sent between two commits is seen whole, or not at all.

Whoever opens a transactional id fences off the one before and takes back what that one had not committed. The calls
block, and wait for a broker that is gone.

Moving a group's offsets is the one call that librdkafka may not come back from, whatever time it is given, once the
group's coordinator has gone (its issues 5456 and 5511). It is made in a thread that can be left behind.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from earlywarn.adapters.kafka.outbox import SENDING
from earlywarn.adapters.kafka.refusals import FOR_GOOD, MISSING, Absence, refused
from earlywarn.adapters.kafka.rights import may_not_join, may_not_write_with
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_ANSWER_SECONDS = 10.0
_UNANSWERED_SECONDS = 15.0
_RETRY_SECONDS = 0.5
_TRANSACTION_MS = 60_000
_QUEUE_FULL_SECONDS = 0.1
_FATAL = KafkaError._FATAL  # noqa: SLF001  # its name
_WRONG_STATE = KafkaError._STATE  # noqa: SLF001  # its name
FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001  # its name
_MOVING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._TIMED_OUT,  # noqa: SLF001  # its name
    KafkaError._TRANSPORT,  # noqa: SLF001  # its name
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001  # its name
    KafkaError._WAIT_COORD,  # noqa: SLF001  # its name
}
"""What is told of a group whose broker has just come or gone; the client does not call all of it worth a repeat, and
of what a consumer asks nothing."""

Header = tuple[str, bytes | None]


class FencedError(LogError):
    """Another one has opened the transactional id; what this one had not committed is taken back."""


class TakenBackError(LogError):
    """The open transaction can only be taken back; what it held may be sent again."""


class RefusedError(LogError):
    """A broker refuses what was sent, and would again; the open transaction can only be taken back."""


class SpentError(LogError):
    """The client is of no use any more; another one that opens the id takes back what it has sent."""


class Transactions:
    """The transactions of one transactional id, one after the other.

    Args:
        connection: what confluent-kafka needs to connect.
        transactional_id: whose last opener may write.
        place: what error messages name.
        fenced: what a `FencedError` says.
        group: whose offsets move with the transactions, if any do.
        options: more settings of the producer.
        answer_seconds: a step that takes longer is told, and waited for again.
        absence: of a topic, as known to the client before this one.
        log: where the client tells what it likes to.
    """

    def __init__(
        self,
        connection: Mapping[str, object],
        transactional_id: str,
        *,
        place: str,
        fenced: str,
        group: str = "",
        options: Mapping[str, object] | None = None,
        answer_seconds: float = _ANSWER_SECONDS,
        absence: Absence | None = None,
        log: logging.Logger = _log,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._place = place
        self._fenced = fenced
        self._transactional_id = transactional_id
        self._group = group
        self._lost: LogError | None = None
        self._topics: set[str] = set()
        self._absence = absence or Absence()
        self._cause = ""
        self._closed = Event()
        self.under_way = False
        self._begun_seconds = 0.0
        self.producer = Producer(
            {
                **connection,
                **SENDING,
                # The client is to act before the coordinator does, who would fence it.
                "message.timeout.ms": _TRANSACTION_MS * 3 // 4,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": _TRANSACTION_MS,
                "allow.auto.create.topics": False,
                **(options or {}),
            },
            logger=log,
        )

    def open(self) -> None:
        """Become the one who may write.

        Raises:
            LogError: the broker will not have it.
        """
        self.patiently(lambda: self.producer.init_transactions(self._answer_seconds))

    def send(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None, headers: Sequence[Header] = ()
    ) -> None:
        """Send one record in the open transaction; begin one if none is open.

        Raises:
            FencedError: another one has taken over.
            TakenBackError: `take_back`, and send again what came after the last commit.
            RefusedError: `take_back`; to send it again does not help.
            LogError: the broker will not have it.
        """
        self._begin()
        self._topics.add(topic)
        named: dict[str, Any] = {"headers": list(headers)} if headers else {}
        while True:
            try:
                self.patiently(lambda: self.producer.produce(topic, value, key, partition, **named))
            except BufferError:
                self.patiently(lambda: self.producer.poll(_QUEUE_FULL_SECONDS))
            else:
                return

    def commit(self, offsets: Sequence[TopicPartition] = (), group: object = None) -> None:
        """Make all that was sent visible, and move the offsets of a group with it, as one step.

        Raises:
            SpentError: the client does not come back from moving offsets, or knows the transaction otherwise.
            FencedError, TakenBackError, RefusedError, LogError: as `send`.
        """
        self._begin()
        if offsets:
            self.patiently(lambda: self._move(list(offsets), group))
        self.patiently(lambda: self.producer.commit_transaction(self._answer_seconds))
        self.under_way = False
        self._cause = ""
        self._absence.end()

    def take_back(self) -> None:
        """Take back what is sent and not committed, so that readers need not wait until it is timed out.

        Raises:
            SpentError: the broker has never begun it: a topic was deleted of which the client had not heard.
            LogError: as `send`.
        """
        if self.under_way:
            # To abort what the broker has refused to begin is a fatal error, which would hide the cause.
            if (broken := self._broken_by()) and self._missing_right(broken):
                raise self._refusal(broken)
            self.patiently(lambda: self.producer.abort_transaction(self._answer_seconds))
            self.under_way = False

    def wait(self) -> None:
        """Wait a moment before a step is tried again."""
        self._closed.wait(_RETRY_SECONDS)

    def close(self) -> None:
        """Wait for a broker no longer."""
        self._closed.set()

    def patiently(self, step: Callable[[], _T]) -> _T:
        """Do a step, of another client also, and wait for a broker that is gone.

        Raises:
            FencedError, TakenBackError, LogError: as `send`.
        """
        while True:
            try:
                return step()
            except KafkaException as error:
                reason: KafkaError = self._first_cause(error.args[0])
                broken = reason.fatal() or reason.txn_requires_abort()  # by the same codes as what passes
                passes = reason.retriable() or (reason.code() in _MOVING and not broken)
                if not passes or self._closed.is_set():
                    raise self._refusal(reason) from error
                _log.warning("%s: the broker does not take a transaction's step yet: %s", self._place, reason)
                self.wait()

    def _move(self, offsets: list[TopicPartition], group: object) -> None:
        """Move the offsets of a group with the open transaction, in a thread that nothing waits for in the end."""
        moved: Future[None] = Future()

        def move() -> None:
            try:
                self.producer.send_offsets_to_transaction(offsets, group, _ANSWER_SECONDS)
            except KafkaException as error:
                moved.set_exception(error)
            else:
                moved.set_result(None)

        Thread(target=move, name="offsets", daemon=True).start()
        try:
            moved.result(_UNANSWERED_SECONDS)
        except TimeoutError as error:
            raise SpentError(
                f"{self._place}: the Kafka client has not come back from moving offsets for {_UNANSWERED_SECONDS:g} s, "
                f"though it was given {_ANSWER_SECONDS:g} s; it is left behind"
            ) from error

    def _begin(self) -> None:
        if self._lost is not None:
            raise self._lost
        if not self.under_way:
            self.patiently(self.producer.begin_transaction)
            self.under_way = True
            self._begun_seconds = time.monotonic()
            self._topics.clear()

    def _broken_by(self) -> KafkaError | None:
        """Return what the open transaction failed of, in the client's thread: to begin another is refused with it."""
        try:
            self.producer.begin_transaction()
        except KafkaException as refused:
            cause: KafkaError = refused.args[0]
            return None if cause.code() == _WRONG_STATE else cause
        return None

    def _first_cause(self, reason: KafkaError) -> KafkaError:
        """Return what an error was of: the client tells it once, and then only that it is in no state to go on."""
        if reason.code() == _WRONG_STATE and self.under_way:
            return self._broken_by() or reason
        if reason.code() == _FATAL:
            try:
                self.producer.poll(0)
            except KafkaException as cause:
                return cause.args[0]  # type: ignore[no-any-return]
        return reason

    def _timed_out(self) -> str:
        """Return what is told of a transaction that was open for so long that a broker may have taken it back.

        A broker fences off whoever had it open, as if another one had come.
        """
        open_seconds, limit_seconds = time.monotonic() - self._begun_seconds, _TRANSACTION_MS / 1000
        if not self.under_way or open_seconds < limit_seconds:
            return ""
        return (
            f"{self._place}: a transaction was open for {open_seconds:.0f} s, and a broker takes one back after "
            f"{limit_seconds:g} s; or "
        )

    def _missing_right(self, reason: KafkaError) -> str:
        """Return what is told of the right that a step lacked; nothing if it was refused for something else."""
        if reason.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return may_not_join(self._group)
        return may_not_write_with(reason, self._topics, self._transactional_id)

    def _is_for_good(self, reason: KafkaError) -> bool:
        return self._absence.is_sure() if reason.code() in MISSING else reason.code() in FOR_GOOD

    def _refusal(self, reason: KafkaError) -> LogError:
        if missing := self._missing_right(reason):
            self._lost = LogError(missing)
        elif reason.code() in FENCED:
            self._lost = FencedError(f"{self._timed_out()}{self._fenced} ({reason.str()})")
        elif self._is_for_good(reason) and not reason.fatal():
            return RefusedError(refused(self._place, self._topics, reason))
        elif reason.txn_requires_abort() or reason.code() in {_WRONG_STATE, *MISSING}:
            self._cause = f"{self._place}: a transaction is taken back: {reason}"
            return TakenBackError(self._cause)
        elif reason.fatal() and reason.code() == KafkaError.INVALID_TXN_STATE:
            self._lost = SpentError(f"{self._cause or self._place}; the client is of no use after it: {reason}")
        elif reason.fatal():
            self._lost = LogError(f"{self._place}: cannot be written any more: {reason}")
        else:
            return LogError(f"{self._place}: cannot be written: {reason}")
        self.under_way = False
        return self._lost
