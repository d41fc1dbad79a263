"""What the topics of a run must be: partitions, copies, retention, compaction, size of messages."""

from collections.abc import Mapping
from dataclasses import dataclass

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.application.service_settings import FOR_EVER_HOURS, TopicSettings
from earlywarn.application.settings import Settings

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
P = "topics.transactions_partitions"
Q = "topics.partials_partitions"
LEAST_COPIES = "min.insync.replicas"
_MESSAGE_BYTES = "max.message.bytes"
_BATCH_BYTES = (1 << 20) + 12
"""Kafka's own default. A topic takes messages in batches, and a worker's hold up to 1,000,000 bytes (librdkafka)."""


@dataclass(frozen=True, slots=True)
class TopicSpecification:
    """What a topic must be.

    Attributes:
        configs: settings that have these values.
        least: settings that have at least these values: more harms nobody.
        setting: decides its partitions; it is empty where they are always the same.
    """

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    least: Mapping[str, int]
    setting: str

    @property
    def grows(self) -> bool:
        """Return whether partitions may be added in a running system."""
        return self.setting == P

    @property
    def configs_when_made(self) -> dict[str, str]:
        """Return the settings that it is made with."""
        return {**self.configs, **{name: str(value) for name, value in self.least.items()}}


def topic_specifications(settings: Settings) -> tuple[TopicSpecification, ...]:
    """Return what every topic of the run must be, in the order of `RunTopics.all`.

    Raises:
        ConfigError: the run's id cannot be part of a topic's name.
    """
    topics = settings.topics
    names = RunTopics(settings.run, topics.prefix)
    delete = {"cleanup.policy": "delete", "retention.bytes": "-1"}
    for_ever = delete | {"retention.ms": "-1"}
    compact = {"cleanup.policy": "compact"}
    hours = -1 if topics.replay else topics.transactions_retention_hours
    source = delete | _kept(hours) | {_MESSAGE_BYTES: str(topics.message_bytes)}
    dead = delete | _kept(topics.dead_letter_retention_hours) | {_MESSAGE_BYTES: str(topics.dead_letter_bytes)}
    partials = for_ever | {_MESSAGE_BYTES: str(topics.partial_bytes)}
    p, q = topics.transactions_partitions, topics.partials_partitions
    return (
        _specification(names.transactions, p, source, topics, P),
        _specification(names.dead_letters, p, dead, topics, P),
        _specification(names.partials, q, partials, topics, Q),
        _specification(names.aggregates, q, for_ever, topics, Q),
        _specification(names.alerts, q, for_ever, topics, Q),
        _specification(names.actions, 1, compact, topics, ""),
        _specification(names.meta, 1, compact, topics, ""),
    )


def _specification(
    name: str, partitions: int, configs: Mapping[str, str], topics: TopicSettings, setting: str
) -> TopicSpecification:
    durable = {
        # Two copies hold a record before it counts as sent, and no copy that lacks it may take over.
        LEAST_COPIES: str(min(topics.replication, 2)),
        "unclean.leader.election.enable": "false",
        # The broker's own time: it refuses records that a client's clock puts an hour ahead, and old event times
        # would shorten a retention.
        "message.timestamp.type": "LogAppendTime",
    }
    least = {} if _MESSAGE_BYTES in configs else {_MESSAGE_BYTES: _BATCH_BYTES}
    return TopicSpecification(name, partitions, topics.replication, {**configs, **durable}, least, setting)


def _kept(hours: int) -> dict[str, str]:
    """Return the configuration of a retention by time of arrival."""
    if hours == FOR_EVER_HOURS:
        return {"retention.ms": "-1"}
    # A segment goes as a whole, when its newest record is due: it lives a quarter of the time, at most a day.
    segment_ms = min(_DAY_MS, hours * _HOUR_MS // 4)
    return {"retention.ms": str(hours * _HOUR_MS), "segment.ms": str(segment_ms)}
