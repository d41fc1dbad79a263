"""Replaying a recorded run: its transactions, byte for byte and partition by partition, with their times of receipt."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from earlywarn.adapters.kafka.manifest import manifest_in
from earlywarn.adapters.kafka.message_headers import headers_of
from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.rights import may_not_read_with
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import Identities
from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.kafka.transactions import Header
from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.patience import patiently
from earlywarn.adapters.replay.position import KEY, ReplayPosition, decode_position, run_fingerprint
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.adapters.replay.source import Tell, Told
from earlywarn.application.aggregator import RECEIVED_HEADER, time_of_receipt
from earlywarn.application.control_marks import (
    CONTROL_HEADER,
    COPIED_REENTERED_HEADER,
    REENTERED_HEADER,
    refused_mark,
)
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError

_log = logging.getLogger(__name__)
_RECORDS_AT_ONCE = 5_000
_COMMIT_RECORDS = 50_000
_ANSWER_SECONDS = 1.0
_SILENT_POLLS = 30
_NOT_OBEYED = b", not obeyed"


class RunSource:
    """The transactions that stand in another run's topic when the replay begins; a replay's marks are among them.

    A topic made anew under the same name is another log, whose offsets mean other records: nothing is committed before
    a broker, asked after it was read, names the id of the log that the position names.

    A mark that the recorded run did not obey, since it is no replay, is copied as one that no run obeys. Into a run
    that goes on (`leaves_open`) those that it did obey are not copied: nothing ends there. The key of the letter that
    a re-entered record was is copied under another name, since letters of the copy have keys of their own. Partitions
    that are added once a copy is begun are no part of it: once records stand there, a replay says so, and a run that
    goes on is not filled, since what is missing would come nowhere any more.
    """

    def __init__(self, kafka: KafkaSettings, recorded: RunTopics, *, leaves_open: bool = False) -> None:
        self.topic = recorded.transactions
        self._recorded = recorded
        self._run = recorded.run
        self._described = f"run {recorded.run}"
        self._kafka = kafka
        self._identities = Identities(kafka)
        self._finite = False
        self._leaves_open = leaves_open

    def partition_count(self, copy: RunTopics) -> int:
        """Return how many partitions are copied: as many as the recorded topic had when the copy was begun.

        Raises:
            LogError: there is no such topic.
            ConfigError: this user may not ask after it.
        """
        value = newest_value(self._kafka, copy.meta, KEY)
        begun = None if value is None else decode_position(value)
        if begun is not None and begun.described == self._described:
            return begun.partitions
        consumer = self._consumer()
        try:
            found = self._described_by(consumer)
        finally:
            consumer.close()
        if found.error is not None and (missing := may_not_read_with(found.error, self.topic, "")):
            raise ConfigError(missing)
        if found.error is not None or not found.partitions:
            raise LogError(f"{self.topic}: does not exist; --from-run names a run of this cluster and topics.prefix")
        return len(found.partitions)

    @property
    def batched(self) -> bool:
        """Return whether messages hold many transactions: of a copy that is not known."""
        return False

    def beginning(self, partitions: int) -> ReplayPosition:
        """Return the position before the first record.

        Raises:
            LogError: the recorded topic is gone.
            ConfigError: this user may not ask.
        """
        log = self._log()
        return ReplayPosition(
            source=run_fingerprint(self.topic, partitions, log),
            described=self._described,
            log=log,
            partitions=partitions,
        )

    def send(self, log: ReplayLog, position: ReplayPosition, pace: Pace, tell: Tell) -> ReplayPosition:
        """Copy all behind a position, up to what is the end now.

        Raises:
            LogError: the recorded topic cannot be read, has lost its beginning, or is another log than the position's;
                or a run that goes on would lack partitions that were added since.
        """
        manifest = manifest_in(self._kafka, self._recorded)
        self._finite = manifest is not None and manifest.replay
        consumer = self._consumer()
        try:
            if self._leaves_open:  # else it is told once, at the end
                self._check_grown(consumer, log, position)
            ends = self._assign(consumer, position)
            copied = uncommitted = position.sent
            silent = 0
            offsets = dict(position.offsets)
            while ends:
                if pace.paused:
                    position = self._commit(log, position, offsets, copied)
                    pace.wait_for(0, lambda _: None)
                messages = consumer.consume(_RECORDS_AT_ONCE, _ANSWER_SECONDS)
                silent = 0 if messages or self._is_waited_for(pace) else silent + 1
                if silent > _SILENT_POLLS:
                    raise LogError(f"{self.topic}: cannot be read to its end; partitions left: {sorted(ends)}")
                for message in messages:
                    copied += self._copy(message, log, offsets, ends)
                tell(Told(copied, None))
                if copied - uncommitted >= _COMMIT_RECORDS:
                    position, uncommitted = self._commit(log, position, offsets, copied), copied
            self._check_grown(consumer, log, position)
            return self._commit(log, position, offsets, copied)
        finally:
            consumer.close()

    def _is_waited_for(self, pace: Pace) -> bool:
        """Wait until a broker answers; return whether none did at first: nothing can have been read meanwhile."""
        waited = False

        def meanwhile() -> None:
            nonlocal waited
            waited = True
            pace.meanwhile()

        patiently(lambda: self._identities.now([self.topic]), self.topic, meanwhile)
        return waited

    def _check_grown(self, consumer: Consumer, log: ReplayLog, position: ReplayPosition) -> None:
        """See whether records stand in partitions that were added since the copy was begun."""
        found = patiently(partial(self._described_by, consumer), self.topic)
        seconds = self._kafka.request_timeout_seconds
        filled = []
        for partition in range(position.partitions, len(found.partitions)):
            place = TopicPartition(self.topic, partition)
            low, high = patiently(partial(consumer.get_watermark_offsets, place, seconds), self.topic)
            if high > low:
                filled.append(partition)
        if not filled:
            return
        told = (
            f"{self.topic}: partitions {filled} were added since this copy was begun, and hold records that are no "
            f"part of it; delete the copy (earlywarn topics delete --run {log.topics.run}) and begin it anew"
        )
        if self._leaves_open:
            raise LogError(told)
        _log.warning("%s, to have them too", told)

    def _described_by(self, consumer: Consumer) -> Any:  # noqa: ANN401  # the client has no type for it
        return consumer.list_topics(self.topic, self._kafka.request_timeout_seconds).topics[self.topic]

    def _assign(self, consumer: Consumer, position: ReplayPosition) -> dict[int, int]:
        """Read on behind a position; return the end of every partition that has more."""
        ends: dict[int, int] = {}
        places = []
        seconds = self._kafka.request_timeout_seconds
        for partition in range(position.partitions):
            place = TopicPartition(self.topic, partition)
            low, high = patiently(partial(consumer.get_watermark_offsets, place, seconds), self.topic)
            start = position.offsets.get(partition, 0)
            if low > start:
                raise LogError(
                    f"{self.topic}-{partition}: begins at offset {low}, {start} is needed: retention has removed what "
                    "is before it, so the run cannot be replayed whole (topics.transactions_retention_hours)"
                )
            if high > start:
                ends[partition] = high
                places.append(TopicPartition(self.topic, partition, start))
        consumer.assign(places)
        return ends

    def _copy(self, message: Any, log: ReplayLog, offsets: dict[int, int], ends: dict[int, int]) -> int:  # noqa: ANN401  # its fields may be None in an error alone
        """Copy one record; return how many were: none, if it says that a partition is read to its end."""
        partition = message.partition()
        if message.error() is not None:
            if message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # its name
                if message.offset() >= ends.get(partition, 0):
                    ends.pop(partition, None)
                return 0
            if message.error().retriable():
                return 0
            missing = may_not_read_with(message.error(), self.topic, f"{self.topic}.replay")
            raise LogError(missing or f"{self.topic}-{partition}: cannot be read: {message.error()}")
        if partition not in ends or message.offset() >= ends[partition]:
            ends.pop(partition, None)
            return 0
        is_left_out = self._leaves_open and self._finite and _is_mark(headers_of(message, self._kafka))
        if not is_left_out:
            log.send(partition, message.value(), key=message.key(), headers=self._headers(message))
        offsets[partition] = message.offset() + 1
        if message.offset() + 1 >= ends[partition]:
            del ends[partition]
        return 0 if is_left_out else 1

    def _commit(self, log: ReplayLog, position: ReplayPosition, offsets: dict[int, int], copied: int) -> ReplayPosition:
        if (found := self._log()) != position.log:
            raise LogError(
                f"{self.topic}: was deleted and made anew while it was copied (its id is {found}, {position.log} was "
                "begun with); what is not committed is taken back. Replay the new one into another run (--run)"
            )
        if copied == position.sent:
            return position
        position = msgspec.structs.replace(position, records=copied, sent=copied, offsets=dict(offsets))
        log.commit(position)
        return position

    def _log(self) -> str:
        """Return which log the recorded topic is now."""
        found = patiently(lambda: self._identities.now([self.topic]), self.topic)[self.topic]
        if found is None:
            raise LogError(f"{self.topic}: does not exist any more; run {self._run!r} cannot be replayed to its end")
        return found

    def _consumer(self) -> Consumer:
        return new_reader(self._kafka, f"{self.topic}.replay", auto_offset_reset="error")

    def _headers(self, message: Any) -> Sequence[Header]:  # noqa: ANN401  # its fields may be None in an error alone
        headers = _with_receipt(headers_of(message, self._kafka), message.timestamp()[1], finite=self._finite)
        headers = _with_copied_key(headers, may_end=not self._leaves_open)
        return headers if self._finite else [_not_obeyed(each) for each in headers]


def _with_receipt(headers: Sequence[Header], appended_ms: int, *, finite: bool) -> Sequence[Header]:
    """Return the headers of a record, with the time at which its run took it to be first received."""
    stated = dict(headers).get(RECEIVED_HEADER)
    received = str(time_of_receipt(stated, appended_ms, finite=finite)).encode()
    return headers if stated == received else [*headers, (RECEIVED_HEADER, received)]  # the last one counts


def _with_copied_key(headers: Sequence[Header], *, may_end: bool) -> Sequence[Header]:
    """Return the headers of a record, with a letter's key as one of another run's letter.

    Where a copy may end it keeps its own name beside: by that it counts behind the end.
    """
    keys = [(COPIED_REENTERED_HEADER, key) for name, key in headers if name == REENTERED_HEADER]
    if not keys:
        return headers
    return [*(each for each in headers if may_end or each[0] != REENTERED_HEADER), *keys]


def _is_mark(headers: Sequence[Header]) -> bool:
    """Return whether a record of a replay is a mark that it obeys."""
    return any(name == CONTROL_HEADER and refused_mark(mark, finite=True) is None for name, mark in headers)


def _not_obeyed(header: Header) -> Header:
    """Return a header; a mark that a replay would obey as one that none does."""
    name, mark = header
    if name != CONTROL_HEADER or mark is None or refused_mark(mark, finite=True) is not None:
        return header
    return name, mark + _NOT_OBEYED
