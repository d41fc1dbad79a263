"""The client behind every reading that belongs to no group: committed records, of partitions that it is assigned."""

from confluent_kafka import Consumer

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.application.service_settings import KafkaSettings


def new_reader(kafka: KafkaSettings, group: str, **options: object) -> Consumer:
    """Return a reader that is told of a partition's end, and commits nothing.

    Args:
        kafka: where.
        group: librdkafka wants a name; it has no members.
        options: of librdkafka, with `_` for `.`.

    Raises:
        ConfigError: a TLS file that cannot be used.
    """
    return Consumer(
        {
            **confluent_connection(kafka),
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
            **{name.replace("_", "."): value for name, value in options.items()},
        },
        logger=QUIET,
    )
