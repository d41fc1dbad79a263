"""/livez, /readyz and /metrics of a service.

Live: its loop moved within the last seconds, and its work does not hang. Ready: every condition holds; the answer names
those that do not. Faust's own web server says 200 while the broker is gone, so it is off.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from errno import EADDRNOTAVAIL
from socket import gaierror
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from earlywarn.errors import ConfigError

_BEAT_SECONDS = 0.5
_STILL_SECONDS = 10.0
UNPUBLISHED_SECONDS = 10.0
"""A worker of whose messages brokers have taken none for so long is not ready."""

Condition = Callable[[], bool]


class Probes:
    """Answers on host:port while it is entered; `port` is the one taken (0 asks for a free one).

    `conditions` may change meanwhile. `hangs` says in a few words that work beside the loop does; empty if it does not.
    """

    def __init__(
        self,
        host: str,
        port: int,
        conditions: Mapping[str, Condition],
        *,
        hangs: Callable[[], str] = str,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.host, self.port = host, port
        self._conditions = conditions
        self._hangs = hangs
        self._registry = registry
        self._beat = time.monotonic()
        self._runner: web.AppRunner | None = None
        self._heart: asyncio.Task[None] | None = None

    def missing(self) -> list[str]:
        """Return the conditions of readiness that do not hold."""
        return [name for name, holds in self._conditions.items() if not holds()]

    async def _livez(self, _: web.Request) -> web.Response:
        still = time.monotonic() - self._beat
        hangs = f"the loop has not moved for {still:.0f} s" if still >= _STILL_SECONDS else self._hangs()
        return web.Response(status=503, text=f"{hangs}\n") if hangs else web.Response(text="live\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        missing = self.missing()
        if not missing:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="".join(f"not {name}\n" for name in missing))

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _beats(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if isinstance(error, gaierror) or error.errno == EADDRNOTAVAIL:
                raise ConfigError(
                    f"service.host = {self.host!r}: is no address of this machine: {error.strerror}; give one that is "
                    "(EARLYWARN_SERVICE__HOST), 0.0.0.0 for all of them"
                ) from error
            raise ConfigError(
                f"service.port = {self.port}: {self.host}:{self.port} cannot be taken: {error.strerror}; give "
                "another one (EARLYWARN_SERVICE__PORT), 0 for any that is free"
            ) from error
        self.port = self._runner.addresses[0][1]
        self._heart = asyncio.create_task(self._beats())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._heart is not None:
            self._heart.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
