"""How topics are configured. It is asked through confluent-kafka: kafka-python's answer lacks what a broker refuses."""

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # public by its manual

from earlywarn.adapters.kafka.connection import WAY_OUT, confluent_connection
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.application.service_settings import KafkaSettings


def topic_configs(kafka: KafkaSettings, topics: Sequence[str]) -> dict[str, Mapping[str, str] | None]:
    """Return, by topic, the value of each of its settings, be it the cluster's own; None: this user may not ask.

    Raises:
        NoAnswerError: no broker says it now.
    """
    if not topics:
        return {}
    admin = AdminClient({**confluent_connection(kafka), "log_level": 0})  # what goes wrong is raised
    asked = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics],
        request_timeout=float(kafka.request_timeout_seconds),
    )
    found: dict[str, Mapping[str, str] | None] = {}
    for resource, answer in asked.items():
        try:
            found[resource.name] = {name: entry.value for name, entry in answer.result().items()}
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                place = f"kafka.brokers = {kafka.brokers!r}"
                raise NoAnswerError(
                    f"{place}: the configuration of {resource.name} cannot be asked: {reason.str()}; {WAY_OUT}"
                ) from error
            found[resource.name] = None
    return found
