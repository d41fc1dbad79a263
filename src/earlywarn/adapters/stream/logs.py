"""Logs of a service: one line each on stderr, and no flood while a broker is gone."""

import asyncio
import logging
import sys
import time

from earlywarn.adapters.kafka.rights import missing_right
from earlywarn.errors import EarlywarnError

_REPEAT_SECONDS = 10.0
_TEMPLATES_LIMIT = 1_000
_WORDLESS = "%s"
REBALANCING = "because it is rebalancing"
"""What a member of a group warns of when another one comes or goes: that is how it hears of it."""
_QUIET = ("faust", "mode", "aiokafka", "kafka", "asyncio")


class Expected(logging.Filter):
    """Holds back the traceback that a framework logs of an error which ends the worker with a line of its own.

    Nor is it told of agents that they were cancelled: that is how they end. That a group deals its partitions anew is
    no warning.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may pass."""
        if str(record.msg).endswith(REBALANCING):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            return logging.getLogger().isEnabledFor(logging.INFO)
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, EarlywarnError | asyncio.CancelledError) or missing_right(error))


class RateLimit(logging.Filter):
    """Lets a message of the same place and wording through once in ten seconds, and tells how many it held back.

    Of one whose wording is all in its argument each text is a wording.
    """

    def __init__(self, seconds: float = _REPEAT_SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may pass."""
        if record.levelno < logging.WARNING:
            return True
        wording = record.getMessage() if record.msg == _WORDLESS else str(record.msg)
        key, now = (record.name, wording), time.monotonic()
        since, held = self._seen.get(key, (now - self._seconds, 0))
        if now - since < self._seconds:
            self._seen[key] = (since, held + 1)
            return False
        if len(self._seen) >= _TEMPLATES_LIMIT:
            self._seen.clear()
        self._seen[key] = (now, 0)
        if held:
            record.msg = f"{record.msg} (and {held} more like this)"
        return True


def configure_logs(level: str) -> None:
    """Send this process's logs to stderr; libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Expected())
    handler.addFilter(RateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
