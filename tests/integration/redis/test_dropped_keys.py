"""A server that has dropped keys of a run, since its memory was short: nobody says which, and they do not come back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis_records import alert_records, dump_of, expected_dump, row_records, source_of

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import check_server, connect
from earlywarn.adapters.redis.dropped_keys import DroppedKeys
from earlywarn.adapters.redis.layout import TOPIC_KINDS, RunLayout, TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RedisProjection
from earlywarn.adapters.redis.rebuild import rebuild
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.adapters.stream import projector as projector_module
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.projector import Projector
from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import ConfigError, LogError

TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(17, buckets=60),
    ("alerts", 0): alert_records(17, count=200),
}
read = source_of(TOPICS, step=50)


class Same:
    """Logs that stay the same."""

    def check(self) -> dict[TopicKind, str]:
        return dict.fromkeys(TOPIC_KINDS, "one")

    async def confirmed(self) -> None:
        pass


def projection(client: Redis, run: str) -> RedisProjection:
    return RedisProjection(client, RunTopics(run), stream_length=10_000, outages=Outages("test"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_module, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(projector_module, "_RETRY_SECONDS", 0.1)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.02)


async def following(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
    async for records in read(kind, partition, position):
        yield records
    while True:
        await asyncio.sleep(0.02)
        yield []


class Projected:
    """A run that is projected into a server."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.layout = RunLayout("live")
        self.projection = projection(client, "live")
        self.dropped_keys = DroppedKeys(client, self.layout, "here")
        logs = Same
        self.projector = Projector(self.projection, self.dropped_keys.check, following, logs, Failure())  # type: ignore[arg-type]
        self.projector.own([0])

    async def works(self) -> bool:
        return self.projector.works

    async def troubled(self) -> bool:
        return "has dropped" in self.projector.trouble

    async def marked(self) -> bool:
        [mark] = await self.client.hmget(self.layout.positions, ["dropped"])
        return mark is not None and mark.startswith(b"lost/")

    async def whole(self) -> bool:
        dump, expected = await dump_of(self.client, "live"), expected_dump("live", TOPICS)
        return set(dump) == set(expected) and all(
            dump[key] == expected[key] for key in dump if key != self.layout.positions
        )


async def dropping(client: Redis) -> None:
    """Let a server drop keys for a while."""
    run = Projected(client)
    await until(run.works)
    await until(run.whole)
    used = int((await client.info("memory"))["used_memory"])
    await client.config_set("maxmemory-policy", "allkeys-random")
    await client.config_set("maxmemory", str(int(used * 0.9)))
    await until(run.troubled)
    await until(run.marked)  # the mark may be dropped itself, and is put anew
    await client.config_set("maxmemory", "0")
    await client.config_set("maxmemory-policy", "noeviction")
    assert not run.projector.works
    run.projector.stop()


async def rebuilding(client: Redis) -> None:
    run = Projected(client)
    await until(run.troubled)
    assert "earlywarn rebuild-redis" in run.projector.trouble
    facts = await check_server(client, "here")
    await rebuild(client, projection(client, "live"), [0], read, dict.fromkeys(TOPIC_KINDS, "one"))
    await DroppedKeys(client, run.layout, "here").note(facts)
    await until(run.works)
    assert await run.whole()
    run.projector.stop()


def test_a_server_that_has_dropped_keys_is_told_until_the_run_is_rebuilt(executable: Path, tmp_path: Path) -> None:
    """Its policy was changed while it ran. It stays so when the policy is mended, and through a restart of either."""

    async def scenario(url: str, step: Callable[[Redis], Awaitable[None]]) -> None:
        async with connect(RedisSettings(url=url)) as client:
            await step(client)

    for step in (dropping, rebuilding):
        with LocalRedis(executable, tmp_path / "redis") as local:
            asyncio.run(scenario(local.url, step))


def test_what_was_dropped_before_the_policy_went_back_to_volatile_keys_is_told(
    executable: Path, tmp_path: Path
) -> None:
    """A look found that any key may be dropped; when the next one comes that is mended, and keys are gone."""

    async def scenario(url: str) -> None:
        async with connect(RedisSettings(url=url)) as client:
            check = DroppedKeys(client, RunLayout("live"), "here").check
            await check()
            await client.mset({f"other:{at}": bytes(100) for at in range(5_000)})
            await client.config_set("maxmemory", "100mb")
            await client.config_set("maxmemory-policy", "allkeys-random")
            with pytest.raises(ConfigError, match="drops keys when memory is short"):
                await check()
            await client.config_set("maxmemory", "1mb")
            with suppress(RedisError):
                await client.set("another", "1")
            await client.config_set("maxmemory", "100mb")
            await client.config_set("maxmemory-policy", "volatile-lru")
            for _ in range(2):
                with pytest.raises(LogError, match=r"here has dropped [\d,]+ keys"):
                    await check()

    with LocalRedis(executable, tmp_path / "redis") as local:
        asyncio.run(scenario(local.url))


def test_what_is_dropped_of_others_is_none_of_a_run(executable: Path, tmp_path: Path) -> None:
    """Policies of volatile keys leave those of runs alone; what was dropped before a run began is not of it."""

    async def scenario(url: str) -> None:
        async with connect(RedisSettings(url=url)) as client:
            check = DroppedKeys(client, RunLayout("live"), "here").check
            await check()
            for policy in ("volatile-ttl", "allkeys-lru"):
                await client.mset({f"other:{at}": bytes(100) for at in range(5_000)})
                for at in range(5_000):
                    await client.expire(f"other:{at}", 1_000)
                await client.config_set("maxmemory-policy", policy)
                await client.config_set("maxmemory", "1mb")
                with suppress(RedisError):
                    await client.set("another", "1")
                assert int((await client.info("stats"))["evicted_keys"]) > 0
                await client.config_set("maxmemory", "0")
                if policy == "volatile-ttl":
                    await check()
            await client.config_set("maxmemory-policy", "noeviction")
            with pytest.raises(LogError, match=r"here has dropped [\d,]+ keys"):
                await check()
            await DroppedKeys(client, RunLayout("later"), "here").check()

    with LocalRedis(executable, tmp_path / "redis") as local:
        asyncio.run(scenario(local.url))
