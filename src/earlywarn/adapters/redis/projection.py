"""The projection: records of a run's `aggregates` and `alerts` into Redis, with the position they were read up to.

Position and data move in one atomic step, so that Redis is always what the topics' beginnings up to its positions
give, whatever crashes, repeats or runs twice. A Redis that was wiped, or has fallen back to an older copy of
itself, has fallen back in both, and is rebuilt by reading on from its own positions (docs/redis.md).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from redis.asyncio import Redis

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.layout import (
    POSITION_CLEARING,
    POSITION_VERSION,
    TOPIC_KINDS,
    VERSION,
    RunLayout,
    TopicKind,
)
from earlywarn.adapters.redis.outage import Outages, RemovalUnderWayError
from earlywarn.adapters.redis.records import Record, revision_call, row_batches
from earlywarn.adapters.redis.scripts import REVISION, ROWS, LuaScript, ScriptCall
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)

_REMOVING, _DISORDER, _OTHER_LOG = -2, -3, -4
"""What the scripts answer besides 1 (applied), 0 (seen before) and -1 (lost), which the position itself tells."""

RecordSource = Callable[[TopicKind, int, int], AsyncGenerator[Sequence[Record], None]]
"""Reads a topic: (kind, q, position) to batches of committed records from that offset on, ascending.

An empty batch says that nothing new has come for a while. The generator ends where the reading shall end; it is
closed early when Redis has lost something, and another is opened from where Redis is then.
"""

Steps = Iterator[tuple[list[ScriptCall], int]]
"""What one round trip carries, with the offset after its last record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How much one atomic call carries, for as long holds it everybody else up.

    rows: of aggregates, after collapsing; value_bytes: of their JSON; revisions: in one round trip.
    """

    rows: int = 4_000
    value_bytes: int = 4 << 20
    revisions: int = 200


class RedisProjection:
    """Writes a run's Redis. Any number may write at once, also of the same partition.

    Args:
        client: Of `connection.connect`.
        topics: Of the run; for its id, and for the names in errors.
        stream_length: Revisions kept in the stream of each q, at least.
        outages: How a Redis that is away is waited for.
    """

    def __init__(
        self,
        client: Redis,
        topics: RunTopics,
        *,
        stream_length: int,
        outages: Outages,
        limits: CallLimits | None = None,
    ) -> None:
        self.layout = RunLayout(topics.run)
        self.outages = outages
        self._client = client
        self._topics = topics
        self._stream_length = stream_length
        self._limits = limits or CallLimits()
        self._logs: dict[TopicKind, str] = {}

    async def claim(self, logs: Mapping[TopicKind, str]) -> None:
        """Check that what Redis holds was made of these logs (`topic_identity`), now and with all that follows.

        Raises:
            ConfigError: Redis refuses the user.
            LogError: it was made of other logs of the same names.
        """
        self._logs = dict(logs)
        fields = [self.layout.log_field(kind) for kind in logs]

        async def ask() -> list[Any]:
            return await self._client.hmget(self.layout.positions, fields) if fields else []

        for kind, log in zip(logs, await self.outages.wait_out(ask), strict=True):
            self._compare(getattr(self._topics, kind), log, logs[kind])

    async def positions(self, partition: int) -> dict[TopicKind, int]:
        """Return the next offset to read of each topic's partition q: 0 where Redis holds nothing yet.

        Raises:
            ConfigError: Redis refuses the user.
            LogError: what is there was written in another layout, or made of another log than is claimed.
        """
        fields = [self.layout.position_field(kind, partition) for kind in TOPIC_KINDS]
        fields += [self.layout.log_field(kind) for kind in TOPIC_KINDS]

        async def ask() -> list[Any]:
            found: list[Any] = await self._client.hmget(
                self.layout.positions, [POSITION_CLEARING, POSITION_VERSION, *fields]
            )
            if found[0] is not None:
                raise RemovalUnderWayError(_removal(self._topics.run))
            return found

        _, version, *found = await self.outages.wait_out(ask)
        if version is not None and version.decode() != VERSION:
            raise LogError(
                f"{self.layout.positions}: written in layout {version.decode()}, this program has {VERSION}; "
                f"stop the detectors of run {self._topics.run} and run `earlywarn rebuild-redis`"
            )
        positions = dict(zip(TOPIC_KINDS, found, strict=False))
        for kind, log in zip(TOPIC_KINDS, found[len(positions) :], strict=True):
            if kind in self._logs and positions[kind] is not None:
                self._compare(getattr(self._topics, kind), log or b"", self._logs[kind])
        return {kind: int(position or 0) for kind, position in positions.items()}

    def _compare(self, topic: str, found: bytes | None, wanted: str) -> None:
        """Refuse what was made of another log; None: nothing was made yet, empty: of which one is not known."""
        if found == b"":
            raise LogError(
                f"{topic}: Redis does not say of which log of this name it was made (an earlier version wrote it); "
                "run: earlywarn rebuild-redis"
            )
        if found is not None and found.decode() != wanted:
            raise LogError(
                f"{topic}: was deleted and made anew since Redis was written (its id was {found.decode()}, "
                f"it is {wanted}); run: earlywarn rebuild-redis"
            )

    async def apply(self, partition: int, kind: TopicKind, records: Sequence[Record], *, since: int) -> int:
        """Write records of a topic's partition q; return the position in Redis, from which to read on.

        Waits as long as Redis is away. Cancelled, it may or may not have written: it can be repeated.

        Args:
            partition: q.
            kind: Which topic.
            records: All committed records read from offset `since` on, ascending; those below it are ignored.
            since: A position, of `positions` or of the call before.

        Returns:
            Usually the offset after the last record. Lower than that: Redis has lost what it had, and the records
            must be read again from there. Higher: somebody else is ahead, and the reading may skip.

        Raises:
            ConfigError: Redis refuses the user.
            LogError: a record is none of this topic, or out of order; none after it has been written. Or what Redis
                holds was made of another log than is claimed.
        """
        place = f"{getattr(self._topics, kind)}-{partition}"
        for (before, _), (offset, _) in pairwise(records):
            if offset <= before:
                raise LogError(f"{place}-{offset}: read after offset {before}; read each partition in its order")
        fresh = [record for record in records if record[0] >= since]
        if not fresh:
            return since
        script, steps = (ROWS, self._row_steps) if kind == "aggregates" else (REVISION, self._revision_steps)
        position = since
        for calls, after in steps(partition, place, fresh, since):
            position = await self._call(script, calls, place)
            if position < after:
                break
        return position

    def _row_steps(self, partition: int, place: str, records: Sequence[Record], since: int) -> Steps:
        limits = self._limits
        for batch, after in row_batches(self.layout, place, records, rows=limits.rows, value_bytes=limits.value_bytes):
            yield [batch.call(partition, since, after, log=self._logs.get("aggregates", ""))], after
            since = after

    def _revision_steps(self, partition: int, place: str, records: Sequence[Record], since: int) -> Steps:
        for first in range(0, len(records), self._limits.revisions):
            calls = []
            for record in records[first : first + self._limits.revisions]:
                calls.append(
                    revision_call(
                        self.layout, place, partition, record,
                        log=self._logs.get("alerts", ""), since=since, stream_length=self._stream_length,
                    )
                )  # fmt: skip
                since = record[0] + 1
            yield calls, since

    async def _call(self, script: LuaScript, calls: Sequence[ScriptCall], place: str) -> int:
        """Make the calls of one step, through outages, and return the position that the last one answers."""

        async def run() -> list[Any]:
            answers = await script.run(self._client, calls)
            if any(status == _REMOVING for status, _ in answers):
                raise RemovalUnderWayError(_removal(self._topics.run))
            return answers

        answers = await self.outages.wait_out(run)
        for call, (status, value) in zip(calls, answers, strict=True):
            if status == _OTHER_LOG:
                self._compare(place.rpartition("-")[0], value, str(call.values[3]))
            if status == _DISORDER:
                after, revision, sequence = call.values[6:9]
                raise LogError(
                    f"{place}-{int(after) - 1}: revision {revision!r} is new, and its sequence {sequence!r} is not: "
                    f"{value} was before it; the log was written by detectors of different origin, replay the run"
                )
        return int(answers[-1][1])


async def project(projection: RedisProjection, partition: int, kind: TopicKind, read: RecordSource) -> int:
    """Project a topic's partition q until its reading ends; return the number of records read.

    Whenever Redis has lost something, also while nothing new comes, it reads on from where Redis is.

    Raises:
        ConfigError, LogError: as `RedisProjection.apply`.
    """
    count = 0
    while True:
        position = (await projection.positions(partition))[kind]
        async with aclosing(read(kind, partition, position)) as batches:
            async for records in batches:
                expected = max(position, records[-1][0] + 1) if records else position
                if records:
                    count += len(records)
                    position = await projection.apply(partition, kind, records, since=position)
                else:
                    position = (await projection.positions(partition))[kind]
                if position < expected:
                    _log.warning(
                        "Redis has lost %s of run %s, partition %d, after offset %d; it is read again from there",
                        kind, projection.layout.run, partition, position,
                    )  # fmt: skip
                    break
            else:
                return count


async def project_run(projection: RedisProjection, partitions: Sequence[int], read: RecordSource) -> int:
    """Project both topics of several partitions at once; return the number of records read.

    Raises:
        ConfigError, LogError: as `RedisProjection.apply`; the others are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(project(projection, partition, kind, read))
                for partition in partitions
                for kind in TOPIC_KINDS
            ]
    except* Exception as errors:  # noqa: BLE001  # raised again, the first of them, without the group around it
        raise errors.exceptions[0] from None
    return sum(task.result() for task in tasks)


def _removal(run: str) -> str:
    return f"run {run} is being removed by `earlywarn rebuild-redis`; if that was cut short, run it again"
