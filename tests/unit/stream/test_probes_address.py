"""A place at which probes cannot answer: whether it is the host or the port is told."""

import asyncio
import socket

import pytest

from earlywarn.adapters.stream.probes import Probes
from earlywarn.errors import ConfigError


async def entered(host: str, port: int) -> None:
    async with Probes(host, port, {}):
        pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_wrong_host_is_not_told_as_a_port(host: str) -> None:
    with pytest.raises(ConfigError, match=f"service.host = '{host}': is no address of this machine"):
        asyncio.run(entered(host, 0))


def test_a_port_that_is_taken_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"service.port = {port}: .* cannot be taken: .*EARLYWARN_SERVICE__PORT"):
            asyncio.run(entered("127.0.0.1", port))
