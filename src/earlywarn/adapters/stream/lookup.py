"""Looks up what is published of open blocks whose start is gone, beside all else: that may take many seconds.

Partials are read back to a block's first one. Of a partition in which little comes, millions of others' may stand
behind that; meanwhile a worker counts what comes in its other partitions.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping

from earlywarn.adapters.kafka.published_blocks import ReadPublished
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.adapters.stream.failure import Failure
from earlywarn.application.aggregator import BlockStart

_log = logging.getLogger(__name__)
_ASK_SECONDS = 0.5

Found = Callable[[int, int, BlockStart | None], Awaitable[None]]
"""Is told of a source partition, where its log began when that was asked, and where to go on, if that is known."""


class Lookup:
    """One reading at a time, in a thread; it ends with the assignment that it is for.

    Args:
        read: reads the partials.
        found: is told of each partition that was looked up.
        failure: is told of an error, which ends the worker.
    """

    def __init__(self, read: ReadPublished, found: Found, failure: Failure) -> None:
        self._read = read
        self._found = found
        self._failure = failure
        self._wanted: dict[int, int] = {}
        self._given_up = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, partition: int) -> bool:
        """Return whether a partition is being looked up."""
        return partition in self._wanted

    def __len__(self) -> int:
        """Return how many partitions are being looked up."""
        return len(self._wanted)

    def begin(self, begins: Mapping[int, int]) -> None:
        """Look up partitions whose logs begin there now."""
        self._wanted.update(begins)
        if self._wanted and self._task is None:
            self._task = self._failure.task(self._look(self._given_up))

    def give_up(self) -> None:
        """Look up nothing more, and tell nobody of what is found."""
        self._wanted = {}
        self._given_up.set()
        self._given_up = threading.Event()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def settled(self) -> None:
        """Wait until nothing is being looked up."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _look(self, given_up: threading.Event) -> None:
        while asked := dict(self._wanted):
            try:
                found = await asyncio.to_thread(self._read, asked, given_up.is_set)
            except NoAnswerError as error:
                _log.warning("what is published of open blocks cannot be read now (%s); it will be again", error)
                await asyncio.sleep(_ASK_SECONDS)
                continue
            for partition, begin in asked.items():
                await self._found(partition, begin, found.get(partition))
                self._wanted.pop(partition, None)
        self._task = None
