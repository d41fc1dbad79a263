"""What a service says while it cannot begin: which broker, why not, and which port is taken."""

import asyncio
import inspect
import logging
import socket
import subprocess
import sys

import pytest
from aiokafka.consumer import group_coordinator

from earlywarn.adapters.stream.broker import Broker
from earlywarn.adapters.stream.logs import REBALANCING, configure_logs
from earlywarn.adapters.stream.probes import Probes
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError


@pytest.mark.parametrize(
    ("brokers", "reason"), [("localhost:1", "Connection refused"), ("nowhere.invalid:9092", "Failed to resolve")]
)
def test_a_broker_that_does_not_answer_is_named_with_the_reason(
    brokers: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Broker(KafkaSettings(brokers=brokers)).wait(), 6)

    with caplog.at_level(logging.WARNING):
        asyncio.run(wait())
    assert f"kafka.brokers = {brokers!r}: no broker answers (" in caplog.text
    assert reason in caplog.text


def test_a_worker_ends_with_a_line_for_each_problem() -> None:
    """Whatever limits the flood of repeated lines; the same one is not told twice in a row."""
    program = (
        "import asyncio\n"
        "from earlywarn.adapters.stream.lifecycle import run\n"
        "from earlywarn.adapters.stream.logs import configure_logs\n"
        "from earlywarn.errors import ConfigError\n"
        "async def main() -> None:\n"
        "    configure_logs('info')\n"
        "    raise ConfigError('one = 1: is wrong\\ntwo = 2: is wrong\\nthree = 3: is wrong\\none = 1: is wrong')\n"
        "run(main)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert ended.returncode == 1
    told = [line.partition("lifecycle: ")[2] for line in ended.stderr.splitlines()]
    assert told == ["one = 1: is wrong", "two = 2: is wrong", "three = 3: is wrong"]


def test_that_a_group_deals_its_partitions_anew_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """The client says so at every rebalance, in these words."""
    assert f'{REBALANCING}"' in inspect.getsource(group_coordinator)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logs("info")
        client = logging.getLogger("aiokafka.consumer.group_coordinator")
        client.warning("Heartbeat failed for group %s because it is rebalancing", "live")
        client.warning("Heartbeat failed for group %s", "live")
        configure_logs("warning")
        client.warning("Heartbeat failed for group %s because it is rebalancing", "live")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    levels = [line.split()[2] for line in capsys.readouterr().err.splitlines()]
    assert levels == ["INFO", "WARNING"]


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    async def take(port: int) -> None:
        async with Probes("127.0.0.1", port, {}):
            pass

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"service.port = {port}: 127.0.0.1:{port} cannot be taken: .*give another"
        ):
            asyncio.run(take(port))
