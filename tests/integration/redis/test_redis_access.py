"""Who may do what, over what wire: users of least privilege as docs/redis.md lists them, passwords, TLS."""

import asyncio
import logging
import re
import socket
import subprocess
import traceback
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, NoPermissionError  # noqa: A004  # these are the ones meant
from redis_records import alert_records, dump_of, expected_dump, row_records, source_of
from typer.testing import CliRunner

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import check_server, connect, connect_blocking
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Backoff, Outages
from earlywarn.adapters.redis.projection import RedisProjection, project_run
from earlywarn.adapters.redis.reader import AlertFilter, RedisReader
from earlywarn.adapters.redis.rebuild import rebuild
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.environment import Secret
from earlywarn.application.service_settings import RedisSettings
from earlywarn.cli.app import app
from earlywarn.errors import ConfigError

DOCS = Path(__file__).parents[3] / "docs/redis.md"
TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(31, buckets=5),
    ("alerts", 0): alert_records(31, count=30),
}
PASSWORD = "s3cret-ä%@:/"  # noqa: S105  # of a server of this test


read = source_of(TOPICS, step=100)


def projection(client: Redis, run: str) -> RedisProjection:
    return RedisProjection(client, RunTopics(run), stream_length=100, outages=Outages("test", patience_seconds=0))


def documented_rules(user: str) -> list[str]:
    """Return the rules of a user as docs/redis.md tells people to set them."""
    found = re.search(rf"^ACL SETUSER {user} (.*?)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"docs/redis.md has no ACL SETUSER {user}"
    return found[1].replace("<password>", PASSWORD).replace("<run>", "live").split()


def test_the_documented_users_can_do_their_work_and_no_more(server: LocalRedis) -> None:
    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as admin:
            for user in ("earlywarn-detector", "earlywarn-feed"):
                await admin.execute_command("ACL", "SETUSER", user, *documented_rules(user))
            await admin.set("other", "of somebody else")
            await admin.set("earlywarn:other:positions", "of another run")
            await admin.acl_log_reset()
            detector = RedisSettings(url=server.url, username="earlywarn-detector", password=Secret(PASSWORD))
            feed = RedisSettings(url=server.url, username="earlywarn-feed", password=Secret(PASSWORD))

            async with connect(detector) as client:
                await check_server(client, "test")
                await project_run(projection(client, "live"), [0], read)
                await admin.script_flush()
                await rebuild(client, projection(client, "live"), [0], read)
                assert await dump_of(admin, "live") == expected_dump("live", TOPICS)
                for command in (
                    ["GET", "other"],
                    ["SET", "earlywarn:other:positions", "1"],
                    ["FLUSHALL"],
                    ["KEYS", "*"],
                ):
                    with pytest.raises(NoPermissionError):
                        await client.execute_command(*command)
                with pytest.raises(ConfigError, match=r"forbids it.*docs/redis\.md"):
                    await project_run(projection(client, "other"), [0], read)

            async with connect(feed) as client:
                await check_server(client, "test")
                reader = RedisReader(client, "live")
                assert await reader.latest("CH31", "hour")
                page = await reader.alerts(AlertFilter(), limit=100)
                assert await reader.alert(page.alerts[0].id) == page.alerts[0]
                last = await reader.last_sequence(0)
                revisions = await reader.revisions(0, last - 1, limit=5, wait_milliseconds=1)
                assert [entry.sequence for entry in revisions.entries] == [last]
                before = await dump_of(admin, "live", ranks=True)
                with pytest.raises(ConfigError, match="forbids it"):
                    await project_run(projection(client, "live"), [0], _one_more)
                for command in (["HSET", "earlywarn:live:positions", "alerts:0", "0"], ["EVAL", "return 1", "0"]):
                    with pytest.raises(NoPermissionError):
                        await client.execute_command(*command)
                assert await dump_of(admin, "live", ranks=True) == before
            denied = {entry["object"] for entry in await admin.acl_log() if entry["reason"] == "command"}
            assert denied <= {"client|setinfo", "get", "set", "flushall", "keys", "hmget", "hset", "eval"}

    asyncio.run(scenario())


async def _one_more(kind: TopicKind, _: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
    yield [(position, TOPICS[kind, 0][-1][1])]


def test_a_wrong_password_is_a_clear_error_that_does_not_show_it(
    server: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = RedisSettings(url=server.url, username="nobody", password=Secret("wr0ng-password"))

    async def scenario() -> None:
        async with connect(wrong) as client:
            outages = Outages(wrong.url, backoff=Backoff())
            await RedisProjection(client, RunTopics("live"), stream_length=1, outages=outages).positions(0)

    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match="refuses the user.*redis.username") as raised:
        asyncio.run(scenario())
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text + str(wrong) + repr(wrong)
    assert "wr0ng-password" not in shown


def test_a_password_file_is_read_for_every_connection(executable: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    with LocalRedis(executable, tmp_path / "redis", ["--requirepass", "first"]) as local:
        settings = RedisSettings(url=local.url, password=Secret("first"), password_file=str(file))

        async def scenario() -> None:
            async with connect(settings) as client:
                assert await client.ping()
                await client.config_set("requirepass", "second")
                file.write_text("second\n")
                await client.connection_pool.disconnect()
                assert await client.ping()
            file.write_text("")
            with pytest.raises(ConfigError, match="password_file.*is empty"):
                connect(settings)

        asyncio.run(scenario())
        file.write_text("second")
        with connect_blocking(settings) as client:
            assert client.ping()


def test_settings_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    cases = [
        (RedisSettings(), "redis.url is empty"),
        (RedisSettings(url="redis://localhost", password_file=f"{tmp_path}/none"), "password_file.*cannot be read"),
        (
            RedisSettings(url="rediss://localhost", ca_file=f"{tmp_path}/none"),
            "ca_file.*holds no certificates.*No such file",
        ),
        (RedisSettings(url="redis://localhost?socket_timeout=long"), "redis.url.*socket_timeout"),
    ]
    for settings, message in cases:
        for connecting in (connect, connect_blocking):
            with pytest.raises(ConfigError, match=message):
                connecting(settings)


def make_certificates(folder: Path) -> None:
    """Make a certificate authority, and with it a certificate of localhost and one of a client."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607  # fixed

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority of this test")  # fmt: skip
    for name in ("localhost", "client"):
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://localhost:6379/0?foo=bar", "redis-py has no option 'foo'"),
        ("redis://localhost:6379/abc", "'abc' is no number of a database; give redis://localhost:6379/0"),
        ("redis://localhost:6379/0?socket_timeout=soon", "Invalid value for 'socket_timeout'"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anybody_connects(url: str, said: str) -> None:
    for use in (connect, connect_blocking):
        with pytest.raises(ConfigError, match=re.escape(f"redis.url = {url!r}: {said}")):
            use(RedisSettings(url=url))
    panels = '[{ id = "CH", countries = ["CH"] }]'
    checked = CliRunner().invoke(app, ["config", "check"], env={"EARLYWARN_PANELS": panels, "REDIS_URL": url})
    assert isinstance(checked.exception, ConfigError)
    assert said in str(checked.exception)


def test_tls_with_certificates_of_both_sides(executable: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    port = free_port()
    arguments = (
        "--tls-port", str(port), "--bind", "127.0.0.1", "--tls-ca-cert-file", str(tmp_path / "ca.pem"),
        "--tls-cert-file", str(tmp_path / "localhost.pem"), "--tls-key-file", str(tmp_path / "localhost.key"),
    )  # fmt: skip
    url = f"rediss://localhost:{port}/0"
    ca = str(tmp_path / "ca.pem")
    mine = {"certificate_file": str(tmp_path / "client.pem"), "key_file": str(tmp_path / "client.key")}
    theirs = {"certificate_file": str(other / "client.pem"), "key_file": str(other / "client.key")}

    async def project_over(settings: RedisSettings) -> None:
        async with connect(settings) as client:
            await project_run(projection(client, "live"), [0], read)
            assert await dump_of(client, "live") == expected_dump("live", TOPICS)

    async def refused(settings: RedisSettings) -> str:
        async with connect(settings) as client:
            with pytest.raises(ConnectionError) as raised:
                await client.ping()
            return str(raised.value)

    with LocalRedis(executable, tmp_path / "redis", arguments):
        asyncio.run(project_over(RedisSettings(url=url, ca_file=ca, **mine)))
        with connect_blocking(RedisSettings(url=url, ca_file=ca, **mine)) as client:
            assert client.ping()
        unknown = asyncio.run(refused(RedisSettings(url=url, ca_file=str(other / "ca.pem"), **mine)))
        assert "certificate verify failed" in unknown
        by_number = asyncio.run(refused(RedisSettings(url=f"rediss://127.0.0.1:{port}/0", ca_file=ca, **mine)))
        assert "certificate verify failed" in by_number
        asyncio.run(refused(RedisSettings(url=url, ca_file=ca, **theirs)))
        asyncio.run(refused(RedisSettings(url=url, ca_file=ca)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cluster-enabled", "yes"), "is a cluster"),
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "drops keys.*allkeys-lru.*noeviction"),
    ],
)
def test_servers_that_would_misplace_state_are_refused(
    executable: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    async def scenario(url: str) -> None:
        async with connect(RedisSettings(url=url)) as client:
            with pytest.raises(ConfigError, match=message):
                await check_server(client, "test")

    with LocalRedis(executable, tmp_path / "redis", arguments) as local:
        asyncio.run(scenario(local.url))


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connect(RedisSettings(url=f"unix://{tmp_path}/none.sock")) as client:
            with pytest.raises(ConfigError, match="here cannot be reached: .*none.sock.*; start it, or mend redis.url"):
                await check_server(client, "here")

    asyncio.run(scenario())
