"""The rights of docs/operations/security.md on a real broker: they suffice, and nothing else is allowed."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiokafka
import pytest
from aiokafka.errors import GroupAuthorizationFailedError
from confluent_kafka import KafkaError
from every_listener import PASSWORDS, EveryListener
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from kafka_clients import SECONDS, produce, settings_of
from kafka_rights import CONNECTION, answers, called, rights_of_the_docs, run_made, service
from redis_server import RedisServer

from earlywarn.adapters.kafka.connection import (
    aiokafka_connection,
    confluent_connection,
    kafka_admin,
    kafka_python_connection,
)
from earlywarn.adapters.kafka.group_rights import check_group
from earlywarn.adapters.kafka.manifest import KEY, check_manifest
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import topic_identity
from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.application.compose import compose
from earlywarn.application.detector import Progress
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError


@pytest.fixture(scope="module")
def broker(every_listener: EveryListener) -> EveryListener:
    return every_listener


@pytest.fixture(scope="module")
def run_with_rights(broker: EveryListener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_made(broker, "rights", tmp_path_factory.mktemp("topics")) as run:
        yield run


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
    asyncio.run(check_group(settings.kafka, f"{prefix}.{user}"))
    with pytest.raises(ConfigError, match=rf"consumer group {prefix}.another: this user may not .*give it READ"):
        asyncio.run(check_group(settings.kafka, f"{prefix}.another"))
    assert check_manifest(compose(settings)).panels == {"CH": 0}


def test_a_group_that_is_closed_hides_no_record_from_who_needs_none(
    broker: EveryListener, run_with_rights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client tells of the group as if it were of partition 0, at times before its first record."""
    kafka = settings_of(broker, CONNECTION, tmp_path, user="aggregator").kafka
    monkeypatch.setattr("earlywarn.adapters.kafka.topic_scan._RECORDS_AT_ONCE", 1)
    assert all(newest_value(kafka, RunTopics(run_with_rights).meta, KEY) is not None for _ in range(20))


def test_the_detector_publishes_in_transactions_of_its_own_and_nobody_elses(
    broker: EveryListener, run_with_rights: str, tmp_path: Path
) -> None:
    kafka = settings_of(broker, CONNECTION, tmp_path, user="detector").kafka
    names = RunTopics(run_with_rights)
    group = f"earlywarn.{run_with_rights}.detector.published"
    log = topic_identity(kafka, names.partials)
    publisher = Publisher(confluent_connection(kafka), group, names.partials, 0, log)
    reached = Progress(publisher.open().offset + 1, 3)
    publisher.publish([(names.alerts, (b"key", b"value")), (names.aggregates, (b"key", b"value"))], reached)
    publisher.close()
    successor = Publisher(confluent_connection(kafka), group, names.partials, 0, log)
    assert successor.open() == reached
    successor.close()
    aggregator = settings_of(broker, CONNECTION, tmp_path, user="aggregator").kafka
    other = Publisher(confluent_connection(aggregator), group, names.partials, 0, log)
    with pytest.raises(LogError, match=f"transactional id {group}.0: this user may not use it; give it WRITE"):
        other.open()
    other.close()


def test_the_services_themselves_run_over_tls_with_these_rights(
    broker: EveryListener, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Both get ready; what a producer sends wrongly is a dead letter, which the operator finds, mends and re-enters."""
    with ExitStack() as running:
        run = running.enter_context(run_made(broker, "served", tmp_path))
        for user in ("aggregator", "detector"):
            (tmp_path / user).mkdir()
            address = running.enter_context(service(broker, run, user, tmp_path / user, redis_server)).address
            wait_until(lambda address=address: answers(f"{address}/readyz"), f"{user} is not ready")
        producer = settings_of(broker, CONNECTION, tmp_path, user="producer").kafka
        assert produce(producer, RunTopics(run).transactions, b"no transaction") is None
        operator = settings_of(broker, CONNECTION, tmp_path, user="operator").kafka
        dead_letters = RunTopics(run).dead_letters
        wait_until(lambda: b"no transaction" in values_of(operator, dead_letters), "it is no dead letter")
        [letter] = map(json.loads, told(broker, run, tmp_path / "operator", "dlq", "list", "--json").splitlines())
        letter["value"] = {
            "id": "t1", "ts": 1_551_702_896_000, "amount_minor": 1, "currency": "CHF", "mcc": "5411",
            "region": "CH04", "country": "CH",
        }  # fmt: skip
        edited = tmp_path / "letters.jsonl"
        edited.write_text(json.dumps(letter))
        replayed = json.loads(
            told(broker, run, tmp_path / "operator", "dlq", "replay", "--edit", str(edited), "--json")
        )
        assert replayed["reentered"] == 1
        assert told(broker, run, tmp_path / "operator", "dlq", "list", "--json") == ""
        recounted = json.loads(
            told(broker, run, tmp_path / "operator", "verify", "--json", code=3)
        )  # no day has closed
        assert (recounted["messages"], recounted["accepted"], recounted["transactions"]) == (2, 1, 1)


def told(broker: EveryListener, run: str, folder: Path, *words: str, code: int = 0) -> str:
    """Run a command as the operator of the table; return what it prints."""
    done = called(broker, run, "operator", folder, *words)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_topics_without_the_right_to_make_them_are_refused_line_by_line(broker: EveryListener, tmp_path: Path) -> None:
    settings = settings_of(broker, CONNECTION, tmp_path, user="producer", run="forbidden")
    with kafka_admin(settings.kafka) as admin, pytest.raises(ConfigError) as caught:
        ensure_topics(admin, settings)
    assert str(caught.value).splitlines() == [
        f"{name}: this user may not ask after it; give it DESCRIBE on the topic (docs/operations/security.md)"
        for name in RunTopics("forbidden").all
    ]


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


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + 2 * SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)


def values_of(kafka: KafkaSettings, topic: str) -> set[bytes]:
    """Return what stands in a topic now."""
    consumer = KafkaConsumer(**kafka_python_connection(kafka), enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: set[bytes] = set()
        while any(consumer.position(place) < ends[place] for place in places):
            found |= {record.value for batch in consumer.poll(timeout_ms=200).values() for record in batch}
        return found
    finally:
        consumer.close(autocommit=False)
