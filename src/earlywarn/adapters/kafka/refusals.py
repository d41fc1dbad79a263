"""What is told of a message that finally cannot be delivered: to which topic, why, and the way out."""

import time
from collections.abc import Iterable

from confluent_kafka import KafkaError

from earlywarn.adapters.kafka.rights import REFUSED, may_not_write

MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  # its name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # its name
}
"""What a client says of a topic that is not there; and once in a while of one that is, when brokers are restarted."""
_MISSING_SECONDS = 30.0
"""After so long a topic that is said to be missing is."""
_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
FOR_GOOD = _TOO_LARGE | {
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
"""What a broker says of a message that it will not take the next time either, until somebody changes the topic."""
_WAY_OUT = "what a topic must be, and the command that mends it, says: earlywarn topics create --check"


class Absence:
    """For how long a topic is said to be missing."""

    def __init__(self) -> None:
        self._since_seconds: float | None = None

    def is_sure(self) -> bool:
        """Return whether it has been said for long enough; it is said once more."""
        now = time.monotonic()
        if self._since_seconds is None:
            self._since_seconds = now
        return now - self._since_seconds >= _MISSING_SECONDS

    def end(self) -> None:
        """Note that the topic is there."""
        self._since_seconds = None


def undelivered(topic: str, error: KafkaError) -> str:
    """Return what is told of a message to a topic that could not be delivered."""
    if error.code() in REFUSED:  # of the cluster: a user without WRITE on any topic may not be idempotent either
        return may_not_write(topic)
    if error.code() in MISSING:
        return f"{topic}: does not exist, so nothing can be sent to it; run: earlywarn topics create"
    return f"a message to {topic} could not be delivered: {error.str()}; {_way_out(error)}"


def refused(place: str, topics: Iterable[str], error: KafkaError) -> str:
    """Return what is told of a transaction that holds something refused `FOR_GOOD`; which, the client may not say."""
    named = ", ".join(sorted(topics))
    return (
        f"{place}: something sent to {named} is refused, and would be the next time: {error.str()}; {_way_out(error)}. "
        "Then start again"
    )


def _way_out(error: KafkaError) -> str:
    if error.code() not in _TOO_LARGE:
        return _WAY_OUT
    return f"the topic's max.message.bytes, or message.max.bytes of the cluster, is too small; {_WAY_OUT}"
