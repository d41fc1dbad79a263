"""What is told of a right that a user lacks, or has lost: what it may not do, with what, and what to give it."""

from collections.abc import Iterable

from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from confluent_kafka import KafkaError

_PAGE = "docs/operations/security.md"
REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
"""What a broker says of a missing right. It stays so until somebody gives it, so nothing waits for that."""
READING_REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)
"""The same, as aiokafka raises it."""


def may_not_read(topic: str) -> str:
    """Return what is told where a topic may not be read, or not even be described."""
    return f"{topic}: this user may not read it; give it READ and DESCRIBE on the topic ({_PAGE})"


def may_not_write(topic: str) -> str:
    """Return what is told where a topic may not be written."""
    return f"{topic}: this user may not write it; give it WRITE and DESCRIBE on the topic ({_PAGE})"


def may_not_ask_after(topic: str) -> str:
    """Return what is told where a topic may not even be described."""
    return f"{topic}: this user may not ask after it; give it DESCRIBE on the topic ({_PAGE})"


def may_not_see_configs(topic: str) -> str:
    """Return what is told where it may not be asked how a topic is configured."""
    return f"{topic}: this user may not see how it is configured; give it DESCRIBE_CONFIGS on the topic ({_PAGE})"


def may_not_administer(topic: str, doing: str) -> str:
    """Return what is told where a topic may not be made (`create`), deleted (`delete`) or grown (`grow`)."""
    right = {"create": "CREATE", "delete": "DELETE", "grow": "ALTER"}[doing]
    return f"{topic}: this user may not {doing} it; give it {right} on the topic ({_PAGE})"


def may_not_join(group: str) -> str:
    """Return what is told where a group is closed."""
    return f"consumer group {group}: this user may not take part in it; give it READ on the group ({_PAGE})"


def may_not_use(transactional_id: str) -> str:
    """Return what is told where a transactional id is not this user's."""
    return (
        f"transactional id {transactional_id}: this user may not use it; give it WRITE and DESCRIBE on the "
        f"transactional id ({_PAGE})"
    )


def may_not_write_with(reason: KafkaError, topics: Iterable[str], transactional_id: str) -> str:
    """Return what is told of the right that a transaction lacked, a line each; nothing of any other error."""
    if reason.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return may_not_use(transactional_id)
    if reason.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:  # which of them it does not say
        return "\n".join(map(may_not_write, sorted(topics)))
    return ""


def may_not_read_with(reason: KafkaError, topic: str, group: str) -> str:
    """Return what is told of the right that a reading lacked; nothing of any other error."""
    if reason.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return may_not_join(group)
    return may_not_read(topic) if reason.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED else ""


def missing_right(error: BaseException | None) -> str:
    """Return what is told of a right that aiokafka was refused for, a line each; nothing of any other error."""
    if not isinstance(error, READING_REFUSED):
        return ""
    named = error.args[0] if error.args else ""
    if isinstance(error, GroupAuthorizationFailedError):
        return may_not_join(str(named))
    topics: Iterable[str] = [named] if isinstance(named, str) else named
    return "\n".join(may_not_read(topic) for topic in sorted(topics))
