"""Whether a run that goes on has all of the history with which it is filled before its workers start."""

from collections.abc import Callable

import msgspec

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import newest_record, newest_value
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

REPLAY_KEY = b"replay"
"""Key of the position of a replay in the topic `.meta`."""


class _Filling(msgspec.Struct, frozen=True):
    """What is needed here of a position of replay."""

    described: str
    log: str = ""
    sent: int = 0
    ended: bool = False


def check_filled(kafka: KafkaSettings, topics: RunTopics) -> None:
    """See that all of the history is there with which a run that goes on was to be filled, if any was.

    Raises:
        LogError: it is not, or what says so cannot be read.
        ConfigError: no broker answers, or it refuses.
    """
    found = newest_value(kafka, topics.meta, REPLAY_KEY)
    if found is None:
        return
    position = _decoded(found)
    if not position.ended:
        raise LogError(
            f"run {topics.run!r} is being filled from {position.described} (earlywarn replay --open), with "
            f"{position.sent:,} records so far: days would close without the rest; start its aggregators when that has "
            "ended. If it was stopped, the same command goes on with it"
        )


class FilledUntilSent:
    """Checks, of a worker that found nothing at its start, that no filling has begun until it was heard of.

    Whoever fills looks, after saying that it does, for members of the worker's group and for what stands in the
    partials. A member may be missed that is stopped for longer than its session; what it has sent stays. So it is asked
    before whatever the worker sends, until something of that is acknowledged, and never again.

    Args:
        check: as `check_filled`.
        has_sent: whether anything that the worker sent is acknowledged.
    """

    def __init__(self, check: Callable[[], None], has_sent: Callable[[], bool]) -> None:
        self._check = check
        self._has_sent = has_sent

    def __call__(self) -> None:
        """Ask, if that is needed.

        Raises:
            LogError, ConfigError: as `check_filled`.
        """
        if not self._has_sent():
            self._check()


def copied_until_ms(kafka: KafkaSettings, topics: RunTopics) -> float:
    """Return when all was there that was copied from another run (epoch milliseconds); -infinity if nothing was.

    Raises:
        LogError, ConfigError: as `check_filled`.
    """
    found = newest_record(kafka, topics.meta, REPLAY_KEY)
    if found is None or found.value is None or not _decoded(found.value).log:
        return float("-inf")
    return found.timestamp_ms


def _decoded(value: bytes) -> _Filling:
    try:
        return msgspec.json.decode(value, type=_Filling)
    except msgspec.DecodeError as error:
        raise LogError(f"the run's position of replay cannot be read by this version: {error}") from error
