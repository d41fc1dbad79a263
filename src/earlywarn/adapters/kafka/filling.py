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


class FilledWhenMember:
    """Checks, of a worker that found nothing at its start, that no filling has begun until it was seen to run.

    Whoever fills looks for members of its group after saying that it does: so it is asked until an answer is later
    than the worker's membership, and never again.

    Args:
        check: as `check_filled`.
        is_member: whether the worker is one.
    """

    def __init__(self, check: Callable[[], None], is_member: Callable[[], bool]) -> None:
        self._check = check
        self._is_member = is_member
        self._known = False

    def __call__(self) -> None:
        """Ask, if that is needed.

        Raises:
            LogError, ConfigError: as `check_filled`.
        """
        if self._known:
            return
        was_member = self._is_member()
        self._check()
        self._known = was_member


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
