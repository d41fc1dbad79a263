"""What a service says while it cannot begin: which broker, why not, and which port is taken."""

import asyncio
import logging
import socket

import pytest

from earlywarn.adapters.stream.broker import Broker
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
