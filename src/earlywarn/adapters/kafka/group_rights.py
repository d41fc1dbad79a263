"""Whether a worker may take part in its group: who may not would wait for its place for ever, without a word.

It is asked through aiokafka: librdkafka's own question after a group ends the whole process, by an assertion, if the
broker goes away at the wrong moment.
"""

from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from earlywarn.adapters.kafka.connection import aiokafka_connection
from earlywarn.adapters.kafka.rights import may_not_join
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError


async def check_group(kafka: KafkaSettings, group: str) -> None:
    """Ask who coordinates a group, for which a right on it is needed.

    Raises:
        ConfigError: the broker refuses; NoAnswerError: it does not answer.
    """
    place = f"kafka.brokers = {kafka.brokers!r}"
    admin = AIOKafkaAdminClient(**aiokafka_connection(kafka))
    try:
        await admin.start()
        await admin.find_coordinator(group)
    except GroupAuthorizationFailedError as error:
        raise ConfigError(f"{place}: {may_not_join(group)}") from error
    except KafkaError as error:
        raise NoAnswerError(f"{place}: consumer group {group} cannot be asked after: {error}") from error
    finally:
        with suppress(KafkaError):
            await admin.close()
