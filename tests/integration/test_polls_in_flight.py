"""Polls of the batch transport that outlive a seek of all, on a real broker: nothing is read and given to nobody."""

import asyncio
import threading
from typing import Any

import pytest
from kafka_broker import KafkaBroker
from plain_topics import make_topic
from reading_apps import Reader, fill, numbers, played, reading, until

from earlywarn.adapters.kafka.column_fetcher import ColumnFetcher
from earlywarn.adapters.kafka.consumer_thread import ConsumerThread
from earlywarn.application.service_settings import KafkaSettings


@pytest.fixture
def settings(kafka: KafkaBroker) -> KafkaSettings:
    return KafkaSettings(brokers=kafka.address, session_timeout_seconds=6, request_timeout_seconds=7)


class Gate:
    """Holds polls back in the consumer's thread: before they read, or such as have read something.

    Attributes:
        held: one waits.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = threading.Event()
        self._closed = ""
        read, polled = ColumnFetcher.fetched_records, ConsumerThread._fetch_records

        async def fetched_records(*args: Any, **named: Any) -> Any:  # noqa: ANN401  # as it is
            await self._pass("before")
            return await read(*args, **named)

        async def fetch_records(*args: Any, **named: Any) -> Any:  # noqa: ANN401  # likewise
            placing, found = await polled(*args, **named)
            if found:
                await self._pass("behind")
            return placing, found

        monkeypatch.setattr(ColumnFetcher, "fetched_records", fetched_records)
        monkeypatch.setattr(ConsumerThread, "_fetch_records", fetch_records)

    def close(self, where: str) -> None:
        """Hold polls back `before` they read, or `behind` it."""
        self._closed = where

    def open(self) -> None:
        """Let them go."""
        self._closed = ""

    async def _pass(self, where: str) -> None:
        while self._closed == where:
            self.held.set()
            await asyncio.sleep(0.01)


def test_what_a_poll_reads_behind_a_seek_is_delivered_however_long_ago_it_began(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that waits while the group deals its partitions anew. Nothing comes into the log afterwards."""
    topic = make_topic(settings, partitions=2)
    fill(settings, topic, 10, partitions=2)
    gate = Gate(monkeypatch)

    async def scene() -> None:
        reader = Reader(settings, topic)
        async with reading(reader):
            await until(lambda: len(reader.values) == 20, "all is delivered")
            gate.close("before")
            await until(gate.held.is_set, "a poll is under way")
            await reader.consumer.perform_seek()
            assert (len(reader.told), reader.values) == (2, [])
            gate.open()
            await until(lambda: len(reader.values) == 20, "all is delivered again")
            assert {batch.start for batch in reader.batches} == {0}

    played(scene)


def test_what_a_poll_has_read_before_a_seek_is_delivered_once_from_where_reading_starts_then(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(settings)
    gate = Gate(monkeypatch)

    async def scene() -> None:
        reader = Reader(settings, topic)
        async with reading(reader):
            await until(lambda: reader.owns([0]), "it has begun")
            gate.close("behind")
            await asyncio.to_thread(fill, settings, topic, 10)
            await until(gate.held.is_set, "a poll has read")
            reader.starts = {0: 4}
            await reader.consumer.perform_seek()
            gate.open()
            await until(lambda: len(reader.values) == 6, "what is wanted now")
            await asyncio.to_thread(fill, settings, topic, 1, begins=10)
            await until(lambda: len(reader.values) == 7, "what comes later")
            assert reader.values == numbers(4, 11)

    played(scene)
