"""Topics that are too small for the messages of a run: what a worker ends for, the check that it names says."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kafka.admin import KafkaAdminClient
from kafka_broker import KafkaBroker
from kafka_clients import SECONDS
from plain_topics import set_config

from earlywarn.adapters.kafka.topic_configs import topic_configs
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics, survey_topics
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.application.settings import Settings

SIZE = "max.message.bytes"


@pytest.fixture
def settings(kafka: KafkaBroker, admin: KafkaAdminClient) -> Iterator[Settings]:
    settings = Settings(run=f"run-{uuid4().hex[:8]}", kafka=KafkaSettings(brokers=kafka.address))
    ensure_topics(admin, settings)
    yield settings
    delete_topics(admin, settings.run, settings.topics.prefix)


def set_size(settings: Settings, topic: str, size: int) -> None:
    """Set it, and wait: a broker says what it has altered when its own copy of it has followed."""
    set_config(settings.kafka, topic, SIZE, str(size))
    deadline = time.monotonic() + SECONDS
    while (topic_configs(settings.kafka, [topic])[topic] or {})[SIZE] != str(size):
        assert time.monotonic() < deadline, "the size is not set"


@pytest.mark.parametrize("kind", ["transactions", "transactions.dlq", "partials", "aggregates", "alerts", "meta"])
def test_a_topic_that_is_too_small_is_told_with_what_mends_it(
    admin: KafkaAdminClient, settings: Settings, kind: str
) -> None:
    topic = f"{settings.topics.prefix}{settings.run}.{kind}"
    made = int((topic_configs(settings.kafka, [topic])[topic] or {})[SIZE])
    assert made >= 1 << 20
    set_size(settings, topic, 1_500)
    [line] = survey_topics(admin, settings).problems
    assert line.startswith(f"{topic}: {SIZE} is 1500, wanted {made}")
    assert line.endswith(f"--entity-name {topic} --add-config {SIZE}={made}")


@pytest.mark.parametrize("kind", ["aggregates", "alerts", "actions", "meta"])
def test_a_topic_that_takes_more_than_it_needs_fits(admin: KafkaAdminClient, settings: Settings, kind: str) -> None:
    set_size(settings, f"{settings.topics.prefix}{settings.run}.{kind}", 16 << 20)
    assert survey_topics(admin, settings).problems == []
