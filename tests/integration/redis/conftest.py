"""A redis-server on a Unix socket, real and one's own."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.service_settings import RedisSettings


@pytest.fixture(scope="session")
def executable() -> Path:
    found = shutil.which("redis-server")
    assert found, "these tests need a redis-server on the PATH (Debian: apt-get install redis-server)"
    return Path(found)


@pytest.fixture(scope="module")
def server(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    with LocalRedis(executable, tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def settings(server: LocalRedis) -> RedisSettings:
    return RedisSettings(url=server.url)


@pytest.fixture(scope="module")
def new_run() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"run-{next(numbers)}"
