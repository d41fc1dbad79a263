"""The Lua scripts of this folder, run by their digest.

Redis keeps scripts in memory only: after a restart, a failover or SCRIPT FLUSH it knows none, and says so before
anything of the call has run. Then they are loaded and the same calls made again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Value = str | bytes | int


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """What one call of a script is given; keys and values travel as arguments and are never part of its text."""

    keys: tuple[str, ...]
    values: tuple[Value, ...]


class LuaScript:
    """One script of the folder `lua`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, calls: Sequence[ScriptCall]) -> list[Any]:
        """Make the calls in order, in one round trip, each atomic by itself; return what each answers.

        A connection that breaks leaves it open how many of them have run: repeat them all.

        Raises:
            redis.exceptions.RedisError: of the connection, or the first that a call answered.
        """
        try:
            return await self._run(client, calls)
        except NoScriptError:
            await client.script_load(self.text)
            return await self._run(client, calls)

    async def _run(self, client: Redis, calls: Sequence[ScriptCall]) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for call in calls:
            pipeline.evalsha(self.digest, len(call.keys), *call.keys, *call.values)
        return list(await pipeline.execute())


REVISION = LuaScript("revision")
ROWS = LuaScript("rows")
CLEAR = LuaScript("clear")
