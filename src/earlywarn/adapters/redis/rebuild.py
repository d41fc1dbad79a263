"""Rebuilding a run's Redis from its topics: remove its keys, project from the start. Nothing is published.

Detectors may run on: while keys are being removed they wait, and then they read again from where Redis is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from earlywarn.adapters.redis.layout import POSITION_CLEARING, RunLayout, TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RecordSource, RedisProjection, project_run
from earlywarn.adapters.redis.scripts import CLEAR, ScriptCall
from earlywarn.errors import LogError

_KEYS_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: keys removed, records of both topics read."""

    removed: int
    records: int


async def rebuild(
    client: Redis,
    projection: RedisProjection,
    partitions: Sequence[int],
    read: RecordSource,
    logs: Mapping[TopicKind, str] | None = None,
) -> Rebuilt:
    """Remove a run from Redis and project its topics from the start until their reading ends.

    Args:
        client: Of `connection.connect`.
        projection: Of the run.
        partitions: All q of the run.
        read: Both topics; it ends where the topics ended when it was opened.
        logs: Which logs they are (`topic_identity`).

    Raises:
        ConfigError: Redis refuses the user, or is away for too long.
        LogError: a topic holds a foreign record, or another rebuild took over.
    """
    removed = await remove_run(client, projection.layout, projection.outages)
    await projection.claim(logs or {})
    return Rebuilt(removed, await project_run(projection, partitions, read))


async def remove_run(client: Redis, layout: RunLayout, outages: Outages) -> int:
    """Remove every key of a run's projection and of no other; return how many.

    Cut short, it is finished by the next one.

    A mark in the run's positions keeps every projection out until the last key is gone. Otherwise one that runs
    on could write behind the back of the removal, and later take what was half removed for whole. Each batch is
    removed only while the mark is this call's own.

    Raises:
        ConfigError: Redis refuses the user, or is away for too long.
        LogError: another removal took over.
    """
    removal = _Removal(client, layout, outages)
    await removal.begin()
    removed = 0
    async for keys in removal.keys():
        removed += await removal.remove(keys)
    return removed + await removal.end()


class _Removal:
    """The steps of a removal; each can be repeated."""

    def __init__(self, client: Redis, layout: RunLayout, outages: Outages) -> None:
        self._client = client
        self._layout = layout
        self._outages = outages
        self._mark = uuid4().hex

    async def begin(self) -> None:
        """Put the mark."""

        async def put() -> None:
            await self._client.hset(self._layout.positions, POSITION_CLEARING, self._mark)

        await self._outages.wait_out(put)

    async def keys(self) -> AsyncIterator[list[str]]:
        """Yield the run's keys in bounded batches, without the positions.

        The mark keeps new keys out, and SCAN returns every key that is there from its beginning to its end.
        """
        cursor: int | None = None
        while cursor != 0:

            async def scan(start: int = cursor or 0) -> Any:  # noqa: ANN401  # replies are typed for all protocols
                return await self._client.scan(start, match=f"{self._layout.prefix}*", count=_KEYS_PER_CALL)

            cursor, found = await self._outages.wait_out(scan)
            names = [key.decode() for key in found]
            kept = (self._layout.positions, self._layout.snapshots)
            keys = [name for name in names if not name.startswith(kept)]
            for first in range(0, len(keys), _KEYS_PER_CALL):
                yield keys[first : first + _KEYS_PER_CALL]

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys, and with none the positions; return how many there were."""

        async def run() -> int:
            [count] = await CLEAR.run(self._client, [ScriptCall((self._layout.positions, *keys), (self._mark,))])
            return int(count)

        count = await self._outages.wait_out(run)
        if count < 0:
            raise LogError(
                f"run {self._layout.run}: another `rebuild-redis` took over the removal of its keys; let it finish"
            )
        return count

    async def end(self) -> int:
        """Remove the positions and with them the mark."""

        async def holder() -> Any:  # noqa: ANN401  # replies are typed for all protocols
            return await self._client.hget(self._layout.positions, POSITION_CLEARING)

        try:
            return await self.remove([])
        except LogError:
            if await self._outages.wait_out(holder) is not None:
                raise
            return 0  # it is over: the answer that said so was lost with its connection
