"""What is told of a message that finally cannot be delivered: to which topic, why, and the way out."""

from collections.abc import Iterable

from confluent_kafka import KafkaError

from earlywarn.adapters.kafka.rights import REFUSED, may_not_write

_MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  # its name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  # its name
}
FOR_GOOD = _MISSING | {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
"""What a broker says of a message that it will not take the next time either, until somebody changes the topic.

The client has asked after a missing topic for half a minute before it says so.
"""
_WAY_OUT = "what a topic must be, and the command that mends it, says: earlywarn topics create --check"


def undelivered(topic: str, error: KafkaError) -> str:
    """Return what is told of a message to a topic that could not be delivered."""
    if error.code() in REFUSED:  # of the cluster: a user without WRITE on any topic may not be idempotent either
        return may_not_write(topic)
    if error.code() in _MISSING:
        return f"{topic}: does not exist, so nothing can be sent to it; run: earlywarn topics create"
    return f"a message to {topic} could not be delivered: {error.str()}; {_WAY_OUT}"


def refused(place: str, topics: Iterable[str], error: KafkaError) -> str:
    """Return what is told of a transaction that holds something refused `FOR_GOOD`; which, the client may not say."""
    named = ", ".join(sorted(topics))
    return (
        f"{place}: something sent to {named} is refused, and would be the next time: {error.str()}; {_WAY_OUT}. "
        "Then start again"
    )
