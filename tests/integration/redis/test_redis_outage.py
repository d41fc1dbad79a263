"""A Redis that is away, hangs or is full: what is written there is delayed, and complete when it is back."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis_records import alert_records, dump_of, expected_dump, row_records, source_of

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import connect, memory_limits
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Backoff, Outages, Timing
from earlywarn.adapters.redis.projection import CallLimits, RedisProjection, project, project_run
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import ConfigError

TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(61, buckets=60),
    ("alerts", 0): alert_records(61, count=200),
}
DEADLINE_SECONDS = 60
read = source_of(TOPICS, step=9)


def outages(**timing: Callable) -> Outages:
    return Outages("test", backoff=Backoff(first_seconds=0.01, most_seconds=0.05), timing=Timing(**timing))


def projection(client: Redis, run: str, waiting: Outages) -> RedisProjection:
    return RedisProjection(client, RunTopics(run), stream_length=10_000, outages=waiting)


def test_an_outage_delays_and_loses_nothing(executable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    local = LocalRedis(executable, tmp_path / "redis")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 6:
            await asyncio.to_thread(local.start)

    async def interrupted(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
        count = 0
        async for records in read(kind, partition, position):
            count += 1
            if count == 4:
                await asyncio.to_thread(local.stop)
            yield records

    async def scenario() -> None:
        waiting = outages(sleep=sleep, chance=lambda: 1.0)
        async with connect(RedisSettings(url=local.url)) as client, asyncio.timeout(DEADLINE_SECONDS):
            await project(projection(client, "live", waiting), 0, "alerts", interrupted)
            expected = {("alerts", 0): TOPICS["alerts", 0]}
            assert await dump_of(client, "live") == expected_dump("live", expected)
        assert waiting.seconds == 0.0

    with local, caplog.at_level(logging.WARNING, "earlywarn"):
        asyncio.run(scenario())
    assert waits[:6] == [0.01, 0.02, 0.04, 0.05, 0.05, 0.05]
    messages = [record.message for record in caplog.records]
    assert len([message for message in messages if "cannot be written to" in message]) == 1
    assert len([message for message in messages if "written to again" in message]) == 1


def test_a_server_that_hangs_is_waited_for(executable: Path, tmp_path: Path) -> None:
    local = LocalRedis(executable, tmp_path / "redis")
    reasons = []

    async def sleep(seconds: float) -> None:
        reasons.append(seconds)
        local.process.send_signal(signal.SIGCONT)

    async def scenario() -> None:
        async with connect(RedisSettings(url=f"{local.url}?socket_timeout=0.2")) as client:
            one = projection(client, "live", outages(sleep=sleep))
            await one.positions(0)
            local.process.send_signal(signal.SIGSTOP)
            records = TOPICS["aggregates", 0]
            assert await one.apply(0, "aggregates", records, since=0) == records[-1][0] + 1
            expected = {("aggregates", 0): records}
            assert await dump_of(client, "live") == expected_dump("live", expected)

    with local:
        asyncio.run(scenario())
    assert reasons


def test_a_redis_whose_memory_is_full_is_waited_for_and_named_with_the_way_out(
    executable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    local = LocalRedis(executable, tmp_path / "redis")
    waited = []

    async def scenario() -> None:
        async with connect(RedisSettings(url=local.url)) as client:

            async def sleep(seconds: float) -> None:
                waited.append(seconds)
                await client.config_set("maxmemory", "100mb")

            await client.set("ballast", b"x" * (3 << 20))
            await client.config_set("maxmemory", "2mb")
            waiting = Outages("test", timing=Timing(sleep=sleep), memory=lambda: memory_limits(client))
            one = projection(client, "live", waiting)
            await project_run(one, [0], read)
            assert await dump_of(client, "live") == expected_dump("live", TOPICS)

    with local, caplog.at_level(logging.WARNING, "earlywarn"):
        asyncio.run(scenario())
    assert waited
    assert caplog.records[0].message == (
        "Redis at test cannot be written to: its memory is full (maxmemory is 2,097,152 bytes, maxmemory-policy "
        "noeviction); raise maxmemory (redis-cli CONFIG SET maxmemory, and in redis.conf), or remove what nobody needs "
        "any more (docs/redis.md, Memory); waiting"
    )


def test_waiting_can_be_cancelled_and_bounded(tmp_path: Path) -> None:
    settings = RedisSettings(url=f"unix://{tmp_path}/nobody.sock")

    async def cancelled() -> None:
        waiting = asyncio.Event()

        async def sleep(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        async with connect(settings) as client:
            task = asyncio.create_task(projection(client, "live", outages(sleep=sleep)).positions(0))
            async with asyncio.timeout(DEADLINE_SECONDS):
                await waiting.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    async def bounded() -> None:
        now = [100.0]

        async def sleep(seconds: float) -> None:
            now[0] += seconds

        impatient = Outages("test", patience_seconds=20, timing=Timing(clock=lambda: now[0], sleep=sleep))
        async with connect(settings) as client:
            with pytest.raises(ConfigError, match=r"test has been away for 2\d s .*nothing is lost"):
                await projection(client, "live", impatient).positions(0)

    asyncio.run(cancelled())
    asyncio.run(bounded())


@pytest.mark.parametrize("hangs", ["stopped", "paused"])
def test_a_server_that_hangs_is_noticed_within_the_time_of_one_answer(
    executable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, hangs: str
) -> None:
    """Not after that of all repeats: whoever asks for readiness hears of it within ten seconds."""
    local = LocalRedis(executable, tmp_path / "redis")

    async def scenario() -> None:
        noticed = asyncio.Event()

        async def sleep(seconds: float) -> None:
            noticed.set()
            await asyncio.sleep(seconds)

        async with connect(RedisSettings(url=local.url)) as client, connect(RedisSettings(url=local.url)) as other:
            waiting = outages(sleep=sleep)
            one = projection(client, "live", waiting)
            await one.positions(0)
            if hangs == "stopped":
                local.process.send_signal(signal.SIGSTOP)
            else:
                await other.execute_command("CLIENT", "PAUSE", 7_000, "ALL")
            asking = asyncio.create_task(one.positions(0))
            async with asyncio.timeout(8):
                await noticed.wait()
            assert waiting.seconds > 4  # since it was called
            local.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(DEADLINE_SECONDS):
                await asking
            assert waiting.seconds == 0.0

    with local, caplog.at_level(logging.WARNING, "earlywarn"):
        asyncio.run(scenario())
    told, back = [record.message for record in caplog.records]
    assert "Timeout" in told
    assert "can be written to again" in back


def test_the_largest_call_is_answered_long_before_a_server_is_taken_to_hang(executable: Path, tmp_path: Path) -> None:
    """Whatever the panel: one call carries so many rows at most, and has a fifth of the usual time here."""
    rows = row_records(62, buckets=2, series=2 * CallLimits().rows)
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def scenario() -> None:
        async with connect(RedisSettings(url=f"{local.url}?socket_timeout=1")) as client:
            one = projection(client, "live", outages(sleep=sleep))
            assert await one.apply(0, "aggregates", rows, since=0) == rows[-1][0] + 1

    with LocalRedis(executable, tmp_path / "redis") as local:
        asyncio.run(scenario())
    assert waited == []
