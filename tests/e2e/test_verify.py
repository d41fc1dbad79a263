"""`earlywarn verify`, `dlq list|replay` and `rebuild-redis` over the real services: one run serves all of it.

The tests stand in the order in which they leave the run usable for the next; the last ones spoil it.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import Result
from confluent_kafka import Message, Producer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka_broker import KafkaBroker
from redis import Redis
from redis_server import RedisServer
from stream_run import StreamRun, expected, final_days, wait_until
from swiss_logs import PANEL, SwissLogs, swiss_logs
from typer.testing import CliRunner

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.aggregation.intake import decode_one
from earlywarn.aggregation.route import Route
from earlywarn.application.control_marks import REENTERED_HEADER
from earlywarn.cli.app import app
from earlywarn.domain.reject import Reject

PARTITIONS = 3
SETTINGS = f"""
[fold]
block_size = 100
[topics]
transactions_partitions = {PARTITIONS}
replay = true
[service]
flush_seconds = 0.1
idle_seconds = 600.0
{PANEL}
"""
CARD = "4929123412341234"
SECTOR = "Food and beverage services"
DAY = "2019-03-04"
RECORD = {
    "id": "m", "ts": 1551702896000, "amount_minor": 700, "currency": "CHF", "sector": SECTOR, "region": "XX",
    "country": "CH", "card": CARD,
}  # fmt: skip
MENDABLE = 8
REMOVED = 50
KILLED = """
import os, signal, sys
from pathlib import Path
from earlywarn.adapters.kafka import dead_letters
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.compose import compose
from earlywarn.application.settings import load
from earlywarn.cli.mended_letters import MendedLetters

run = compose(load(None, os.environ))
topics = RunTopics(run.settings.run, run.settings.topics.prefix)
dead_letters.BATCH = 3
reentry = dead_letters.Reentry(run.settings.kafka, topics)
marks = reentry.open()
letters = dead_letters.read_letters(TopicScan(run.settings.kafka, topics.dead_letters))

commit, committed = reentry._transactions.commit, []

def commit_once():
    if committed:
        reentry._transactions.producer.flush()  # they stand in the log, and no transaction around them ends
        os.kill(os.getpid(), signal.SIGKILL)
    committed.append(commit())

reentry._transactions.commit = commit_once
reentry.reenter(MendedLetters(run, letters, {"region": "CH04"}, None))
"""


@dataclass
class Played:
    run: StreamRun
    input: SwissLogs
    rejected: Counter[str]
    redis: Redis

    def command(self, *arguments: str | Path) -> Result:
        """Run a command, which must end with a result."""
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=self.run.environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def letters(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.command("dlq", "list", "--json", *arguments).stdout.splitlines()]

    def wait_until_verified(self) -> None:
        wait_until(lambda: self.command("verify").exit_code == 0, 30, "the run verifies")

    def day(self) -> tuple[int, int]:
        """Return what is published of the mended records' cell and day."""
        outcome = decode_one(json.dumps(RECORD | {"region": "CH04"}).encode())
        assert not isinstance(outcome, Reject)
        route = self.run.run.router.resolve(outcome)
        assert isinstance(route, Route)
        return final_days(self.run.published())["/".join(route.target), DAY]

    def dump(self) -> dict[str, Any]:
        """Return all that Redis holds of the run."""
        found: dict[str, Any] = {}
        for key in self.redis.scan_iter(f"earlywarn:{self.run.settings.run}:*", count=1_000):
            kind = self.redis.type(key)
            if kind == b"hash":
                found[key] = self.redis.hgetall(key)
            elif kind == b"zset":
                found[key] = self.redis.zrange(key, 0, -1, withscores=True)
            else:
                found[key] = self.redis.xrange(key)
        return found

    def projected(self) -> bool:
        """Return whether Redis has come to the ends of both topics."""
        positions = self.redis.hgetall(f"earlywarn:{self.run.settings.run}:positions")
        return all(
            int(positions.get(f"{name}:0".encode(), 0)) > max(message.offset() for message in self.run.read(topic))
            for name, topic in (("aggregates", self.run.topics.aggregates), ("alerts", self.run.topics.alerts))
        )


@pytest.fixture(scope="module")
def played(kafka: KafkaBroker, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Return a run that has folded late and broken records to its end, and whose workers run on."""
    folder = tmp_path_factory.mktemp("verify")
    with StreamRun(kafka.address, redis_server.url, folder, SETTINGS, name=f"verify-{uuid4().hex[:12]}") as run:
        found = swiss_logs(run.run, PARTITIONS, days=100, late_share=0.02, broken_share=0.03)
        for log in found.logs[:1]:
            middle = len(log) // 2
            log[middle:middle] = [json.dumps(RECORD | {"id": f"m{number}"}).encode() for number in range(MENDABLE)]
        published, rejected = expected(run.run, found.logs)
        run.start("aggregator")
        run.start("detector")
        run.produce(found.logs)
        run.end(PARTITIONS)
        run.wait_for(published)
        letters = run.topics.dead_letters
        wait_until(lambda: sum(1 for _ in run.read(letters)) == rejected.total(), 60, "all dead letters are there")
        with Redis.from_url(redis_server.url, protocol=2) as redis:
            yield Played(run, found, rejected, redis)


def test_an_undisturbed_run_verifies(played: Played) -> None:
    finished = played.command("verify")
    assert finished.exit_code == 0
    assert "equals the count" in finished.stdout
    outcome = json.loads(played.command("verify", "--json").stdout)
    assert outcome["equal"]
    assert outcome["accepted"] == sum(map(len, played.input.logs)) - played.rejected.total()
    assert outcome["rejected"] == played.rejected.total()
    assert outcome["compared"] > len(played.input.truth)
    assert (outcome["still_open"], outcome["revised_later"], outcome["behind"]) == (0, 0, 0)


def test_dead_letters_are_listed_by_reason(played: Played) -> None:
    listed = played.command("dlq", "list")
    assert listed.exit_code == 0
    counts = {
        line.split()[0]: int(line.split()[-1]) for line in listed.stdout.splitlines()[1 : 1 + len(played.rejected)]
    }
    assert counts == played.rejected
    assert CARD not in listed.stdout
    letters = played.letters()
    assert Counter(each["reason"] for each in letters) == played.rejected
    assert CARD not in json.dumps(letters)
    assert len({each["key"] for each in letters}) == len(letters)
    assert len(played.letters("--limit", "2")) == 2
    assert {each["reason"] for each in played.letters("--field", "region")} == {"region_unknown"}
    [*_, shown] = played.letters("--reason", "region_unknown", "--show-values")
    assert json.loads(shown["value"])["region"] == "XX"
    assert CARD in played.command("dlq", "list", "--reason", "region_unknown", "--show-values").stdout


def test_mended_letters_count_once_though_killed_and_called_twice(played: Played) -> None:
    before, unknown = played.day(), len(played.letters("--reason", "region_unknown"))
    mend = ("dlq", "replay", "--reason", "region_unknown", "--mend", "region=CH04", "--json")
    dry = played.command(*mend, "--dry-run")
    planned = json.loads(dry.stdout)
    assert (planned["reentered"], planned["mendable"], "too late" in dry.stderr) == (0, MENDABLE, True)
    assert planned["unmendable"] == unknown - MENDABLE
    environment = {**os.environ, **played.run.environment}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False, timeout=60)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL
    done = json.loads(played.command(*mend).stdout)
    assert (done["reentered_before"], done["reentered"]) == (3, MENDABLE - 3)
    assert {each["reason"] for each in done["unmendable_listed"]} <= {"sector_unknown"}
    again = json.loads(played.command(*mend).stdout)
    assert (again["reentered_before"], again["reentered"]) == (MENDABLE, 0)
    wait_until(lambda: played.day() != before, 30, "the mended records are published")
    played.wait_until_verified()
    assert played.day() == (before[0] + MENDABLE, before[1] + 700 * MENDABLE)
    headers = [
        dict(message.headers())
        for message in played.run.read(played.run.topics.transactions)
        if any(name == "dlq_key" for name, _ in message.headers() or ())
    ]
    assert len({each["dlq_key"] for each in headers}) == MENDABLE
    assert all(int(each["received_at"]) > 1_600_000_000_000 for each in headers)
    assert len(played.letters("--reason", "region_unknown")) == unknown - MENDABLE


def test_letters_mended_in_a_file(played: Played, tmp_path: Path) -> None:
    before = played.day()
    lines = played.letters("--reason", "not_json", "--show-values")
    lines[0]["value"] = json.dumps(RECORD | {"region": "CH04"})
    lines[1]["value"] = RECORD | {"region": "CH04", "id": "m2"}
    edited = tmp_path / "edited.jsonl"
    edited.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    result = played.command("dlq", "replay", "--edit", edited)
    assert result.exit_code == 1
    assert "2 records re-entered" in result.stdout
    assert f"{lines[2]['key']}: still not_json" in result.stdout
    unknown = played.command("dlq", "replay", "--key", "0/999999/0", "--mend", "region=CH04")
    assert (unknown.exit_code, "0/999999/0: there is no dead letter" in unknown.stderr) == (1, True)
    wait_until(lambda: played.day() == (before[0] + 2, before[1] + 1400), 30, "the edited records are published")
    played.wait_until_verified()


def test_redis_is_rebuilt_wiped_or_stale(played: Played) -> None:
    run = played.run.settings.run
    wait_until(played.projected, 30, "Redis is up to date")
    before = played.dump()
    published = played.run.published()
    assert before
    played.redis.hset(f"earlywarn:{run}-other:positions", "aggregates:0", 7)
    played.redis.delete(*before)
    assert played.command("rebuild-redis").exit_code == 0
    assert played.dump() == before
    latest = f"earlywarn:{run}:latest:CH:day"
    some = next(iter(played.redis.hgetall(latest)))
    played.redis.hset(latest, some, "stale")
    played.redis.hset(f"earlywarn:{run}:latest:XX:day", some, "of nobody")
    done = json.loads(played.command("rebuild-redis", "--json").stdout)
    assert done == {"run": run, "removed": len(before) + 1, "records": done["records"], "remarks": []}
    assert done["records"] == sum(published.times.values())
    assert played.dump() == before
    assert played.redis.hgetall(f"earlywarn:{run}-other:positions") == {b"aggregates:0": b"7"}
    assert played.run.published() == published


def test_what_is_wrong_is_named(played: Played) -> None:
    """A transaction that no worker has counted, a row that was changed, a dead letter too many."""
    for worker in played.run.workers:
        worker.terminate()
    producer = Producer(confluent_connection(played.run.settings.kafka))
    record = json.dumps(RECORD | {"region": "CH02", "ts": 1551702896000}).encode()
    producer.produce(played.run.topics.transactions, record, partition=0, headers=[(REENTERED_HEADER, b"0/0/0")])
    key, value = next(iter(played.run.published().aggregates.items()))
    row = json.loads(value)
    row |= {"vintage": 99, "transactions": row["transactions"] + 1}
    producer.produce(played.run.topics.aggregates, json.dumps(row).encode(), key.encode(), partition=0)
    letter = next(each for each in played.run.read(played.run.topics.dead_letters) if _is_of_what_is_left(each))
    producer.produce(played.run.topics.dead_letters, letter.value(), b"0/0/0", headers=[*letter.headers()], partition=0)
    producer.flush()
    outcome = played.command("verify")
    assert outcome.exit_code == 1
    lines = outcome.stdout.splitlines()
    changed = [line for line in lines if line.startswith(f"{row['series_id']} {row['bucket']} {row['start']}")]
    assert len(changed) == 1
    assert f"published {row['transactions']:,} transactions of {row['amount_minor']:,}" in changed[0]
    assert "4 buckets of series or dead letters are complete" in lines[0]  # cell, region, sector and panel
    assert sum(line.startswith("dead letters") for line in lines) == 1
    assert "2 differences" in lines[-1]
    assert json.loads(played.command("verify", "--json").stdout)["found"] == 2


def test_a_log_without_its_beginning_cannot_be_verified(played: Played) -> None:
    """All of a replayed history came in just now: no bucket is whole in what retention leaves."""
    place = played.run.topics.transactions
    with kafka_admin(played.run.settings.kafka) as admin:
        _delete_records(admin, place, before=REMOVED)
    told = played.command("verify")
    assert told.exit_code == 1  # for the dead letter too many
    assert "retention has removed its beginning, and no published bucket is whole" in told.stderr
    assert "what is published equals" not in told.stdout


def _is_of_what_is_left(letter: Message) -> bool:
    """Return whether a dead letter still counts when retention has removed the first records."""
    headers = {name: value.decode() for name, value in letter.headers() or () if isinstance(value, bytes)}
    return int(headers.get("offset", "0")) >= REMOVED and headers["reason"] not in {"too_late", "duplicate"}


def _delete_records(admin: KafkaAdminClient, topic: str, *, before: int) -> None:
    admin.delete_records({TopicPartition(topic, partition): before for partition in range(PARTITIONS)})
