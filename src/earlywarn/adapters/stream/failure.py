"""The first error of what works beside the loop that waits: an agent, or a task.

Faust would log an agent's, and start it anew behind the message it failed on; a task's would be told by nobody.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager


class Failure:
    """Notes an error where it happens, and raises it where the service waits."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._event = asyncio.Event()

    @contextmanager
    def noted(self, unless: Callable[[Exception], bool] = lambda _: False) -> Iterator[None]:
        """Note what the block raises, `unless` it is of no consequence, and let it through."""
        try:
            yield
        except Exception as error:
            if self._error is None and not unless(error):
                self._error = error
                self._event.set()
            raise

    def task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Return a task in which work goes on beside the loop that waits; its error is noted, and told once."""

        async def noted() -> None:
            with self.noted():
                await work

        task = asyncio.create_task(noted())
        task.add_done_callback(_retrieved)
        return task

    async def raised(self) -> None:
        """Wait for an error and raise it; else wait for ever."""
        await self._event.wait()
        if self._error is not None:
            raise self._error


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
