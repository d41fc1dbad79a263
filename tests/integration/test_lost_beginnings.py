"""Records that were removed at the beginning of what is published: a Redis that is filled anew lacks them."""

import asyncio
import json
import logging
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import KafkaBroker
from plain_topics import producer, sent
from redis_records import alert_records
from redis_server import RedisServer
from stream_run import StreamRun
from swiss_logs import PANEL
from typer.testing import CliRunner

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.lost_beginnings import lost_beginnings
from earlywarn.adapters.stream.projector import records_of
from earlywarn.cli.app import app

COUNT, REMOVED = 20, 7


def test_removed_beginnings_are_told_by_whoever_fills_or_checks(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with StreamRun(kafka.address, redis_server.url, tmp_path, PANEL, name=f"run-{uuid4().hex[:12]}") as run:
        settings, alerts = run.settings.kafka, run.topics.alerts

        async def read(position: int) -> int:
            reading = records_of(settings, run.topics, to_end=True)("alerts", 0, position)
            return sum([len(records) async for records in reading])

        def told(*command: str) -> list[str]:
            result = CliRunner().invoke(app, [*command, "--json"], env=run.environment)
            assert result.exit_code == 0
            remarks: list[str] = json.loads(result.stdout)["remarks"]
            return remarks

        sender = producer(settings)
        for _, value in alert_records(3, count=COUNT, repeats=0):
            sender.produce(alerts, value, partition=0)
        sent(sender)
        assert (
            lost_beginnings(settings, run.topics) == told("rebuild-redis") == told("topics", "create", "--check") == []
        )
        admin = AdminClient(confluent_connection(settings))
        [done] = admin.delete_records([TopicPartition(alerts, 0, REMOVED)]).values()
        done.result(30)
        [line] = lost_beginnings(settings, run.topics)
        assert f"{alerts}-0: begins at offset {REMOVED}, and 0 is needed: what stood in {REMOVED} offsets was" in line
        assert told("rebuild-redis") == told("topics", "create", "--check") == [line]
        assert f"note: {line}" in CliRunner().invoke(app, ["rebuild-redis"], env=run.environment).stdout
        caplog.clear()
        with caplog.at_level(logging.WARNING, "earlywarn"):
            assert asyncio.run(read(REMOVED)) == COUNT - REMOVED
            assert caplog.messages == []
            assert asyncio.run(read(0)) == COUNT - REMOVED
            assert caplog.messages == [line]
        [done] = admin.delete_records([TopicPartition(alerts, 0, COUNT)]).values()
        done.result(30)
        assert asyncio.run(asyncio.wait_for(read(0), 30)) == 0, "nothing is left, and it ends"
