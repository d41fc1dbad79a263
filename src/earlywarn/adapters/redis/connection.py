"""From the settings of Redis to a client: TLS, the ACL's user, time limits, and errors that say what to change.

Options of redis-py that are no setting can stand in the address: `redis://host:6379/0?socket_timeout=2`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import EqualJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    ConnectionError,  # noqa: A004  # this is the one that is meant
    RedisError,
)
from redis.retry import Retry

from earlywarn.adapters.redis.outage import explained
from earlywarn.application.environment import read_secret
from earlywarn.application.service_settings import RedisSettings
from earlywarn.application.tls_files import problems_of
from earlywarn.errors import ConfigError

LEAST_VERSION = (6, 2)
"""The oldest server that has ZRANGE with BYSCORE, REV and LIMIT."""

_ANSWER_SECONDS = 5.0
_CONNECT_SECONDS = 3.0
_IDLE_CHECK_SECONDS = 30
_REPEATS = 2
"""Few and short: they bridge a connection that died in the pool. Longer outages are waited out in `outage`."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself.

    run_id: another one after every start; evicted_keys: how many it has dropped since then, for want of memory.
    """

    version: str
    maxmemory_policy: str
    maxmemory: int
    clustered: bool
    run_id: str
    evicted_keys: int

    @property
    def known(self) -> str:
        """Return what it has dropped so far, as text."""
        return f"{self.run_id}/{self.evicted_keys}"

    @property
    def drops_any_key(self) -> bool:
        """Return whether it drops whatever key when memory is short."""
        return self.maxmemory > 0 and self.maxmemory_policy.startswith("allkeys")

    @property
    def drops_volatile_keys_alone(self) -> bool:
        """Return whether it drops keys with a time to live, and no others."""
        return self.maxmemory_policy.startswith("volatile")


class FileCredentials(CredentialProvider):
    """A user whose password is read from its file for every new connection, so that it can be rotated.

    Raises:
        ConfigError: the file cannot be read, or is empty.
    """

    def __init__(self, username: str, path: Path) -> None:
        self._username = username
        self._path = path
        self.get_credentials()

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return user name and password, or the password of the default user."""
        try:
            password = read_secret(self._path)
        except ConfigError as error:
            raise ConfigError(f"redis.password_file = {str(self._path)!r}: {error}") from error
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Return the same; to read one line holds no loop up."""
        return self.get_credentials()


def connect(settings: RedisSettings, *, connections: int = 8) -> redis_asyncio.Redis:
    """Return a client for asyncio; it connects when it is first used, and is closed by `aclose()`.

    What is not answered in time is not repeated by it: `outage` has to hear of a server that hangs, and repeats it.

    Args:
        settings: With an address; `server.RedisServer.settings` has one always.
        connections: At most so many at once; a call waits for a free one.

    Raises:
        ConfigError: a setting cannot be used.
    """
    options = _options(settings) | {"retry": AsyncRetry(EqualJitterBackoff(), _REPEATS, (ConnectionError,))}
    with _usable(settings.url):
        pool = redis_asyncio.BlockingConnectionPool.from_url(settings.url, max_connections=connections, **options)
        pool.connection_class(**pool.connection_kwargs)
    return redis_asyncio.Redis.from_pool(pool)


def connect_blocking(settings: RedisSettings, *, connections: int = 2) -> redis.Redis:
    """Return a client for code without a loop, closed by `close()`; otherwise as `connect`.

    Nobody waits an outage out around it, so that it repeats what is not answered in time as well.

    Raises:
        ConfigError: a setting cannot be used.
    """
    options = _options(settings) | {"retry": Retry(EqualJitterBackoff(), _REPEATS)}
    with _usable(settings.url):
        pool = redis.BlockingConnectionPool.from_url(settings.url, max_connections=connections, **options)
        pool.connection_class(**pool.connection_kwargs)
    return redis.Redis.from_pool(pool)


def check_address(url: str) -> None:
    """See that an address can be used, without connecting.

    Raises:
        ConfigError: it cannot: another path than the number of a database, or an option that redis-py does not know.
    """
    connect(RedisSettings(url=url))


@contextmanager
def _usable(url: str) -> Iterator[None]:
    """Say what is wrong with an address in what is made of it within: redis-py finds some of it when it connects."""
    parts = urlsplit(url)
    number = parts.path.strip("/")
    if parts.scheme != "unix" and number and not (number.isascii() and number.isdigit()):
        raise ConfigError(
            f"redis.url = {url!r}: {number!r} is no number of a database; give {parts.scheme}://{parts.netloc}/0"
        )
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"redis.url = {url!r}: {error}") from error
    except TypeError as error:  # of a connection that is given an argument it does not have
        name = str(error).rpartition("argument ")[2]
        raise ConfigError(
            f"redis.url = {url!r}: redis-py has no option {name}; options that may follow ? are such as "
            "?socket_timeout=2 (docs/redis.md)"
        ) from error


def _options(settings: RedisSettings) -> dict[str, Any]:
    if not settings.url:
        raise ConfigError("redis.url is empty: give redis://, rediss:// or unix://, or set REDIS_URL")
    options: dict[str, Any] = {
        "socket_timeout": _ANSWER_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "health_check_interval": _IDLE_CHECK_SECONDS,
        "timeout": _ANSWER_SECONDS,
        "protocol": 2,  # replies have the same shape in every version of redis-py
    }
    if settings.password_file:
        options["credential_provider"] = FileCredentials(settings.username, Path(settings.password_file))
    elif settings.password:
        options |= {"username": settings.username or None, "password": settings.password.reveal()}
    if urlsplit(settings.url).scheme == "rediss":
        problems = problems_of(settings.ca_file, settings.certificate_file, settings.key_file)
        if lines := [f"redis.{problem}" for _, problem in problems]:
            raise ConfigError("\n".join(lines))
        files = {
            "ssl_ca_certs": settings.ca_file,
            "ssl_certfile": settings.certificate_file,
            "ssl_keyfile": settings.key_file,
        }
        options |= {option: file for option, file in files.items() if file}
    return options


async def check_server(client: redis_asyncio.Redis, server: str) -> ServerFacts:
    """Ask a server what it is, and refuse one that would lose or misplace state.

    Args:
        client: Of `connect`.
        server: What people call it.

    Raises:
        ConfigError: it does not answer, refuses the user, is too old, a cluster, or drops keys when memory is short.
    """
    try:
        facts = facts_of(await client.info())
    except RedisError as error:
        raise explained(error, server) from error
    refuse_unfit(facts, server)
    return facts


async def memory_limits(client: redis_asyncio.Redis) -> str:
    """Return how much memory a server may take, and what it does at the limit, in words.

    Raises:
        redis.exceptions.RedisError: it does not answer.
    """
    facts = facts_of(await client.info())
    return f"maxmemory is {facts.maxmemory:,} bytes, maxmemory-policy {facts.maxmemory_policy}"


def facts_of(info: Mapping[str, Any]) -> ServerFacts:
    """Return what a server has answered to INFO."""
    return ServerFacts(
        version=str(info["redis_version"]),
        maxmemory_policy=str(info.get("maxmemory_policy", "noeviction")),
        maxmemory=int(info.get("maxmemory", 0)),
        clustered=bool(info.get("cluster_enabled")),
        run_id=str(info.get("run_id", "")),
        evicted_keys=int(info.get("evicted_keys", 0)),
    )


def refuse_unfit(facts: ServerFacts, server: str) -> None:
    """Refuse a server that would lose or misplace state.

    Raises:
        ConfigError: it is too old, a cluster, or drops keys when memory is short.
    """
    if tuple(int(part) for part in facts.version.split(".")[:2]) < LEAST_VERSION:
        raise ConfigError(f"Redis at {server} is version {facts.version}; 6.2 or newer is needed")
    if facts.clustered:
        raise ConfigError(
            f"Redis at {server} is a cluster, which spreads the keys of one atomic step over its nodes; "
            "give a single primary (with replicas, if you like)"
        )
    if facts.drops_any_key:
        raise ConfigError(
            f"Redis at {server} drops keys when memory is short (maxmemory-policy {facts.maxmemory_policy}), and a "
            "dropped key does not come back by itself; set noeviction, or a policy of volatile keys"
        )
