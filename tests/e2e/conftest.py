"""The command line as a user has it: the installed program in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from command_line import PANEL, REPOSITORY, SAMPLE, Command
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from short_runs import MakeRun
from stream_run import StreamRun


@pytest.fixture(scope="session")
def earlywarn() -> Command:
    """Return a function that runs `earlywarn ARGS` and gives the finished process."""

    def run(*arguments: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "earlywarn", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=500)  # noqa: S603  # our own program

    return run


@pytest.fixture(scope="session")
def swiss_run(earlywarn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the Swiss sample once for all tests; return the folder of its results."""
    out = tmp_path_factory.mktemp("swiss")
    finished = earlywarn("run", SAMPLE, "--config", PANEL, "--mapping", "swiss-cards", "--out", out)
    assert finished.returncode == 0, finished.stderr
    return out


@pytest.fixture
def run(
    request: pytest.FixtureRequest, kafka: KafkaBroker, fresh_redis: RedisServer, tmp_path: Path
) -> Iterator[StreamRun]:
    """Return a run of the module's `SETTINGS` with a Redis of its own; its workers end with the test."""
    settings: str = request.module.SETTINGS
    with StreamRun(kafka.address, fresh_redis.url, tmp_path, settings, name=f"run-{uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def make_run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[MakeRun]:
    """Return a function that makes a run of some settings; its workers end with the test."""
    with ExitStack() as runs:

        def make(settings: str) -> StreamRun:
            name = f"run-{uuid4().hex[:12]}"
            return runs.enter_context(StreamRun(kafka.address, redis_server.url, tmp_path, settings, name=name))

        yield make
