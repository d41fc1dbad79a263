"""A publisher whose client does not come back from a call: librdkafka's way when a group's coordinator goes away."""

import logging
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import KafkaBroker
from kafka_runtime import KafkaRuntime
from plain_topics import make_topic, producer
from ports import reserve_port
from stream_run import wait_until

from earlywarn.adapters.kafka import transactions
from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.adapters.kafka.transactions import FencedError, RefusedError, Transactions
from earlywarn.adapters.kafka.wire import Message
from earlywarn.application.detector import Progress
from earlywarn.application.service_settings import KafkaSettings

OFFSETS_PARTITIONS, TRANSACTIONS_PARTITIONS = 4, 3  # with one number the two would go together
INNER = {
    "offsets.topic.num.partitions": str(OFFSETS_PARTITIONS),
    "transaction.state.log.num.partitions": str(TRANSACTIONS_PARTITIONS),
}
SOURCE, ALERTS = "partials", "alerts"
LEFT_BEHIND = "it is left behind"


class Pair(NamedTuple):
    """Two brokers: one coordinates the transactions of `group`, the second one what it has committed."""

    second: KafkaBroker
    kafka: KafkaSettings
    group: str

    def publisher(self) -> Publisher:
        return Publisher(confluent_connection(self.kafka), self.group, SOURCE, 0, "log")

    def published(self) -> list[bytes | None]:
        return [record.value for record in TopicScan(self.kafka, ALERTS)]


def _coordinated(name: str, partitions: int) -> int:
    """Return the partition of so many that coordinates a name: Java's hash of it."""
    found = 0
    for letter in name:
        found = (31 * found + ord(letter)) & 0xFFFF_FFFF
    signed = found - (1 << 32) if found >= 1 << 31 else found
    return abs(signed) % partitions


@pytest.fixture
def pair(stack_folder: Path, kafka_runtime: KafkaRuntime) -> Iterator[Pair]:
    controller_port, port = reserve_port(), reserve_port()
    folder, other = (Path(mkdtemp(prefix="kafka-", dir=stack_folder)) for _ in range(2))
    listener = f"PLAINTEXT://127.0.0.1:{port}"
    joining = INNER | {
        "node.id": "2",
        "process.roles": "broker",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": listener,
        "advertised.listeners": listener,
    }
    with (
        KafkaBroker(
            kafka_runtime, folder, port=reserve_port(), controller_port=controller_port, settings=INNER
        ) as first,
        KafkaBroker(kafka_runtime, other, port=port, controller_port=controller_port, settings=joining) as second,
    ):
        kafka = KafkaSettings(brokers=f"{first.address},{second.address}")
        with kafka_admin(kafka) as admin:
            # On the first broker: the second one may go.
            admin.create_topics({each: {"assignments": {0: [1]}} for each in (SOURCE, ALERTS)})
        yield Pair(second, kafka, _group_between(kafka))
    for each in (folder, other):
        shutil.rmtree(each / "data")


def _knows_offsets(asking: Consumer) -> bool:
    """Ask once, which makes the inner topic; whoever is to coordinate is not yet ready then."""
    try:
        asking.committed([TopicPartition(SOURCE, 0)], timeout=10)
    except KafkaException:
        return False
    return True


def _group_between(kafka: KafkaSettings) -> str:
    asking = Consumer({**confluent_connection(kafka), "group.id": "any"})
    wait_until(lambda: _knows_offsets(asking), 60, "a coordinator has come")
    asking.close()
    producer(kafka, "any").abort_transaction()  # now both inner topics are there
    topics = AdminClient(confluent_connection(kafka)).list_topics(timeout=10).topics
    offsets, openers = (topics[name].partitions for name in ("__consumer_offsets", "__transaction_state"))
    for at in range(1_000):
        group = f"group-{at}"
        own, of_opener = _coordinated(group, OFFSETS_PARTITIONS), _coordinated(f"{group}.0", TRANSACTIONS_PARTITIONS)
        if offsets[own].leader == 2 and openers[of_opener].leader == 1:
            return group
    raise AssertionError("each broker coordinates something of each kind")


def test_a_client_that_hangs_is_left_behind(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """What it had not committed is sent again by another one, once."""
    publisher = pair.publisher()
    assert publisher.open() == Progress(0)
    publisher.publish([(ALERTS, (b"1", b"first"))], Progress(1))
    assert publisher.published() == Progress(1)  # so the second broker has heard that the transaction is whole
    pair.second.kill()
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(1) as thread:
        publishing = thread.submit(publisher.publish, [(ALERTS, (b"2", b"second"))], Progress(2))
        wait_until(lambda: LEFT_BEHIND in caplog.text, 60, "the client hangs, and is left behind")
        pair.second.start()
        publishing.result(60)
    publisher.publish([(ALERTS, (b"3", b"third"))], Progress(3))
    successor = pair.publisher()
    assert successor.open() == Progress(3)  # which waits until the marks of the last transaction stand everywhere
    assert pair.published() == [b"first", b"second", b"third"]
    publisher.close()
    successor.close()


def test_what_is_published_is_asked_until_a_broker_says_it(
    fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that stands still does not answer in time, one that is gone refuses the connection; both may come back."""
    monkeypatch.setattr("earlywarn.adapters.kafka.publisher._ANSWER_SECONDS", 0.5)
    kafka = KafkaSettings(brokers=fresh_kafka.address)
    publisher = Publisher(confluent_connection(kafka), "group", make_topic(kafka), 0, "log")
    publisher.open()
    publisher.publish([], Progress(3))
    for leave, come_back in ((fresh_kafka.suspend, fresh_kafka.resume), (fresh_kafka.kill, fresh_kafka.start)):
        leave()
        caplog.clear()
        with caplog.at_level(logging.WARNING), ThreadPoolExecutor(1) as thread:
            asking = thread.submit(publisher.published)
            wait_until(lambda: asking.done() or caplog.text.count("does not take") > 2, 30, "it is asked again")  # noqa: B023  # in this turn
            come_back()
            assert asking.result(60) == Progress(3)
    publisher.close()


@pytest.mark.parametrize("refusal", [{"max_message_bytes": "100"}, {"cleanup_policy": "compact"}])
def test_what_is_refused_for_good_is_not_sent_again_and_again(kafka: KafkaBroker, refusal: dict[str, str]) -> None:
    """Too large, or without a key where one is needed: it stays so until somebody changes the topic."""
    settings = KafkaSettings(brokers=kafka.address)
    topic, group = make_topic(settings, **refusal), f"group-{uuid4().hex[:12]}"
    publisher = Publisher(confluent_connection(settings), group, make_topic(settings), 0, "log")
    publisher.open()
    with pytest.raises(RefusedError, match=f"sent to {topic} is refused, .*: earlywarn topics create --check"):
        publisher.publish([(topic, (None, urandom(200)))], Progress(1))  # type: ignore[list-item]  # no key
    assert list(TopicScan(settings, topic)) == []  # to its end: the transaction is taken back
    assert publisher.published() == Progress(0)
    publisher.close()


class Slowly(list[tuple[str, Message]]):
    """Messages of which the client hears before offsets are moved, with which a broker has begun."""

    def __iter__(self) -> Iterator[tuple[str, Message]]:
        yield from super().__iter__()
        time.sleep(0.5)


def test_what_is_published_to_a_topic_that_was_deleted_is_sent_when_it_is_there_again(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that has not heard of it is mostly refused to begin a transaction, and then to take this back."""
    monkeypatch.setattr(transactions, "_TRANSACTION_MS", 8_000)
    settings = KafkaSettings(brokers=kafka.address)
    topic, alerts, group = make_topic(settings), make_topic(settings), f"group-{uuid4().hex[:12]}"
    connection = {**confluent_connection(settings), "socket.timeout.ms": 2_000}
    publisher = Publisher(connection, group, make_topic(settings), 0, "log")
    publisher.open()
    publisher.publish([(topic, (b"1", b"first")), (alerts, (b"1", b"first"))], Progress(1))
    again = Slowly([(topic, (b"2", b"second")), (alerts, (b"2", b"second"))])
    with kafka_admin(settings) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in admin.list_topics(), 30, "it is gone")
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(1) as thread:
        publishing = thread.submit(publisher.publish, again, Progress(2))
        wait_until(lambda: publishing.done() or "it is tried again" in caplog.text, 30, "it is told")
        with kafka_admin(settings) as admin:
            admin.create_topics([topic])
        publishing.result(60)
    assert [record.value for record in TopicScan(settings, topic)] == [b"second"]
    assert [record.value for record in TopicScan(settings, alerts)] == [b"first", b"second"]
    publisher.close()


def test_what_may_pass_is_waited_for(fresh_kafka: KafkaBroker) -> None:
    """It is tried for as long as it takes, and known for how long that is."""
    settings = KafkaSettings(brokers=fresh_kafka.address)
    topic, group = make_topic(settings), f"group-{uuid4().hex[:12]}"
    publisher = Publisher(confluent_connection(settings), group, make_topic(settings), 0, "log")
    publisher.open()
    fresh_kafka.suspend()
    assert publisher.waiting_seconds == 0
    with ThreadPoolExecutor(1) as thread:
        publishing = thread.submit(publisher.publish, [(topic, (b"1", b"first"))], Progress(1))
        wait_until(lambda: publishing.done() or publisher.waiting_seconds > 1, 30, "it waits")
        fresh_kafka.resume()
        publishing.result(60)
    assert publisher.waiting_seconds == 0
    assert [record.value for record in TopicScan(settings, topic)] == [b"first"]
    publisher.close()


def test_a_transaction_that_was_open_for_too_long_is_no_successor_alone(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that takes it back fences off whoever had it open, as if another one had come."""
    monkeypatch.setattr(transactions, "_TRANSACTION_MS", 1_000)
    settings = KafkaSettings(brokers=kafka.address)
    topic, connection = make_topic(settings), {**confluent_connection(settings), "socket.timeout.ms": 1_000}
    slow = Transactions(connection, topic, place="the place", fenced="another one is here")
    slow.open()
    slow.send(topic, 0, b"value", b"key")
    assert slow.producer.flush(30) == 0
    reader = new_reader(settings, "watching", isolation_level="read_uncommitted")
    wait_until(
        lambda: reader.get_watermark_offsets(TopicPartition(topic, 0), 10)[1] == 2, 60, "the broker takes it back"
    )
    reader.close()
    with pytest.raises(FencedError, match="the place: a transaction was open for .* after 1 s; or another one is here"):
        slow.commit()


def test_who_was_taken_over_from_meanwhile_is_told_so(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new client would fence off the one who publishes now: what that one has published says that there is one."""
    settings = KafkaSettings(brokers=kafka.address)
    source, alerts, group = make_topic(settings), make_topic(settings), f"group-{uuid4().hex[:12]}"
    publisher, successor = (Publisher(confluent_connection(settings), group, source, 0, "log") for _ in range(2))
    publisher.open()
    successor.open()
    successor.publish([(alerts, (b"1", b"the successor's"))], Progress(1))
    monkeypatch.setattr(transactions, "_UNANSWERED_SECONDS", 0.0)
    renew = publisher._new_transactions

    def patient() -> Transactions:
        monkeypatch.undo()
        return renew()

    publisher._new_transactions = patient  # type: ignore[assignment]
    with pytest.raises(FencedError, match="it is at 1, this one at 0"):
        publisher.publish([(alerts, (b"1", b"doubled"))], Progress(1, 1))
    assert [record.value for record in TopicScan(settings, alerts)] == [b"the successor's"]
    publisher.close()
    successor.close()
