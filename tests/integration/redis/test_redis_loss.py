"""A Redis that is killed, cut off in mid-write, wiped or set back: data and position fall back together."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis_records import alert_records, dump_of, expected_dump, row_records, source_of

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Backoff, Outages
from earlywarn.adapters.redis.projection import RedisProjection, project_run
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import LogError

TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(11, buckets=60),
    ("alerts", 0): alert_records(11, count=200),
}
DEADLINE_SECONDS = 60


def topics_until(positions: dict[TopicKind, int]) -> dict[tuple[TopicKind, int], list[Record]]:
    return {
        (kind, partition): [record for record in records if record[0] < positions[kind]]
        for (kind, partition), records in TOPICS.items()
    }


read = source_of(TOPICS, step=9)


def projection(client: Redis, run: str) -> RedisProjection:
    outages = Outages("test", backoff=Backoff(first_seconds=0.01, most_seconds=0.05))
    return RedisProjection(client, RunTopics(run), stream_length=10_000, outages=outages)


@pytest.mark.parametrize("round_trips", [1, 4, 13])
def test_position_and_data_survive_a_kill_together(executable: Path, tmp_path: Path, round_trips: int) -> None:
    """SIGKILL lands somewhere in the middle of the calls; what is left is one beginning of each topic."""
    local = LocalRedis(executable, tmp_path / "redis")

    async def scenario() -> None:
        async with connect(RedisSettings(url=local.url)) as client:
            one = projection(client, "live")
            done = asyncio.Semaphore(0)

            async def counted(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
                async for records in read(kind, partition, position):
                    yield records
                    done.release()

            under_way = asyncio.create_task(project_run(one, [0], counted))
            for _ in range(round_trips):
                await done.acquire()
            local.process.kill()
            local.stop()
            under_way.cancel()
            await asyncio.wait([under_way])

            local.start()
            positions = await one.positions(0)
            assert sum(positions.values()) > 0
            assert await dump_of(client, "live") == expected_dump("live", topics_until(positions))
            await project_run(one, [0], read)
            assert await dump_of(client, "live") == expected_dump("live", TOPICS)

    with local:
        asyncio.run(scenario())


def test_a_log_cut_off_anywhere_leaves_one_beginning_of_each_topic(executable: Path, tmp_path: Path) -> None:
    """A power failure loses the tail of Redis' append-only file, wherever it happens to end."""
    folder = tmp_path / "redis"
    arguments = ("--aof-use-rdb-preamble", "no")

    async def fill(url: str) -> None:
        async with connect(RedisSettings(url=url)) as client:
            await project_run(projection(client, "live"), [0], read)

    async def check(url: str) -> int:
        async with connect(RedisSettings(url=url)) as client:
            one = projection(client, "live")
            positions = await one.positions(0)
            assert await dump_of(client, "live") == expected_dump("live", topics_until(positions))
            await project_run(one, [0], read)
            assert await dump_of(client, "live") == expected_dump("live", TOPICS)
            return sum(positions.values())

    with LocalRedis(executable, folder, arguments) as local:
        asyncio.run(fill(local.url))
    [log] = folder.glob("appendonlydir/*.incr.aof")
    size = log.stat().st_size
    found = set()
    for n in range(12):
        cut = tmp_path / f"cut-{n}"
        shutil.copytree(folder / "appendonlydir", cut / "appendonlydir")
        os.truncate(cut / "appendonlydir" / log.name, size * (2 * n + 1) // 25 + n)
        with LocalRedis(executable, cut, arguments) as local:
            found.add(asyncio.run(check(local.url)))
    assert len(found) > 8


class WipedOnce:
    """Reads both topics. When both readers have come half way (or, quiet, to the end), Redis is wiped, once."""

    def __init__(self, client: Redis, run: str, *, quiet: bool) -> None:
        self.openings: list[tuple[TopicKind, int]] = []
        self.before: dict = {}
        self._client = client
        self._run = run
        self._quiet = quiet
        self._both_there = asyncio.Barrier(2)
        self._wiped = asyncio.Event()

    async def __call__(self, kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
        self.openings.append((kind, position))
        batches = [batch async for batch in read(kind, partition, position)]
        stop = len(batches) if self._quiet else len(batches) // 2
        for batch in batches[:stop]:
            yield batch
        if not self._wiped.is_set():
            await self._wipe(kind)
        if self._quiet:
            yield []
        for batch in batches[stop:]:
            yield batch

    async def _wipe(self, kind: TopicKind) -> None:
        await self._both_there.wait()
        if kind == "alerts":
            self.before = await dump_of(self._client, self._run)
            await self._client.flushall()
            self._wiped.set()
        await self._wiped.wait()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_wiped_redis_is_rebuilt_by_those_who_run(
    server: LocalRedis, new_run: Callable[[], str], *, quiet: bool
) -> None:
    """Wiped in the middle of the stream, or when nothing new comes any more."""
    run = new_run()

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            source = WipedOnce(client, run, quiet=quiet)
            async with asyncio.timeout(DEADLINE_SECONDS):
                await project_run(projection(client, run), [0], source)
            assert sorted(source.openings) == [("aggregates", 0)] * 2 + [("alerts", 0)] * 2
            assert await dump_of(client, run) == expected_dump(run, TOPICS)
            assert (source.before == expected_dump(run, TOPICS)) == quiet

    asyncio.run(scenario())


def test_a_wiped_redis_knows_again_which_logs_it_is_made_of(server: LocalRedis, new_run: Callable[[], str]) -> None:
    """Nobody starts anew for that; who works on other logs of the same names, since before, is refused."""
    run = new_run()
    first: dict[TopicKind, str] = {"aggregates": "first-a", "alerts": "first-b"}
    second: dict[TopicKind, str] = {"aggregates": "second-a", "alerts": "second-b"}

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            one, other = projection(client, run), projection(client, run)
            await one.claim(first)
            await other.claim(second)
            async with asyncio.timeout(DEADLINE_SECONDS):
                await project_run(one, [0], WipedOnce(client, run, quiet=False))
            before = await dump_of(client, run)
            for (kind, partition), records in TOPICS.items():
                with pytest.raises(LogError, match=r"made anew .*its id was first-.*, it is second-"):
                    await other.apply(partition, kind, records, since=0)
            with pytest.raises(LogError, match="made anew"):
                await other.positions(0)
            with pytest.raises(LogError, match="made anew"):
                await projection(client, run).claim(second)
            assert await dump_of(client, run) == before
            assert await one.positions(0) == {kind: records[-1][0] + 1 for (kind, _), records in TOPICS.items()}

    asyncio.run(scenario())


def test_positions_of_which_no_log_is_known_are_refused(server: LocalRedis, new_run: Callable[[], str]) -> None:
    """Earlier versions left such, once Redis was wiped in mid-run."""
    run = new_run()

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            one = projection(client, run)
            await project_run(one, [0], read)
            await one.claim({"aggregates": "a", "alerts": "b"})
            with pytest.raises(LogError, match="does not say of which log .* run: earlywarn rebuild-redis"):
                await one.positions(0)

    asyncio.run(scenario())


def test_a_redis_set_back_to_an_older_copy_catches_up(executable: Path, tmp_path: Path) -> None:
    folder, copy = tmp_path / "redis", tmp_path / "copy"

    async def feed(url: str, share: float) -> dict[TopicKind, int]:
        async with connect(RedisSettings(url=url)) as client:
            one = projection(client, "live")
            for (kind, partition), records in TOPICS.items():
                position = (await one.positions(partition))[kind]
                await one.apply(partition, kind, records[: int(share * len(records))], since=position)
            return await one.positions(0)

    async def go_on(url: str, believed: dict[TopicKind, int]) -> None:
        async with connect(RedisSettings(url=url)) as client:
            one = projection(client, "live")
            before = await dump_of(client, "live")
            for kind, position in believed.items():
                later = [record for record in TOPICS[kind, 0] if record[0] >= position]
                assert await one.apply(0, kind, later, since=position) < position
            assert await dump_of(client, "live") == before
            await project_run(one, [0], read)
            assert await dump_of(client, "live") == expected_dump("live", TOPICS)

    with LocalRedis(executable, folder) as local:
        asyncio.run(feed(local.url, 0.3))
    shutil.copytree(folder / "appendonlydir", copy / "appendonlydir")
    with LocalRedis(executable, folder) as local:
        believed = asyncio.run(feed(local.url, 0.8))
    with LocalRedis(executable, copy) as local:
        asyncio.run(go_on(local.url, believed))
