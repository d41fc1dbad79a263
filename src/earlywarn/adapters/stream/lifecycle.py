"""The life of a service: wait for the broker, work until told to stop or something fails, finish, leave.

SIGTERM and SIGINT end it in order, within five seconds; what fails ends it with an error, and whoever supervises
the process starts it anew. A broker that goes away is no failure: the service is not ready until it is back.

Five seconds hold with a broker that hangs as well. Every wait on the way out has its time, and the threads of clients,
which cannot be interrupted while they wait for an answer, are left behind: what a worker has not brought to an end is
done again by whoever comes next, as if it had been killed.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import Any, Protocol

import faust
import uvloop
from aiokafka.errors import KafkaError as AIOKafkaError

from earlywarn.adapters.kafka.batch_transport import is_passing
from earlywarn.adapters.kafka.group_rights import check_group
from earlywarn.adapters.kafka.rights import READING_REFUSED, missing_right
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.adapters.stream.broker import Broker
from earlywarn.adapters.stream.garbage import spare_the_collector
from earlywarn.adapters.stream.probes import Probes
from earlywarn.application.service_settings import KafkaSettings, ServiceSettings
from earlywarn.errors import EarlywarnError, LogError

_log = logging.getLogger(__name__)
_FINISH_SECONDS = 2.5
_LEAVE_SECONDS = 1.2
_GONE_SECONDS = 4.5
_RETRY_SECONDS = 1.0


class Worker(Protocol):
    """What works inside the application."""

    async def run(self) -> None:
        """Do what time asks for, until cancelled."""

    async def finish(self, deadline_seconds: float) -> None:
        """Bring the work to a good end."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A service put together: its application, what works in it, and what must hold for it to be ready."""

    app: faust.App
    worker: Worker
    conditions: Mapping[str, Callable[[], bool]]


async def live(kafka: KafkaSettings, service: ServiceSettings, assemble: Callable[[], Awaitable[Assembled]]) -> None:
    """Wait for a broker, assemble the service, and run it from its start to its end.

    Raises:
        EarlywarnError: why it cannot go on.
    """
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_in_time() -> None:
        gone_within(_GONE_SECONDS, 0)
        told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_in_time)
    broker = Broker(kafka)
    conditions: dict[str, Callable[[], bool]] = {"connected to a broker": lambda: broker.answers}
    async with Probes(service.host, service.port, conditions) as probes:
        _log.info("probes on http://%s:%d", probes.host, probes.port)
        conditions["assembled"] = lambda: False
        stop = asyncio.create_task(told_to_stop.wait())
        starting = asyncio.create_task(_start(broker, kafka, assemble))
        await asyncio.wait([stop, starting], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        assembled, watching = starting.result()
        conditions |= assembled.conditions
        del conditions["assembled"]
        await _work(assembled.app, assembled.worker, watching, stop)


async def _start(
    broker: Broker, kafka: KafkaSettings, assemble: Callable[[], Awaitable[Assembled]]
) -> tuple[Assembled, asyncio.Task[None]]:
    """Return what is started, and the watch over the broker, which readiness needs while that goes on.

    A broker that goes away meanwhile is waited for, and all is put together anew: nothing has been folded yet.
    """
    await broker.wait()
    watching = asyncio.create_task(broker.watch())
    while True:
        try:
            assembled = await assemble()
            await check_group(kafka, assembled.app.conf.id)
            await _start_app(assembled.app)
        except NoAnswerError as error:
            _log.warning("%s; waiting for an answer", error)
            await asyncio.sleep(_RETRY_SECONDS)
            await broker.wait()
        else:
            spare_the_collector()
            return assembled, watching


async def _start_app(app: faust.App) -> None:
    """Start an application.

    Raises:
        NoAnswerError: a broker that has just answered does not any more; the application is left.
    """
    try:
        await app.start()
    except AIOKafkaError as error:
        if not is_passing(error):
            raise
        with suppress(TimeoutError, AIOKafkaError):
            await asyncio.wait_for(app.stop(), _LEAVE_SECONDS)
        raise NoAnswerError(f"the broker went away while this worker started: {error}") from error


async def _work(app: faust.App, worker: Worker, watching: asyncio.Task[None], stop: asyncio.Task[bool]) -> None:
    """Work until told to stop, then finish; or until something fails."""
    tasks = [asyncio.create_task(worker.run()), watching, asyncio.create_task(app.wait_until_stopped())]
    try:
        done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if stop in done:
            _log.info("told to stop: finishing")
            watching.cancel()
            await worker.finish(_FINISH_SECONDS)
        for task in done - {stop}:
            task.result()
            raise app.crash_reason or LogError("the application stopped by itself; see the log before this line")
    finally:
        for task in tasks:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(app.stop(), _LEAVE_SECONDS)


def gone_within(seconds: float, code: int) -> None:
    """End this process after so many seconds, if it is still there; a later call has no longer patience."""

    def leave() -> None:
        _log.warning("not waiting any longer for what hangs; whoever comes next does anew what is not finished")
        logging.shutdown()
        os._exit(code)

    timer = Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a service to its end; an expected error is one line for each problem and exit code 1."""
    code = 1
    try:
        uvloop.install()
        asyncio.run(main())
        code = 0
    except (EarlywarnError, *READING_REFUSED) as error:
        for line in (missing_right(error) or str(error)).split("\n"):
            _log.error("%s", line)
    finally:
        gone_within(_GONE_SECONDS, code)
    sys.exit(code)
