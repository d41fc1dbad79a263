"""When Redis shows all that a run has published."""

import time
from functools import partial
from typing import Any

from confluent_kafka import TopicPartition
from redis.exceptions import RedisError

from earlywarn.adapters.kafka.reader import new_reader
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import connect_blocking
from earlywarn.adapters.redis.layout import RunLayout, TopicKind
from earlywarn.adapters.replay.patience import patiently
from earlywarn.application.settings import Settings

_WAIT_SECONDS = 30.0
_ANSWER_SECONDS = 4.0
_LOOK_SECONDS = 0.2
_KINDS: tuple[TopicKind, ...] = ("aggregates", "alerts")


def wait_until_projected(settings: Settings, topics: RunTopics) -> bool:
    """Wait up to half a minute until Redis is up to date with the topics; return whether it is.

    Without an address of Redis there is none to look at: the detector's own ends with it.
    """
    if not settings.redis.url:
        return False
    ends = _ends(settings, topics)
    layout = RunLayout(topics.run)
    deadline = time.monotonic() + _WAIT_SECONDS
    with connect_blocking(settings.redis) as client:
        while True:
            try:
                found: Any = client.hmget(layout.positions, list(ends))
                if all(int(position or 0) >= end for position, end in zip(found, ends.values(), strict=True)):
                    return True
            except RedisError:
                found = None  # away for the moment; the detector waits for it as well
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)


def _ends(settings: Settings, topics: RunTopics) -> dict[str, int]:
    """Return, by field of the positions, the offset behind the last record: before its transaction's marker."""
    consumer = new_reader(settings.kafka, f"{topics.alerts}.replay")
    try:
        found: dict[str, int] = {}
        for kind in _KINDS:
            topic = getattr(topics, kind)
            for q in range(settings.topics.partials_partitions):
                place = TopicPartition(topic, q)
                extent = patiently(partial(consumer.get_watermark_offsets, place, _ANSWER_SECONDS), topic)
                found[RunLayout.position_field(kind, q)] = max(extent[1] - 1, 0)
        return found
    finally:
        consumer.close()
