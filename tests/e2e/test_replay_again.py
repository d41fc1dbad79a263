"""A replay that has ended, started again for what came in behind its end marks and for partitions added since."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import msgspec
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import StreamRun

from earlywarn.adapters.replay.log_ends import log_ends

SECONDS = 90
SETTINGS = """
[topics]
transactions_partitions = 2
partials_partitions = 2
[service]
flush_seconds = 0.1
[[panels]]
id = "AT"
countries = ["AT"]
[[panels]]
id = "CH"
countries = ["CH"]
"""


def record(day: int, region: str) -> bytes:
    return msgspec.json.encode(
        {
            "id": f"{region}-{day}", "ts": 1_551_700_000_000 + day * 86_400_000, "amount_minor": 5,
            "currency": "CHF", "mcc": "5411", "region": region, "country": "CH",
        }
    )  # fmt: skip


def test_what_came_in_behind_the_end_is_folded_when_the_replay_is_started_again(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A panel without any record has its own partition of partials, and is waited for as well.

    Some of what is re-entered is too old by then, and becomes a new dead letter.
    """
    run = StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"replay-{uuid4().hex[:12]}")
    file = tmp_path / "transactions.jsonl"
    lines = [record(day, region) for day in range(0, 60, 2) for region in ("CH04", "CH05", "CH040x")]
    file.write_bytes(b"\n".join(lines))

    def earlywarn(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "earlywarn", *map(str, arguments)],
            env={**os.environ, **run.environment, **environment},
            capture_output=True, text=True, check=False, timeout=SECONDS, cwd=tmp_path,
        )  # fmt: skip

    def replayed() -> None:
        finished = earlywarn("replay", file)
        assert finished.returncode == 0, finished.stderr

    replayed()
    first = run.published().aggregates
    mended = earlywarn("dlq", "replay", "--mend", "region=CH06")
    assert (mended.returncode, "30 records re-entered" in mended.stdout) == (0, True)
    assert "a replay that has ended has none" in mended.stderr
    behind = earlywarn("verify")
    assert behind.returncode == 1
    assert "are complete in transactions and not published: its workers are behind or stopped" in behind.stdout
    assert "differences" not in behind.stdout
    grown = earlywarn("topics", "create", "--grow", "--replay", EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS="3")
    assert grown.returncode == 0, grown.stderr
    replayed()
    assert [end.marked for end in log_ends(run.settings.kafka, run.topics.transactions).values()] == [True] * 3
    equal = earlywarn("verify")
    assert (equal.returncode, "83 transactions in 83 records" in equal.stdout) == (0, True), equal.stdout
    found = run.published()
    assert first.items() < found.aggregates.items()
    assert found.repeated == []
