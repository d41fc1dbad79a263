"""Every client over every kind of connection to a real broker; what cannot be trusted is refused with the reason."""

import asyncio
import gc
import ssl
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import aiokafka
import faust
import msgspec
import pytest
from certificates import Certificates
from confluent_kafka import Consumer, Producer, TopicPartition
from every_listener import EveryListener
from kafka_clients import SECONDS, produce, settings_of

from earlywarn.adapters.kafka.connection import (
    aiokafka_connection,
    broker_list,
    confluent_connection,
    faust_connection,
    kafka_admin,
    tls_context,
)
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics
from earlywarn.adapters.stream.broker import Broker
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError

SECURITY_PAGE = Path(__file__).parents[2] / "docs/operations/security.md"
CONNECTIONS = [
    "ssl",
    "sasl_plaintext plain",
    "sasl_plaintext scram-sha-256",
    "sasl_ssl scram-sha-512",
    "sasl_ssl plain",
]


@pytest.fixture(scope="module")
def broker(every_listener: EveryListener) -> EveryListener:
    return every_listener


@pytest.fixture
def topic(broker: EveryListener) -> Iterator[str]:
    name = f"security-{uuid4().hex[:8]}"
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        yield name
        admin.delete_topics([name])


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_confluent_kafka_connects(broker: EveryListener, topic: str, connection: str, tmp_path: Path) -> None:
    kafka = settings_of(broker, connection, tmp_path).kafka
    assert produce(kafka, topic, b"one") is None
    consumer = Consumer({**confluent_connection(kafka), "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(SECONDS)
    consumer.close()
    assert message is not None
    assert (message.error(), message.value()) == (None, b"one")


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_kafka_python_connects(broker: EveryListener, topic: str, connection: str, tmp_path: Path) -> None:
    with kafka_admin(settings_of(broker, connection, tmp_path).kafka) as admin:
        assert topic in admin.list_topics()


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_aiokafka_connects(broker: EveryListener, topic: str, connection: str, tmp_path: Path) -> None:
    parameters = aiokafka_connection(settings_of(broker, connection, tmp_path).kafka)

    async def round_trip() -> bytes:
        async with aiokafka.AIOKafkaProducer(**parameters) as producer:
            await producer.send_and_wait(topic, b"two")
        async with aiokafka.AIOKafkaConsumer(topic, **parameters, auto_offset_reset="earliest") as consumer:
            return bytes((await asyncio.wait_for(consumer.getone(), SECONDS)).value)

    assert asyncio.run(round_trip()) == b"two"


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_faust_connects(broker: EveryListener, topic: str, connection: str, tmp_path: Path) -> None:
    kafka = settings_of(broker, connection, tmp_path).kafka
    assert produce(kafka, topic, b"three") is None

    async def first_value() -> bytes:
        app = faust.App(
            topic,
            broker=[f"kafka://{each}" for each in broker_list(kafka)],
            **faust_connection(kafka),
            store="memory://",
            datadir=tmp_path / "faust",
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            value_serializer="raw",
        )
        found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        @app.agent(app.topic(topic))
        async def take(stream: faust.StreamT[bytes]) -> None:
            async for value in stream:
                if not found.done():
                    found.set_result(value)

        await app.start()
        try:
            return await asyncio.wait_for(found, SECONDS)
        finally:
            await app.stop()

    assert asyncio.run(first_value()) == b"three"


# --- what is wrong is refused, with the reason


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # kafka-python, of refused handshakes
@pytest.mark.parametrize(
    ("connection", "changed", "reason"),
    [
        ("sasl_ssl scram-sha-512", {"ca_file": "other/ca.pem"}, "certificate verify failed"),
        ("sasl_ssl scram-sha-512", {"ca_file": ""}, "certificate verify failed"),
        ("sasl_ssl scram-sha-512", {"brokers": "misnamed"}, "certificate is not valid for 'localhost'"),
        ("sasl_ssl scram-sha-512", {"username": "stranger"}, "Authentication failed|disconnected"),
        ("sasl_plaintext plain", {"username": "stranger"}, "Authentication failed|disconnected"),
        ("ssl", {"certificate_file": "", "key_file": ""}, "alert|disconnected"),
        (
            "ssl",
            {"certificate_file": "other/client-certificate.pem", "key_file": "other/client-key.pem"},
            "alert|disconnected",
        ),
    ],
)
def test_a_connection_that_cannot_be_trusted_is_refused(
    broker: EveryListener, connection: str, changed: dict[str, str], reason: str, tmp_path: Path
) -> None:
    kafka = settings_of(broker, connection, tmp_path).kafka
    if any(value.startswith("other/") for value in changed.values()):
        Certificates.make(tmp_path / "other")
        changed = {name: str(tmp_path / value) for name, value in changed.items()}
    if "brokers" in changed:
        changed = {"brokers": broker.address_of(changed["brokers"])}
    wrong = msgspec.structs.replace(kafka, **changed, session_timeout_seconds=2, request_timeout_seconds=6)
    with pytest.raises(ConfigError, match=reason) as caught, kafka_admin(wrong):
        pass
    assert "no connection within 6 s" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kafka.password.reveal() == "" or kafka.password.reveal() not in str(caught.value)
    with pytest.raises(Exception, match="_TRANSPORT|_ALL_BROKERS_DOWN|_TIMED_OUT"):
        Producer(confluent_connection(wrong) | {"log_level": 0}).list_topics(timeout=2)
    gc.collect()  # while the warning is expected


@pytest.mark.parametrize("connection", ["sasl_ssl scram-sha-512", "sasl_plaintext plain"])
def test_a_worker_whose_password_is_refused_does_not_wait_for_a_broker(
    broker: EveryListener, connection: str, tmp_path: Path
) -> None:
    kafka = settings_of(broker, connection, tmp_path).kafka

    async def wait(username: str) -> None:
        await asyncio.wait_for(Broker(msgspec.structs.replace(kafka, username=username)).wait(), SECONDS)

    asyncio.run(wait("admin"))
    with pytest.raises(ConfigError, match="refuses kafka.username = 'stranger' .*Authentication failed.*start again"):
        asyncio.run(wait("stranger"))


def test_tls_files_that_cannot_be_used_are_named(certificates: Certificates, tmp_path: Path) -> None:
    files = certificates
    client = str(files.client_certificate_file)
    (tmp_path / "no.pem").write_text("nothing")
    for changed, line in (
        ({"ca_file": str(tmp_path / "no.pem")}, "kafka.ca_file = .*no.pem': holds no certificates"),
        ({"ca_file": "gone.pem"}, "kafka.ca_file = 'gone.pem': holds no certificates .PEM.: No such file"),
        ({"certificate_file": client, "key_file": str(files.server_key_file)}, "no certificate with its unlocked key"),
        (
            {"certificate_file": client, "key_file": str(tmp_path / "no.pem")},
            "no certificate with its unlocked key",
        ),
    ):
        with pytest.raises(ConfigError, match=line):
            confluent_connection(KafkaSettings(security="ssl", **changed))
    context = tls_context(KafkaSettings(security="ssl", ca_file=str(files.ca_file)))
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_names_its_user(broker: EveryListener, tmp_path: Path) -> None:
    """The client of the ssl listener is the super user of the broker's list, by its certificate's subject."""
    settings = settings_of(broker, "ssl", tmp_path, run="by-certificate")
    with kafka_admin(settings.kafka) as admin:
        assert len(ensure_topics(admin, settings).created) == 7
        assert len(delete_topics(admin, settings.run, settings.topics.prefix)) == 7
