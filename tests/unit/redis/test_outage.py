"""Waiting for Redis, on a clock of the test's own."""

import asyncio
import logging
from itertools import pairwise

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004  # this is the one that is meant
    DataError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # likewise
)

from earlywarn.adapters.redis.outage import Backoff, Outages, RemovalUnderWayError, Timing, explained, is_outage
from earlywarn.errors import ConfigError


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def timing(self, chance: float = 1.0) -> Timing:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        return Timing(clock=lambda: self.now, sleep=sleep, chance=lambda: chance)


def failing(times: int, error: RedisError):  # noqa: ANN201  # a call
    left = [times]

    async def call() -> str:
        if left[0]:
            left[0] -= 1
            raise error
        return "done"

    return call


def test_the_wait_doubles_up_to_its_bound_and_half_of_it_is_chance() -> None:
    backoff = Backoff(first_seconds=0.1, most_seconds=5.0)
    longest = [backoff.seconds(n, 1.0) for n in range(1, 2000)]
    assert longest[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert set(longest[7:]) == {5.0}
    assert [backoff.seconds(n, 0.0) for n in range(1, 8)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5]
    assert all(before <= after for before, after in pairwise(longest))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionError("refused"), True),
        (TimeoutError("slow"), True),
        (BusyLoadingError("Redis is loading the dataset in memory"), True),
        (ReadOnlyError("You can't write against a read only replica."), True),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), True),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots, but is unable to persist on disk"), True),
        (ResponseError("BUSY Redis is busy running a script."), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("Error running script: @user_script:3: OOM command not allowed when used memory"), True),
        (RemovalUnderWayError("being removed"), True),
        (AuthenticationError("invalid username-password pair"), False),
        (NoPermissionError("this user has no permissions"), False),
        (NoScriptError("No matching script."), True),  # flushed once more, between loading and calling
        (ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), False),
        (DataError("invalid input"), False),
    ],
)
def test_what_may_pass_by_itself_is_waited_for(error: RedisError, *, passes: bool) -> None:
    assert is_outage(error) == passes


def test_a_refusal_wrapped_by_the_connection_is_still_a_refusal() -> None:
    error = ConnectionError("invalid username-password pair")
    error.__cause__ = AuthenticationError("invalid username-password pair")
    assert not is_outage(error)
    with pytest.raises(ConfigError, match="refuses the user: invalid username-password pair; check redis.username"):
        asyncio.run(Outages("test", timing=Clock().timing()).wait_out(failing(1, error)))


def test_what_does_not_pass_says_what_to_do() -> None:
    outages = Outages("here", timing=Clock().timing())
    for error, message in (
        (NoPermissionError("no permissions to run 'hset'"), r"here forbids it: .*'hset'.*docs/redis\.md"),
        (ResponseError("WRONGTYPE Operation against a key"), r"here cannot do it: WRONGTYPE .*rebuild-redis"),
    ):
        with pytest.raises(ConfigError, match=message):
            asyncio.run(outages.wait_out(failing(1, error)))


def test_it_repeats_until_there_is_an_answer_and_starts_anew_after_it(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outages = Outages("here", backoff=Backoff(first_seconds=1, most_seconds=20), log_seconds=30, timing=clock.timing())
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(outages.wait_out(failing(6, ConnectionError("refused")))) == "done"
        assert clock.slept == [1, 2, 4, 8, 16, 20]
        assert outages.seconds == 0.0
        assert asyncio.run(outages.wait_out(failing(1, TimeoutError("slow")))) == "done"
        assert clock.slept[6:] == [1]
    assert [record.message for record in caplog.records] == [
        "Redis at here cannot be written to: refused; waiting",
        "Redis at here cannot be written to: refused; waiting",
        "Redis at here can be written to again, after 51.0 s",
        "Redis at here cannot be written to: slow; waiting",
        "Redis at here can be written to again, after 1.0 s",
    ]


def test_what_is_answered_meanwhile_ends_no_outage_of_what_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is full answers those who read."""
    clock = Clock()
    seen = []

    async def scenario() -> None:
        async def sleep(seconds: float) -> None:
            clock.now += seconds
            assert await outages.wait_out(failing(0, ReadOnlyError())) == "done"
            seen.append(outages.seconds)

        timing = Timing(clock=lambda: clock.now, sleep=sleep, chance=lambda: 1.0)
        outages = Outages("here", backoff=Backoff(first_seconds=1), timing=timing)
        assert await outages.wait_out(failing(3, OutOfMemoryError("command not allowed"))) == "done"
        assert outages.seconds == 0.0

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert seen == [1, 3, 7]
    told, again = [record.message for record in caplog.records]
    assert "its memory is full; raise maxmemory" in told
    assert again == "Redis at here can be written to again, after 7.0 s"


def test_it_knows_for_how_long_redis_has_been_away() -> None:
    clock = Clock()
    seen = []

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        seen.append(outages.seconds)

    outages = Outages(
        "test",
        backoff=Backoff(first_seconds=1),
        timing=Timing(clock=lambda: clock.now, sleep=sleep, chance=lambda: 1.0),
    )
    asyncio.run(outages.wait_out(failing(3, ConnectionError("refused"))))
    assert seen == [1, 3, 7]


def test_patience_ends() -> None:
    clock = Clock()
    outages = Outages("test", patience_seconds=10, timing=clock.timing())
    with pytest.raises(ConfigError, match=r"away for 1\d s \(refused\).*nothing is lost"):
        asyncio.run(outages.wait_out(failing(100, ConnectionError("refused"))))
    assert 10 <= sum(clock.slept) <= 15


def test_a_cancellation_the_client_swallowed_still_counts() -> None:
    """redis-py 8.1 swallows one that comes while it closes a broken connection."""

    async def scenario() -> None:
        under_way = asyncio.Event()

        async def call() -> None:
            under_way.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ConnectionError("closed by server") from None

        task = asyncio.create_task(Outages("test").wait_out(call))
        await under_way.wait()
        task.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())


def test_a_database_that_the_server_does_not_have_is_told_as_that() -> None:
    """Not as what somebody else wrote there."""
    told = str(explained(ResponseError("DB index is out of range"), "redis://localhost:6379/99"))
    assert told == (
        "Redis at redis://localhost:6379/99 has no database of that number (CONFIG GET databases); mend redis.url"
    )
