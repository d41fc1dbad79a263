"""`earlywarn verify`, `dlq list|replay` and `rebuild-redis` over the real services: one run serves all of it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from kafka_broker import KafkaBroker
from redis import Redis
from redis_server import RedisServer
from stream_run import StreamRun, expected, final_days, wait_until
from swiss_logs import PANEL, SwissLogs, swiss_logs

from earlywarn.adapters.kafka.connection import confluent_connection

PARTITIONS = 3
SETTINGS = f"""
[fold]
block_size = 100
[topics]
transactions_partitions = {PARTITIONS}
partials_partitions = 1
[service]
flush_seconds = 0.1
idle_seconds = 600.0
{PANEL}
"""
CARD = "4929123412341234"
MENDABLE = (
    b'{"id":"m%d","ts":1551702896000,"amount_minor":700,"currency":"CHF","sector":"Retail: Food, beverage and tobacco",'
    b'"region":"XX","country":"CH","card":"4929123412341234"}'
)
LATER = b'{"id":"later","ts":1580000000000,"amount_minor":1,"currency":"CHF","sector":"%s","region":"CH04","country":"CH"}'


@dataclass
class Played:
    run: StreamRun
    input: SwissLogs
    rejected: Counter[str]

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "earlywarn", *arguments],
            env={**os.environ, **self.run.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def verified(self) -> bool:
        return self.command("verify").returncode == 0

    def published(self, cell: str, day: str) -> tuple[int, int]:
        return final_days(self.run.published())[cell, day]


@pytest.fixture(scope="module")
def played(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    """Return a run that has folded late and broken records to its end, and whose workers run on."""
    folder = tmp_path_factory.mktemp("verify")
    with StreamRun(kafka.address, redis_server.url, folder, SETTINGS, name=f"verify-{uuid4().hex[:12]}") as run:
        found = swiss_logs(run.run, PARTITIONS, days=100, late_share=0.02, broken_share=0.03)
        for log in found.logs:
            log[len(log) // 2 : len(log) // 2] = [MENDABLE % number for number in range(8)]
        published, rejected = expected(run.run, found.logs)
        run.start("aggregator")
        run.start("detector")
        run.produce(found.logs)
        run.end(PARTITIONS)
        run.wait_for(published)
        yield Played(run, found, rejected)


def test_an_undisturbed_run_verifies(played: Played) -> None:
    finished = played.command("verify")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "equals the count" in finished.stdout
    outcome = json.loads(played.command("verify", "--json").stdout)
    assert outcome["equal"]
    assert outcome["transactions"] == sum(map(len, played.input.logs)) - played.rejected.total()
    assert outcome["rejected"] == played.rejected.total()
    assert outcome["compared"] > len(played.input.truth)
    assert (outcome["still_open"], outcome["revised_later"], outcome["behind"]) == (0, 0, 0)
