"""Topics of a test's own on the shared broker, and producers for them as senders have theirs."""

from uuid import uuid4

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.application.service_settings import KafkaSettings


def make_topic(kafka: KafkaSettings, *, partitions: int = 1, **configs: str) -> str:
    """Make a topic, settings with `_` for `.`, and return its name."""
    topic = f"test-{uuid4().hex[:12]}"
    plain = {name.replace("_", "."): value for name, value in configs.items()}
    with kafka_admin(kafka) as admin:
        admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": plain}})
        admin.wait_for_topics([topic], timeout_ms=30_000)
    return topic


def set_config(kafka: KafkaSettings, topic: str, name: str, value: str) -> None:
    """Set one setting of a topic, and no other."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(confluent_connection(kafka))
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def producer(kafka: KafkaSettings, transactional_id: str = "", **options: str | int) -> Producer:
    """Return a producer, in a transaction if it has an id for them; options with `_` for `.`."""
    given = {name.replace("_", "."): value for name, value in options.items()}
    if not transactional_id:
        return Producer({**confluent_connection(kafka), **given})
    found = Producer({**confluent_connection(kafka), **given, "transactional.id": transactional_id})
    found.init_transactions(30)
    found.begin_transaction()
    return found


def sent(sender: Producer) -> None:
    """Wait until all is acknowledged."""
    assert sender.flush(30) == 0
