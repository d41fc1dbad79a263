"""/livez, /readyz and /metrics of a replay, which answer from a thread beside it: a paced replay runs for days."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.standing import Standing
from earlywarn.adapters.stream.broker import Broker
from earlywarn.adapters.stream.probes import Probes
from earlywarn.application.service_settings import KafkaSettings, ServiceSettings

_T = TypeVar("_T")
_STUCK_SECONDS = 120.0
"""After which a replay that sends, and need not wait for anything, counts as hanging."""
_LOOK_SECONDS = 1.0


@contextmanager
def probed(kafka: KafkaSettings, service: ServiceSettings, standing: Standing, pace: Pace) -> Iterator[Probes]:
    """Answer the probes of a replay within.

    Raises:
        ConfigError: the port is taken.
    """
    broker = Broker(kafka)

    def hangs() -> str:
        still = standing.still_seconds
        return f"the replay has not moved for {still:.0f} s" if still > _STUCK_SECONDS else ""

    def followed() -> bool:
        return standing.workers_run()  # it is known later who they are

    conditions: dict[str, Callable[[], bool]] = {
        "connected to a broker": lambda: broker.answers,
        "prepared": lambda: standing.prepared,
        "followed by all its workers": followed,
    }
    probes = Probes(service.host, service.port, conditions, hangs=hangs)
    collector = Figures(standing, pace)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="probes", daemon=True)
    thread.start()

    def within(step: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(step, loop).result()

    try:
        within(probes.__aenter__())
        watching = asyncio.run_coroutine_threadsafe(_watch(broker, standing, pace), loop)
        REGISTRY.register(collector)
        try:
            yield probes
        finally:
            REGISTRY.unregister(collector)
            watching.cancel()
            within(probes.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _watch(broker: Broker, standing: Standing, pace: Pace) -> None:
    """Know whether the broker answers; whoever waits for it, or is paused, does not hang."""
    await broker.ask()
    watching = asyncio.create_task(broker.watch())
    try:
        while True:
            if pace.paused or not broker.answers:
                standing.move()
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        watching.cancel()


class Figures(Collector):
    """What a replay tells Prometheus, read when it asks: sending is not held up by it."""

    def __init__(self, standing: Standing, pace: Pace) -> None:
        self._standing = standing
        self._pace = pace

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now."""
        standing, pace = self._standing, self._pace
        yield CounterMetricFamily(
            "earlywarn_replay_messages", "Messages of the transactions topic made visible.", value=standing.messages
        )
        yield GaugeMetricFamily(
            "earlywarn_replay_position_records", "Records of the inputs read and done with.", value=standing.records
        )
        if standing.newest_ms is not None:
            yield GaugeMetricFamily(
                "earlywarn_replay_event_seconds", "Newest event time sent (epoch).", value=standing.newest_ms / 1000
            )
        yield GaugeMetricFamily(
            "earlywarn_replay_lag_seconds", "How late the newest record came by the pace.", value=pace.lag_seconds()
        )
        yield GaugeMetricFamily("earlywarn_replay_paused", "1 while it is paused.", value=int(pace.paused))
