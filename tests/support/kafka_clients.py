"""What tests over Kafka's own listeners share: settings as a service gets them, and sending a message."""

from pathlib import Path

import msgspec
from confluent_kafka import KafkaError, Producer
from every_listener import PASSWORDS, EveryListener

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.application.settings import Settings, load

SECONDS = 30
"""How long a test waits for what must come."""


def settings_of(
    broker: EveryListener, connection: str, folder: Path, *, user: str = "admin", run: str = "live"
) -> Settings:
    """Return settings as a service gets them: a file, the environment over it, the password in a file of its own.

    `connection` is a security and, after a blank, the mechanism of SASL.
    """
    security, _, mechanism = connection.partition(" ")
    files = broker.certificates
    lines = ["[kafka]", "session_timeout_seconds = 2", "request_timeout_seconds = 4"]
    if "ssl" in security:
        lines.append(f'ca_file = "{files.ca_file}"')
    if security == "ssl":
        lines += [f'certificate_file = "{files.client_certificate_file}"', f'key_file = "{files.client_key_file}"']
    if mechanism:
        (folder / "password").write_text(PASSWORDS[user] + "\n")
        lines += [f'sasl_mechanism = "{mechanism}"', 'password_file = "password"']
    (folder / "settings.toml").write_text("\n".join(lines))
    return load(folder / "settings.toml", environment_of(broker, connection, user=user, run=run))


def environment_of(broker: EveryListener, connection: str, *, user: str, run: str) -> dict[str, str]:
    """Return the environment that goes with the file of `settings_of`."""
    security, _, mechanism = connection.partition(" ")
    return {
        "EARLYWARN_KAFKA": broker.address_of(security),
        "EARLYWARN_KAFKA__SECURITY": security,
        "EARLYWARN_RUN": run,
        "EARLYWARN_PANELS": '[{ id = "CH", countries = ["CH"] }]',
    } | ({"EARLYWARN_KAFKA__USERNAME": user} if mechanism else {})


def changed(settings: Settings, **fields: object) -> Settings:
    """Return settings with other values in their tables, given as table__field."""
    for name, value in fields.items():
        table, _, field = name.partition("__")
        inner = msgspec.structs.replace(getattr(settings, table), **{field: value})
        settings = msgspec.structs.replace(settings, **{table: inner})
    return settings


def produce(kafka: KafkaSettings, topic: str, value: bytes, key: bytes = b"key") -> KafkaError | None:
    """Send one message as the services do; return why it did not arrive."""
    outcome: list[KafkaError | None] = []
    producer = Producer({**confluent_connection(kafka), "enable.idempotence": True})
    producer.produce(topic, value, key, on_delivery=lambda error, _: outcome.append(error))
    producer.flush(SECONDS)
    return outcome[0]
