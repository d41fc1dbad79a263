"""Whether a server has dropped keys of a run: one that evicts when memory is short tells how many keys, and not which.

Beside the positions stands how many it had dropped when what is there was whole, as `<run id of the server>/<count>`.
More than that, and the projection may lack anything: it is marked, and stays so through restarts of either side until
the run is rebuilt.

Policies of volatile keys drop those with a time to live alone, which keys of a run have not. So what is dropped between
two looks does not count where the second finds such a policy, and the first none that drops any key. A server does not
tell under which policy it was: one that dropped any key between two such looks is not noticed, and what one of volatile
keys drops right before it is replaced by `noeviction` counts.
"""

from typing import Any

from redis.asyncio import Redis

from earlywarn.adapters.redis.connection import ServerFacts, facts_of, refuse_unfit
from earlywarn.adapters.redis.layout import POSITION_DROPPED, RunLayout
from earlywarn.errors import LogError

_LOST = "lost"


class DroppedKeys:
    """Looks after what a server drops.

    Args:
        client: of `connection.connect`.
        layout: of the run.
        server: what people call it.
    """

    def __init__(self, client: Redis, layout: RunLayout, server: str) -> None:
        self._client = client
        self._layout = layout
        self._server = server
        self._known = ""
        self._drops_any_key = False

    async def check(self) -> None:
        """See that the server will do, and has dropped nothing of the run.

        Raises:
            LogError: it has, or may have.
            ConfigError: it will not do (`connection.check_server`).
            redis.exceptions.RedisError: it does not answer.
        """
        facts = facts_of(await self._client.info())
        if facts.clustered:
            refuse_unfit(facts, self._server)
        marks: list[Any] = await self._client.hmget(self._layout.positions, [POSITION_DROPPED])
        [found] = marks
        known = found.decode() if found is not None else self._known  # the positions may be among what is dropped
        server, _, count = known.rpartition("/")
        if server == _LOST:
            dropped = int(count)
        elif known and (self._drops_any_key or not facts.drops_volatile_keys_alone):
            dropped = max(0, facts.evicted_keys - (int(count) if server == facts.run_id else 0))
        else:
            dropped = 0
        self._known = f"{_LOST}/{dropped}" if dropped else facts.known
        self._drops_any_key = facts.drops_any_key
        # A mark that is gone was removed by a rebuild, or dropped: no rebuild begins where keys are dropped.
        if self._known != known or (found is None and (not dropped or facts.drops_any_key)):
            await self._client.hset(self._layout.positions, POSITION_DROPPED, self._known)
        if dropped:
            raise LogError(
                f"Redis at {self._server} has dropped {dropped:,} keys, of this run maybe, and they do not come back "
                f"by themselves (maxmemory-policy is {facts.maxmemory_policy} now); set noeviction, and then run: "
                "earlywarn rebuild-redis"
            )
        refuse_unfit(facts, self._server)

    async def note(self, facts: ServerFacts) -> None:
        """Say that what is there is whole but for what the server has dropped since it said this of itself."""
        await self._client.hset(self._layout.positions, POSITION_DROPPED, facts.known)
