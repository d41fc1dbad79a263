"""Whether a worker may take part in its group: who may not would wait for its place for ever, without a word."""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.rights import may_not_join
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError


def check_group(kafka: KafkaSettings, group: str) -> None:
    """Ask for what a group has committed, for which a right on it is needed.

    Raises:
        ConfigError: the broker refuses; NoAnswerError: it does not answer.
    """
    admin = AdminClient({**confluent_connection(kafka), "log_level": 0})  # what goes wrong is raised
    asked = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=float(kafka.request_timeout_seconds)
    )
    try:
        asked[group].result()
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        place = f"kafka.brokers = {kafka.brokers!r}"
        if reason.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise ConfigError(f"{place}: {may_not_join(group)}") from error
        raise NoAnswerError(f"{place}: consumer group {group} cannot be described: {reason.str()}") from error
