"""The projector beside the fold: what makes a detector ready, and what ends it."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from redis_records import row_records

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import check_server, connect
from earlywarn.adapters.redis.layout import TOPIC_KINDS, TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RecordSource, RedisProjection
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.adapters.stream import projector as projector_module
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.projector import Projector
from earlywarn.application.environment import Secret
from earlywarn.application.service_settings import RedisSettings


async def nothing_new(_kind: TopicKind, _q: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
    if not position:
        yield row_records(3, buckets=1) if _kind == "aggregates" else []
    while True:
        await asyncio.sleep(0.05)
        yield []


async def broken(_kind: TopicKind, _q: int, _position: int) -> AsyncGenerator[Sequence[Record], None]:
    raise TypeError("nobody has thought of it")
    yield []


class Same:
    """Logs that stay the same."""

    def check(self) -> dict[TopicKind, str]:
        return dict.fromkeys(TOPIC_KINDS, "one")

    async def confirmed(self) -> None:
        pass


@asynccontextmanager
async def projecting(
    settings: RedisSettings, run: str, read: RecordSource
) -> AsyncGenerator[tuple[Projector, Failure], None]:
    client, failure = connect(settings), Failure()
    projection = RedisProjection(client, RunTopics(run), stream_length=100, outages=Outages(settings.url))
    projector = Projector(projection, lambda: check_server(client, settings.url), read, Same, failure)  # type: ignore[arg-type]
    try:
        yield projector, failure
    finally:
        projector.stop()
        await asyncio.sleep(0.1)  # it comes to its end
        await client.aclose()


@pytest.mark.parametrize("partitions", [[0], []], ids=["a worker", "a spare one"])
def test_it_works_when_redis_has_answered_and_not_before(
    server: LocalRedis, settings: RedisSettings, new_run: Callable[[], str], partitions: list[int]
) -> None:
    async def live() -> None:
        async with projecting(settings, new_run(), nothing_new) as (projector, _):
            assert projector.works  # it is given nothing yet
            server.process.send_signal(signal.SIGSTOP)
            try:
                projector.own(partitions)
                for _ in range(10):
                    await asyncio.sleep(0.05)
                    assert not projector.works
            finally:
                server.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(20):
                while not projector.works:  # noqa: ASYNC110  # it has no event
                    await asyncio.sleep(0.05)

    asyncio.run(live())


def test_a_refusal_that_is_mended_is_told(
    settings: RedisSettings,
    new_run: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once, when Redis has answered; who had no trouble is told nothing."""
    monkeypatch.setattr(projector_module, "_RETRY_SECONDS", 0.1)
    wanted = RedisSettings(url=settings.url, username="detector", password=Secret("new"))

    async def give(password: str) -> None:
        async with connect(settings) as admin:
            await admin.execute_command(
                "ACL", "SETUSER", "detector", "reset", "on", f">{password}", "~*", "&*", "+@all"
            )

    async def live() -> None:
        await give("old")
        async with projecting(wanted, new_run(), nothing_new) as (projector, _), asyncio.timeout(20):
            projector.own([0])
            while "refuses the user" not in projector.trouble:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.05)
            await give("new")
            while not projector.works:  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0.05)

    with caplog.at_level(logging.WARNING):
        asyncio.run(live())
    assert [line for line in caplog.messages if "not" not in line] == ["Redis is kept up to date again"]


def test_an_error_that_nobody_has_thought_of_is_a_failure_of_the_worker(
    settings: RedisSettings, new_run: Callable[[], str]
) -> None:
    async def live() -> None:
        async with projecting(settings, new_run(), broken) as (projector, failure):
            projector.own([0])
            with pytest.raises(TypeError, match="nobody has thought of it"):
                await asyncio.wait_for(failure.raised(), 20)

    asyncio.run(live())
