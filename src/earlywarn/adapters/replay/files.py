"""Replaying files: everything that `earlywarn run` reads, in event time, cells dealt to partitions."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.adapters.replay.cells import CellPartitioner
from earlywarn.adapters.replay.ordering import merged
from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.packing import BATCH_RECORDS, as_arrow, as_json
from earlywarn.adapters.replay.position import ReplayPosition, file_fingerprint
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.adapters.replay.silences import Silences
from earlywarn.adapters.replay.source import Tell, Told
from earlywarn.application.compose import Run
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction

_COMMIT_SECONDS = 0.5
"""Records become visible so often, and so much is sent again after a kill."""
_COMMIT_RECORDS = 200_000
_BATCHED_COMMIT_SECONDS = 5.0
"""At full speed large messages fill in that time."""
_BATCHED_COMMIT_RECORDS = 8 * BATCH_RECORDS
"""What is collected at once: some 200 MB."""
_ENVELOPE_BYTES = 4_096
"""What a message has besides its value."""


@dataclass(frozen=True, slots=True)
class Window:
    """The event times that are replayed, in epoch milliseconds; None is open."""

    first_ms: int | None = None
    until_ms: int | None = None

    @classmethod
    def of_days(cls, first: date | None, last: date | None, calendar: LocalCalendar) -> "Window":
        """Return the window of local days, both included."""
        return cls(
            None if first is None else calendar.day_bounds(first)[0] * 1000,
            None if last is None else calendar.day_bounds(last)[1] * 1000,
        )

    def admits(self, event_ms: int) -> bool:
        """Return whether a record of this time is replayed."""
        return (self.first_ms is None or event_ms >= self.first_ms) and (
            self.until_ms is None or event_ms < self.until_ms
        )


class FileSource:
    """Files as a source.

    Args:
        run: its panels say where a transaction counts.
        inputs: the files.
        window: what of them is replayed.
        sort_in: a folder for sorting transactions by time; None leaves each file in its order.
        batched: many transactions in one message.
        rejects: the file that lists what the readers reject.
    """

    def __init__(
        self,
        run: Run,
        inputs: Sequence[InputFile],
        *,
        window: Window,
        sort_in: Path | None,
        batched: bool,
        rejects: Path,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rejected: Mapping[str, int] = {}
        self.examples: Mapping[str, str] = {}
        self._run = run
        self._inputs = inputs
        self._window = window
        self._sort_in = sort_in
        self._batched = batched
        self._rejects = rejects
        self._now_seconds = now_seconds

    def beginning(self, partitions: int) -> ReplayPosition:
        """Return the position before the first record."""
        options = {
            "window": [self._window.first_ms, self._window.until_ms],
            "sorted": self._sort_in is not None,
            "time_zone": self._run.panels[0].panel.calendar.time_zone,
        }
        return ReplayPosition(
            source=file_fingerprint(self._inputs, options),
            described=", ".join(each.name for each in self._inputs),
            partitions=partitions,
        )

    def send(self, log: ReplayLog, position: ReplayPosition, pace: Pace, tell: Tell) -> ReplayPosition:
        """Send all behind a position. The files are read from their start, and what was sent is passed over."""
        pace.start_anew()
        with RejectsWriter(self._rejects) as rejects:
            silences = self._silences(position.partitions, pace.speed)
            dealt = CellPartitioner(self._run.router, position.partitions)
            sending = _Sending(self._pack, dealt, log, position, silences)
            paced = pace.speed is not None
            fills = self._batched and not paced
            commit_seconds = _BATCHED_COMMIT_SECONDS if fills else _COMMIT_SECONDS
            commit_records = _BATCHED_COMMIT_RECORDS if fills else _COMMIT_RECORDS
            next_commit = self._now_seconds() + commit_seconds

            def pause_for(seconds: float) -> None:
                nonlocal next_commit
                log.standing.move()
                now = self._now_seconds()
                if now + min(seconds, commit_seconds) >= next_commit:
                    sending.commit()
                    next_commit = now + commit_seconds

            feeds = feeds_of(self._inputs, self._run.panels[0].panel.calendar, sort_in=self._sort_in)
            seen = 0
            for batch in merged(feeds):
                for at, outcome in enumerate(batch.outcomes):
                    seen += 1
                    if isinstance(outcome, Reject):
                        rejects.add(batch.place(at), outcome)
                    elif self._window.admits(outcome.ts):
                        if seen <= position.records:
                            sending.pass_over(outcome)
                        else:
                            if paced or pace.paused:
                                pace.wait_for(outcome.ts, pause_for)
                            sending.add(outcome)
                    sending.records = max(seen, position.records)
                sending.flush(least=BATCH_RECORDS if fills else 1)
                tell(Told(seen, sending.newest_ms))
                if self._now_seconds() >= next_commit or sending.uncommitted >= commit_records:
                    sending.commit()
                    next_commit = self._now_seconds() + commit_seconds
            sending.commit()
            self.rejected, self.examples = rejects.by_reason, rejects.examples
        return sending.position

    def _silences(self, partitions: int, speed: float | None) -> Silences | None:
        """Return what tells silent partitions the time; at full speed the end marks do."""
        if speed is None:
            return None
        return Silences(partitions, idle_seconds=self._run.settings.service.idle_seconds, speed=speed)

    def _pack(self, transactions: Sequence[Transaction]) -> Iterator[tuple[bytes, Sequence[tuple[str, bytes | None]]]]:
        if self._batched:
            return as_arrow(transactions, self._run.settings.topics.message_bytes - _ENVELOPE_BYTES)
        return as_json(transactions)

    @property
    def batched(self) -> bool:
        """Return whether messages hold many transactions."""
        return self._batched


class _Sending:
    """Collects transactions by partition and sends them; remembers how far that is."""

    def __init__(
        self,
        pack: Callable[[Sequence[Transaction]], Iterator[tuple[bytes, Sequence[tuple[str, bytes | None]]]]],
        partitioner: CellPartitioner,
        log: ReplayLog,
        position: ReplayPosition,
        silences: Silences | None,
    ) -> None:
        self.position = position
        self.records = position.records
        self.uncommitted = 0
        self.newest_ms: int | None = None
        self._pack = pack
        self._partition_of = partitioner.of
        self._log = log
        self._silences = silences
        self._collected: list[list[Transaction]] = [[] for _ in range(partitioner.partitions)]

    def add(self, transaction: Transaction) -> None:
        """Take one transaction, which is sent at the next flush; tell silent partitions the time."""
        partition = self._partition_of(transaction)
        self._collected[partition].append(transaction)
        self.uncommitted += 1
        if self.newest_ms is None or transaction.ts > self.newest_ms:
            self.newest_ms = transaction.ts
        if self._silences is not None:
            for silent in self._silences.hear(partition, transaction.ts):
                self._flush(silent)
                self._log.tell_time(silent, self._silences.now_ms)

    def pass_over(self, transaction: Transaction) -> None:
        """Take note of a transaction that stands in the topic, with the marks behind it."""
        if self._silences is not None:
            self._silences.hear(self._partition_of(transaction), transaction.ts)

    def flush(self, *, least: int = 1) -> None:
        """Send what is collected, of partitions with at least so many transactions."""
        for partition, transactions in enumerate(self._collected):
            if len(transactions) >= least:
                self._flush(partition)

    def _flush(self, partition: int) -> None:
        for value, headers in self._pack(self._collected[partition]):
            self._log.send(partition, value, headers=headers)
        self._collected[partition].clear()

    def commit(self) -> None:
        """Send what is collected and make it visible, with the position behind it."""
        if self.records == self.position.records:
            return
        self.flush()
        position = msgspec.structs.replace(
            self.position, records=self.records, sent=self.position.sent + self.uncommitted
        )
        self._log.commit(position)
        self._log.standing.newest_ms = self.newest_ms
        self.position, self.uncommitted = position, 0
