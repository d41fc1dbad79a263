"""The rights of docs/operations/security.md on a real broker: they suffice, and nothing else is allowed."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import aiokafka
import pytest
from aiokafka.errors import GroupAuthorizationFailedError
from certificates import Certificates
from confluent_kafka import KafkaError
from every_listener import PASSWORDS, EveryListener
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import TopicAuthorizationFailedError
from kafka_clients import SECONDS, produce, settings_of
from kafka_runtime import KafkaRuntime

from earlywarn.adapters.kafka.connection import aiokafka_connection, kafka_admin, kafka_python_connection
from earlywarn.adapters.kafka.manifest import check_manifest, write_manifest
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics
from earlywarn.application.compose import compose
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError

SECURITY_PAGE = Path(__file__).parents[2] / "docs/operations/security.md"
CONNECTION = "sasl_ssl scram-sha-512"


@pytest.fixture(scope="module")
def broker(stack_folder: Path, kafka_runtime: KafkaRuntime, certificates: Certificates) -> Iterator[EveryListener]:
    folder = Path(mkdtemp(prefix="kafka-every-listener-", dir=stack_folder))
    with EveryListener(kafka_runtime, folder, certificates) as broker:
        yield broker


def rights_of_the_docs() -> dict[str, dict[str, list[str]]]:
    """Read the table of users out of the page: by user, what it reads, writes, and its group."""
    rows = re.findall(r"^\| `(\w+)`[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|", SECURITY_PAGE.read_text(), re.MULTILINE)
    return {
        user: {
            "reads": re.findall("`(.+?)`", reads),
            "writes": re.findall("`(.+?)`", writes),
            "group": re.findall("`(.+?)`", group),
        }
        for user, reads, writes, group in rows
    }


def grant(admin: KafkaAdminClient, user: str, operations: str, kind: str, name: str, pattern: str = "LITERAL") -> None:
    admin.create_acls(
        [
            ACL(
                f"User:{user}",
                "*",
                ACLOperation[operation],
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType[kind], name, ACLResourcePatternType[pattern]),
            )
            for operation in operations.split()
        ]
    )


def grant_as_documented(admin: KafkaAdminClient, prefix: str) -> None:
    for user, rights in rights_of_the_docs().items():
        for topic in rights["reads"]:
            grant(admin, user, "READ DESCRIBE", "TOPIC", f"{prefix}.{topic}")
        for topic in rights["writes"]:
            grant(admin, user, "WRITE DESCRIBE", "TOPIC", f"{prefix}.{topic}")
        for group in rights["group"]:
            grant(admin, user, "READ", "GROUP", group.replace("<run>", prefix))
    grant(admin, "topics", "CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS", "TOPIC", f"{prefix}.", "PREFIXED")
    grant(admin, "topics", "WRITE DESCRIBE", "TRANSACTIONAL_ID", f"{prefix}.meta.manifest")


@pytest.fixture(scope="module")
def run_with_rights(broker: EveryListener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the documented rights; the user `topics` makes a run's topics and manifest with its own."""
    run = "rights"
    prefix = f"earlywarn.{run}"
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        grant_as_documented(admin, prefix)
    settings = settings_of(broker, CONNECTION, tmp_path_factory.mktemp("topics"), user="topics", run=run)
    with kafka_admin(settings.kafka) as admin:
        assert len(ensure_topics(admin, settings).created) == 7
        write_manifest(compose(settings))
        yield run
        assert len(delete_topics(admin, run, "earlywarn.")) == 7


def test_the_table_of_rights_names_every_service_and_only_topics_of_a_run() -> None:
    rights = rights_of_the_docs()
    assert set(rights) == set(PASSWORDS) - {"admin", "stranger"}
    suffixes = {name.removeprefix("earlywarn.live.") for name in RunTopics("live").all}
    assert {topic for each in rights.values() for topic in each["reads"] + each["writes"]} == suffixes


@pytest.mark.parametrize("user", sorted(set(PASSWORDS) - {"admin"}))
def test_a_user_reads_and_writes_what_the_table_says_and_nothing_else(
    broker: EveryListener, run_with_rights: str, user: str, tmp_path: Path
) -> None:
    kafka = settings_of(broker, CONNECTION, tmp_path, user=user).kafka
    rights = rights_of_the_docs().get(user, {"reads": [], "writes": []})
    names = {name.removeprefix(f"earlywarn.{run_with_rights}."): name for name in RunTopics(run_with_rights).all}
    assert {short for short, name in names.items() if can_write(kafka, name)} == set(rights["writes"])
    assert {short for short, name in names.items() if can_read(kafka, name)} == set(rights["reads"])


@pytest.mark.parametrize("user", ["aggregator", "detector"])
def test_a_worker_joins_its_own_group_alone_and_checks_the_manifest(
    broker: EveryListener, run_with_rights: str, user: str, tmp_path: Path
) -> None:
    settings = settings_of(broker, CONNECTION, tmp_path, user=user, run=run_with_rights)
    names = RunTopics(run_with_rights)
    topic = names.transactions if user == "aggregator" else names.partials

    async def join(group: str) -> int:
        consumer = aiokafka.AIOKafkaConsumer(topic, group_id=group, **aiokafka_connection(settings.kafka))
        try:
            await consumer.start()
            deadline = time.monotonic() + SECONDS
            while not consumer.assignment() and time.monotonic() < deadline:
                await consumer.getmany(timeout_ms=100)
            await consumer.commit()
            return len(consumer.assignment())
        finally:
            await consumer.stop()

    prefix = f"earlywarn.{run_with_rights}"
    assert asyncio.run(join(f"{prefix}.{user}")) == (8 if user == "aggregator" else 1)
    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(join(f"{prefix}.another"))
    assert check_manifest(compose(settings)).panels == {"CH": 0}


def test_topics_without_the_right_to_make_them_are_refused_line_by_line(broker: EveryListener, tmp_path: Path) -> None:
    settings = settings_of(broker, CONNECTION, tmp_path, user="producer", run="forbidden")
    with kafka_admin(settings.kafka) as admin, pytest.raises(ConfigError) as caught:
        ensure_topics(admin, settings)
    assert "earlywarn.forbidden.transactions" in str(caught.value)
    assert "TopicAuthorizationFailedError" in str(caught.value)


def can_write(kafka: KafkaSettings, topic: str) -> bool:
    error = produce(kafka, topic, b"x")
    assert error is None or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
    return error is None


def can_read(kafka: KafkaSettings, topic: str) -> bool:
    consumer = KafkaConsumer(**kafka_python_connection(kafka), enable_auto_commit=False)
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        consumer.position(place)
        consumer.poll(timeout_ms=500)
    except TopicAuthorizationFailedError:
        return False
    finally:
        consumer.close(autocommit=False)
    return True
