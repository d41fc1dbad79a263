"""`rebuild-redis`: a run is removed and comes back the same; other runs, and who is at work, are left alone."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest
from redis.asyncio import Redis
from redis_records import alert_records, dump_of, expected_dump, row_records, source_of

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis import rebuild as rebuilding
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.layout import RunLayout, TopicKind
from earlywarn.adapters.redis.outage import Backoff, Outages, Timing
from earlywarn.adapters.redis.projection import RedisProjection, project_run
from earlywarn.adapters.redis.rebuild import rebuild, remove_run
from earlywarn.adapters.redis.records import Record
from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import LogError

TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(21, buckets=30),
    ("alerts", 0): alert_records(21, count=900),
    ("aggregates", 1): row_records(22, buckets=10),
    ("alerts", 1): alert_records(22, count=100),
}


read = source_of(TOPICS, step=50)


def outages() -> Outages:
    return Outages("test", backoff=Backoff(first_seconds=0.002, most_seconds=0.01))


def projection(client: Redis, run: str) -> RedisProjection:
    return RedisProjection(client, RunTopics(run), stream_length=10_000, outages=outages())


def test_a_rebuilt_run_is_the_same_and_the_others_are_untouched(
    settings: RedisSettings, new_run: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_KEYS_PER_CALL", 20)
    run = new_run()
    others = (f"{run}-b", f"{run}0", f"a-{run}", run.upper())

    async def scenario() -> None:
        async with connect(settings) as client:
            for one in (run, *others):
                await project_run(projection(client, one), [0, 1], read)
            await client.set(f"earlywarn:{run}", "a key of somebody else")
            before = {one: await dump_of(client, one, ranks=True) for one in (run, *others)}
            # Something that does not belong there goes, too.
            await client.set(f"earlywarn:{run}:left-over", "of an older layout")
            rebuilt = await rebuild(client, projection(client, run), [0, 1], read)
            assert rebuilt.removed == len(before[run]) + 1
            assert rebuilt.records == sum(map(len, TOPICS.values()))
            assert {one: await dump_of(client, one, ranks=True) for one in (run, *others)} == before
            assert await client.get(f"earlywarn:{run}") == b"a key of somebody else"

    asyncio.run(scenario())


def test_detectors_may_run_on_during_a_rebuild(settings: RedisSettings, new_run: Callable[[], str]) -> None:
    run = new_run()

    async def scenario() -> None:
        async with connect(settings) as client:
            rebuilt = asyncio.Event()
            started = asyncio.Event()

            async def live(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
                """Yield record by record, and the news of silence, until the rebuild is over."""
                for record in TOPICS[kind, partition]:
                    if record[0] >= position:
                        yield [record]
                        if record == TOPICS[kind, partition][20]:
                            started.set()
                while not rebuilt.is_set():
                    yield []

            async def rebuild_thrice() -> None:
                await started.wait()
                for _ in range(3):
                    await rebuild(client, projection(client, run), [0, 1], read)
                rebuilt.set()

            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(project_run(projection(client, run), [0, 1], live))
                group.create_task(rebuild_thrice())
            await project_run(projection(client, run), [0, 1], read)
            assert await dump_of(client, run) == expected_dump(run, TOPICS)

    asyncio.run(scenario())


def test_a_removal_cut_short_keeps_everyone_out_until_the_next_one_ends_it(
    settings: RedisSettings, new_run: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    monkeypatch.setattr(rebuilding, "_KEYS_PER_CALL", 20)

    async def scenario() -> None:
        async with connect(settings) as client:
            await project_run(projection(client, run), [0, 1], read)
            half = rebuilding._Removal(client, RunLayout(run), outages())
            await half.begin()
            batches = half.keys()
            await half.remove(await anext(batches))

            waiting = asyncio.Event()

            async def sleep(seconds: float) -> None:
                waiting.set()
                await asyncio.sleep(seconds)

            told = Outages("test", backoff=Backoff(first_seconds=0.002), timing=Timing(sleep=sleep))
            one = RedisProjection(client, RunTopics(run), stream_length=10_000, outages=told)
            writer = asyncio.create_task(project_run(one, [0, 1], read))
            async with asyncio.timeout(60):
                await waiting.wait()
                left = await dump_of(client, run, ranks=True)
                assert await remove_run(client, RunLayout(run), outages()) == len(left)
                await writer
            assert await dump_of(client, run) == expected_dump(run, TOPICS)
            # The first one wakes up late: its mark is gone, and it removes nothing more.
            with pytest.raises(LogError, match="another `rebuild-redis` took over"):
                await half.remove(await anext(batches))
            await batches.aclose()
            assert await half.end() == 0
            assert await dump_of(client, run) == expected_dump(run, TOPICS)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["aggregates", "alerts"])
def test_nothing_is_written_while_a_run_is_being_removed(
    settings: RedisSettings, new_run: Callable[[], str], kind: TopicKind
) -> None:
    run = new_run()
    records = TOPICS[kind, 0]

    async def scenario() -> None:
        async with connect(settings) as client:
            waiting = asyncio.Event()

            async def sleep(seconds: float) -> None:
                waiting.set()
                await asyncio.sleep(seconds)

            told = Outages("test", backoff=Backoff(first_seconds=0.002), timing=Timing(sleep=sleep))
            one = RedisProjection(client, RunTopics(run), stream_length=10_000, outages=told)
            position = await one.apply(0, kind, records[:20], since=0)
            removal = rebuilding._Removal(client, RunLayout(run), outages())
            await removal.begin()
            before = await dump_of(client, run)
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                writer = group.create_task(one.apply(0, kind, records[20:], since=position))
                await waiting.wait()
                assert await dump_of(client, run) == before
                async for keys in removal.keys():
                    await removal.remove(keys)
                assert list(await dump_of(client, run)) == [f"earlywarn:{run}:positions"]
                await removal.end()
            assert writer.result() == 0
            assert await dump_of(client, run) == {}

    asyncio.run(scenario())


def test_what_was_made_of_other_logs_is_refused_until_it_is_rebuilt(
    settings: RedisSettings, new_run: Callable[[], str]
) -> None:
    """Topics that were deleted and made anew under their names: longer than before, positions would not tell."""
    run = new_run()
    before: dict[TopicKind, str] = {"aggregates": "first-a", "alerts": "first-b"}
    after: dict[TopicKind, str] = {"aggregates": "first-a", "alerts": "second-b"}

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            for _ in range(2):
                await one.claim(before)
                await project_run(one, [0, 1], read)
            with pytest.raises(
                LogError, match=r"alerts: was deleted and made anew .*its id was first-b, it is second-b"
            ):
                await one.claim(after)
            await one.claim(before)
            await rebuild(client, one, [0, 1], read, after)
            await one.claim(after)
            with pytest.raises(LogError, match="run: earlywarn rebuild-redis"):
                await one.claim(before)

    asyncio.run(scenario())
