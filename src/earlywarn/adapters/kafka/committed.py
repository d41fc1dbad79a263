"""What a group has committed, asked for by a client that is no member of it.

Whoever may not take part in a group may not ask either who coordinates it. librdkafka goes on asking then: a call that
needs the coordinator runs out of time, as with a broker that is gone, and the reason is told once, among the messages.
"""

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from earlywarn.adapters.kafka.rights import may_not_join
from earlywarn.errors import ConfigError


def committed(
    consumer: Consumer, places: Sequence[TopicPartition], group: str, timeout_seconds: float
) -> list[TopicPartition]:
    """Return up to where a group has committed.

    Args:
        consumer: whose group it is; it reads nothing.
        places: partitions asked after.
        group: its name.
        timeout_seconds: for how long an answer is waited for.

    Raises:
        ConfigError: this user may not take part in the group.
        KafkaException: no answer, or another error.
    """
    try:
        found: list[TopicPartition] = consumer.committed(list(places), timeout=timeout_seconds)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED or _is_told_refused(consumer):
            raise ConfigError(may_not_join(group)) from error
        raise
    _is_told_refused(consumer)  # a refusal before that is over: the right was given meanwhile
    return found


def _is_told_refused(consumer: Consumer) -> bool:
    """Return whether the client has been told meanwhile that the group is closed to it; it is told once."""
    told = False
    while (message := consumer.poll(0)) is not None:
        error: KafkaError | None = message.error()
        told = told or (error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED)
    return told
