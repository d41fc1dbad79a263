"""What a detector publishes, each message once: in transactions that also move the offset published up to.

One transactional id belongs to each partition q of a run. Whoever opens it last is the publisher; an earlier one,
stopped and come back, is fenced off by the broker. Readers with `isolation_level=read_committed` see each message
once; to others a repeat has the same key and the same bytes.

What one partial makes publishable may take several transactions: the offset's metadata then says how many of its
outputs are published, and of which log it is.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import msgspec
from confluent_kafka import Consumer, TopicPartition

from earlywarn.adapters.kafka.committed import committed
from earlywarn.adapters.kafka.refusals import Absence
from earlywarn.adapters.kafka.transactions import (
    FencedError,
    RefusedError,
    SpentError,
    TakenBackError,
    Transactions,
)
from earlywarn.adapters.kafka.wire import Message
from earlywarn.application.detector import Progress
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_ANSWER_SECONDS = 10.0


class _Metadata(msgspec.Struct, frozen=True):
    """What stands in the metadata of the offset published up to: the log, and outputs of the partial at the offset."""

    log: str
    outputs: int


class Publisher:
    """Publishes what comes of one partition of the partials. Its calls block; give it a thread.

    Args:
        connection: what confluent-kafka needs to connect.
        group: names the offsets published up to; it has no members.
        source: topic of the partials.
        partition: q.
        log: identity of the source (`topic_identity`); what was published of another log of its name is nothing.
    """

    def __init__(self, connection: Mapping[str, object], group: str, source: str, partition: int, log: str) -> None:
        self._place = TopicPartition(source, partition)
        self._log = log
        self._group = group
        self._offsets = Consumer({**connection, "group.id": group}, logger=_log)
        self._fenced = f"{source}-{partition}: another detector publishes now"
        self._new_transactions = partial(
            Transactions,
            connection,
            f"{group}.{partition}",
            place=f"{source}-{partition}",
            fenced=self._fenced,
            group=group,
            absence=Absence(),
        )
        self._transactions = self._new_transactions()
        self._reached = Progress(0)
        self._since: float | None = None

    @property
    def waiting_seconds(self) -> float:
        """Return for how long it has been trying to publish what it was given last; 0 while there is nothing."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def open(self) -> Progress:
        """Become the publisher, and return up to where all is published.

        Raises:
            LogError: the broker will not have it, or something else has committed there.
            ConfigError: this user may not take part in the group.
        """
        self._transactions.open()
        self._reached = self.published()
        return self._reached

    def published(self) -> Progress:
        """Return up to where all is published by now, without becoming the publisher.

        Raises:
            LogError: something else has committed there.
            ConfigError: this user may not take part in the group.
        """
        [found] = self._transactions.patiently(
            lambda: committed(self._offsets, [self._place], self._group, _ANSWER_SECONDS)
        )
        if found.offset < 0:
            return Progress(0)
        try:
            metadata = msgspec.json.decode(found.metadata or "", type=_Metadata)
        except msgspec.MsgspecError as error:
            raise LogError(
                f"{found.topic}-{found.partition}: offset {found.offset} of what is published stands there with "
                f"{found.metadata!r}, which this version does not write; only detectors may commit for this group. "
                "Delete the group's offsets: the newest snapshot then says what is published"
            ) from error
        if metadata.log != self._log:
            _log.warning(
                "%s-%d: offset %d is of what was published of another log of this name (%s); nothing of this one is",
                found.topic, found.partition, found.offset, metadata.log,
            )  # fmt: skip
            return Progress(0)
        return Progress(found.offset, metadata.outputs)

    def publish(self, messages: Sequence[tuple[str, Message]], reached: Progress) -> None:
        """Publish messages (topic, key and value) and say that all up to `reached` is published, as one step.

        What may pass by itself is tried for as long as it takes (`waiting_seconds`).

        Raises:
            FencedError: another publisher has taken over.
            LogError: the broker refuses a message for good.
        """
        self._since = time.monotonic()
        self._publish(messages, reached)
        self._since = None

    def _publish(self, messages: Sequence[tuple[str, Message]], reached: Progress) -> None:
        metadata = msgspec.json.encode(_Metadata(self._log, reached.outputs)).decode()
        offsets = [TopicPartition(self._place.topic, self._place.partition, reached.offset, metadata)]
        while True:
            try:
                for topic, (key, value) in messages:
                    self._transactions.send(topic, self._place.partition, value, key)
                self._transactions.commit(offsets, self._offsets.consumer_group_metadata())
            except RefusedError:
                with suppress(LogError):  # else it is left to its time-out
                    self._transactions.take_back()
                raise
            except TakenBackError as error:
                _log.warning("%s; it is tried again", error)
                try:
                    self._transactions.take_back()
                except SpentError as spent:
                    if self._open_anew(spent, reached):
                        return
                self._transactions.wait()
            except SpentError as error:
                if self._open_anew(error, reached):
                    return
            else:
                self._reached = reached
                return

    def _open_anew(self, error: SpentError, reached: Progress) -> bool:
        """Go on with a new client, which takes back what the old one has sent since its last commit.

        Return whether all up to `reached` is published: it was committed, and only the answer is lost.

        Raises:
            FencedError: another publisher has published meanwhile; the group says who of the two goes on.
        """
        _log.warning("%s; another one goes on", error)
        before = self._reached
        self._transactions = self._new_transactions()
        if (found := self.open()) not in (before, reached):
            raise FencedError(f"{self._fenced} (it is at {found.offset}, this one at {before.offset})")
        return found == reached

    def close(self) -> None:
        """Let go of the broker."""
        self._transactions.close()
        self._offsets.close()
