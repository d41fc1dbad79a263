"""Waiting for a Redis that is away: an outage delays the projection, and loses nothing.

What is called must be safe to repeat; every script of the projection is, since it checks and moves the position.
"""

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # noqa: A004  # this is the one that is meant
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # likewise
)

from earlywarn.errors import ConfigError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_AWAY_CODES = re.compile(r"\b(MISCONF|BUSY|OOM|READONLY|LOADING|MASTERDOWN|NOREPLICAS)\b")
"""Answers of a server that cannot write now and may later: disk or memory full, a replica, still loading."""
_FULL = re.compile(r"\bOOM\b")


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait after each failure: doubling up to a bound, half of it by chance.

    The chance spreads the workers that all lost the same server.

    first_seconds: after the first failure, at most.
    most_seconds: after any failure, at most.
    """

    first_seconds: float = 0.1
    most_seconds: float = 5.0

    def seconds(self, failures: int, chance: float) -> float:
        """Return the wait after the n-th failure in a row (from 1), with `chance` in 0..1.

        >>> Backoff().seconds(3, chance=0.5)
        0.3
        """
        most = min(self.most_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return round(most / 2 + chance * most / 2, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time and chance, given from outside so that a test decides them.

    clock: seconds of a clock that never goes back; sleep: waits seconds, can be cancelled; chance: 0..1.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class RemovalUnderWayError(RedisError):
    """The run is being removed from Redis; until that is over nothing is written there."""


class Outages:
    """Repeats a call until Redis answers; knows since when it has not (for probes and metrics).

    Of calls that are made at once an outage lasts until none is left that has failed: a server that is full, say, takes
    no writes, and answers reads all the same.

    Args:
        server: What people call the server, without secrets.
        patience_seconds: Gives up after an outage of that length; a service never does.
        log_seconds: At most one line of log in that time while an outage lasts.
        memory: Asks the server how much memory it may take (`connection.memory_limits`), for one that is full.
    """

    def __init__(
        self,
        server: str,
        *,
        backoff: Backoff | None = None,
        patience_seconds: float = math.inf,
        log_seconds: float = 30.0,
        memory: Callable[[], Awaitable[str]] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.server = server
        self.backoff = backoff or Backoff()
        self.patience_seconds = patience_seconds
        self.log_seconds = log_seconds
        self.failures = 0
        self._memory = memory
        self._timing = timing or Timing()
        self._failing = 0
        self._began: float | None = None
        self._logged = -math.inf

    @property
    def seconds(self) -> float:
        """Return how long Redis has been away; 0 while it answers."""
        return 0.0 if self._began is None else self._timing.clock() - self._began

    async def wait_out(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `call` returns, waiting and repeating it while Redis is away. It can be cancelled.

        Raises:
            ConfigError: Redis was away longer than `patience_seconds`, or answered what repeating would not
                change: it refuses the user, forbids a command or a key, or holds something else there.
        """
        failed = False
        try:
            while True:
                called = self._timing.clock()
                try:
                    result = await call()
                    break
                except RedisError as error:
                    if not is_outage(error):
                        raise explained(error, self.server) from error
                    task = asyncio.current_task()
                    if task is not None and task.cancelling():
                        # redis-py (8.1) swallows a cancellation that comes while it closes a broken connection.
                        raise asyncio.CancelledError from error
                    self._failing += not failed
                    failed = True
                    await self._wait(await self._reason(error), called)
        finally:
            self._failing -= failed
        if not self._failing:
            self._over()
        return result

    async def _reason(self, error: RedisError) -> str:
        """Return what is told of an outage, for a server that is full with the way out."""
        if not _is_full(error):
            return str(error)
        limits = ""
        if self._memory is not None:
            with suppress(RedisError):
                limits = f" ({await self._memory()})"
        return (
            f"its memory is full{limits}; raise maxmemory (redis-cli CONFIG SET maxmemory, and in redis.conf), or "
            "remove what nobody needs any more (docs/redis.md, Memory)"
        )

    async def _wait(self, reason: str, called: float) -> None:
        """Wait after a failure of what was called then: a server that hangs has been away since, and not since now."""
        now = self._timing.clock()
        self._began = called if self._began is None else self._began
        self.failures += 1
        if now - self._began >= self.patience_seconds:
            raise ConfigError(
                f"Redis at {self.server} has been away for {now - self._began:.0f} s ({reason}); start it or mend "
                "redis.url, and run this again: nothing is lost, the topics hold everything"
            )
        if now - self._logged >= self.log_seconds:
            self._logged = now
            _log.warning("Redis at %s cannot be written to: %s; waiting", self.server, reason)
        await self._timing.sleep(self.backoff.seconds(self.failures, self._timing.chance()))

    def _over(self) -> None:
        if self._began is not None:
            _log.warning("Redis at %s can be written to again, after %.1f s", self.server, self.seconds)
        self._began, self.failures, self._logged = None, 0, -math.inf


_REFUSED = (AuthenticationError, AuthorizationError)
_AWAY = (
    ConnectionError, TimeoutError, ReadOnlyError, MasterDownError, OutOfMemoryError, NoScriptError,
    RemovalUnderWayError,
)  # fmt: skip


def is_outage(error: RedisError) -> bool:
    """Return whether an error may pass by itself: nobody answers, or the server cannot write now."""
    if _refusal(error) is not None:
        return False
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, ResponseError) and _AWAY_CODES.search(str(error)) is not None


def _is_full(error: RedisError) -> bool:
    """Return whether a server refuses to write for want of memory; the error may be one that a script passes on."""
    return isinstance(error, OutOfMemoryError) or (
        isinstance(error, ResponseError) and _FULL.search(str(error)) is not None
    )


def explained(error: RedisError, server: str) -> ConfigError:
    """Return an error as what to do about it."""
    if _refusal(error) is not None:
        return ConfigError(
            f"Redis at {server} refuses the user: {_refusal(error)}; check redis.username and redis.password (or "
            "password_file)"
        )
    if isinstance(error, NoPermissionError):
        return ConfigError(f"Redis at {server} forbids it: {error}; docs/redis.md lists the rights a user needs")
    if is_outage(error):
        return ConfigError(f"Redis at {server} cannot be reached: {error}; start it, or mend redis.url")
    if "DB index is out of range" in str(error):
        return ConfigError(f"Redis at {server} has no database of that number (CONFIG GET databases); mend redis.url")
    return ConfigError(
        f"Redis at {server} cannot do it: {error}; if somebody else wrote to the run's keys, run "
        "`earlywarn rebuild-redis`"
    )


def _refusal(error: RedisError) -> BaseException | None:
    """Return the server's refusal of the user; redis-py wraps it when it comes while connecting."""
    return next((each for each in (error, error.__cause__) if isinstance(each, _REFUSED)), None)
