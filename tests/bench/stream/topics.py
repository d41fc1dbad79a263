"""Topics of one comparison: made, read to their end, and deleted with everything that engines made beside them."""

import json
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from contract import Cell, Totals

_DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.1
_AGAIN_SECONDS = 1.0
_BATCH = 10_000

Parts = dict[bytes, tuple[Cell, int, int]]
"""By key: the cell, count and sum that its last row says."""
FoldRow = Callable[[Parts, Message], None]


def create(brokers: str, partitions: dict[str, int]) -> None:
    """Create topics that keep everything: event times of years ago must not expire.

    Raises:
        KafkaException: the broker refused one.
    """
    admin = AdminClient({"bootstrap.servers": brokers})
    topics = [
        NewTopic(name, count, 1, config={"retention.ms": "-1", "retention.bytes": "-1"})
        for name, count in partitions.items()
    ]
    for made in admin.create_topics(topics, operation_timeout=_DEADLINE_SECONDS).values():
        made.result(_DEADLINE_SECONDS)


def delete(brokers: str, mark: str) -> None:
    """Delete every topic and consumer group whose name contains the mark, also those the engines made."""
    admin = AdminClient({"bootstrap.servers": brokers})
    names = [name for name in admin.list_topics(timeout=_DEADLINE_SECONDS).topics if mark in name]
    for deleted in admin.delete_topics(names, operation_timeout=_DEADLINE_SECONDS).values() if names else ():
        try:
            deleted.result(_DEADLINE_SECONDS)
        except KafkaException as error:  # an engine may have deleted its own meanwhile
            print(f"left behind: {error}")
    _delete_groups(admin, mark)


def _delete_groups(admin: AdminClient, mark: str) -> None:
    """Delete the groups; those of workers that do not say goodbye are empty when their session is over."""
    until = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < until:
        known = admin.list_consumer_groups().result(_DEADLINE_SECONDS).valid
        groups = [group.group_id for group in known if mark in group.group_id]
        if not groups:
            return
        for deleted in admin.delete_consumer_groups(groups).values():
            try:
                deleted.result(_DEADLINE_SECONDS)
            except KafkaException:
                time.sleep(_AGAIN_SECONDS)
    print(f"left behind: groups {groups}")


def read(brokers: str, topic: str, fold: FoldRow | None = None) -> Totals:
    """Read a topic from beginning to end and return what its rows add up to.

    Raises:
        RuntimeError: the topic's end was not reached in a minute without news.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "none",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        known = consumer.list_topics(topic, _DEADLINE_SECONDS).topics[topic]
        open_partitions = set(known.partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in open_partitions])
        parts: Parts = {}
        take = fold or fold_row
        heard = time.monotonic()
        while open_partitions:
            messages = consumer.consume(_BATCH, _POLL_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _DEADLINE_SECONDS:
                raise RuntimeError(f"{topic}: partitions {sorted(open_partitions)} not read to the end")
            for message in messages:
                error = message.error()
                if error is None:
                    take(parts, message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
                else:
                    raise RuntimeError(f"{topic}: {error.str()}")
        return add_up(parts)
    finally:
        consumer.close()


def fold_row(parts: Parts, message: Message) -> None:
    """Take a row of the contract."""
    if message.value() is not None:
        row = json.loads(message.value())
        cell = (row["region"], row["sector"], row["hour"])
        parts[message.key()] = (cell, row["count"], row["sum"])


def add_up(parts: Parts) -> Totals:
    """Return the sums by cell over all keys."""
    totals: Totals = {}
    for cell, count, total in parts.values():
        before = totals.get(cell, (0, 0))
        totals[cell] = (before[0] + count, before[1] + total)
    return totals
