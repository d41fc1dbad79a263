"""What a service does when it is told to stop before it has begun: its modules take seconds to load."""

import os
import signal
from types import FrameType


def stop_at_once_when_told() -> None:
    """Let SIGTERM and SIGINT end the process at once with exit code 0, until `lifecycle.live` obeys them in order.

    Nothing has begun that would have to be finished, and an exception could get lost among modules being loaded.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)


def _leave(_: int, __: FrameType | None) -> None:
    os._exit(0)
