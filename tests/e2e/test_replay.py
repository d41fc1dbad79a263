"""The replayer as a user has it, over a real Kafka and Redis: the same alerts as `earlywarn run`, nothing twice."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from command_line import PANEL, SAMPLE
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Log, StreamRun, expected, wait_until, without_ids
from swiss_logs import PANEL as SWISS_PANEL
from swiss_logs import swiss_logs

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.reader import AlertFilter, RedisReader
from earlywarn.adapters.replay.position import KEY, ReplayPosition, decode_position
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.aggregation.columns import ARROW_STREAM
from earlywarn.errors import LogError

PARTITIONS = 4
SECONDS = 120
"""How long a test waits for what must come."""
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
[service]
flush_seconds = 0.2
idle_seconds = 600.0
{SWISS_PANEL}
"""
UNHURRIED = 425 * 86_400 / 60
"""Speed at which the whole sample takes a minute: long enough to be killed several times."""


@pytest.fixture
def make_run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Callable[..., StreamRun]:
    """Return a function that gives a run of its own, not entered: its topics are not made yet."""

    def make(settings: str = SETTINGS) -> StreamRun:
        name = f"replay-{uuid4().hex[:12]}"
        return StreamRun(kafka.address, redis_server.url, tmp_path / name, settings, name=name)

    return make


def replay(run: StreamRun, *arguments: object) -> "subprocess.Popen[bytes]":
    """Start `earlywarn replay` with the settings of a run; its log lies in the run's folder."""
    with (run.folder / "replay.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "earlywarn", "replay", "--out", run.folder / "out", *map(str, arguments)],
            env={**os.environ, **run.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=run.folder,
        )


@contextmanager
def killed_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Kill a process with SIGKILL, whatever it is at."""
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def replayed(run: StreamRun, *arguments: object) -> None:
    """Replay to the end."""
    with killed_at_the_end(replay(run, *arguments)) as process:
        assert process.wait(SECONDS) == 0, (run.folder / "replay.log").read_text()


def position(run: StreamRun) -> ReplayPosition | None:
    """Return how far the replay of a run has come; it goes on meanwhile, so what is read ends at an empty fetch."""
    consumer = Consumer(
        {
            **confluent_connection(run.settings.kafka),
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    found = None
    try:
        if consumer.list_topics(run.topics.meta, 10).topics[run.topics.meta].error is not None:
            return None
        consumer.assign([TopicPartition(run.topics.meta, 0, 0)])
        while (message := consumer.poll(10)) is not None and message.error() is None:
            if message.key() == KEY:
                found = decode_position(message.value() or b"")
    finally:
        consumer.close()
    return found


def produce_in_transactions(run: StreamRun, logs: list[Log], records: int) -> None:
    """Append logs as a transactional sender does: behind so many records of a partition stands its mark."""
    producer = Producer({**confluent_connection(run.settings.kafka), "transactional.id": run.topics.run})
    producer.init_transactions(30)
    for start in range(0, max(map(len, logs)), records):
        producer.begin_transaction()
        for partition, log in enumerate(logs):
            for value in log[start : start + records]:
                producer.produce(run.topics.transactions, value, partition=partition)
        producer.commit_transaction(30)


def logs_of(run: StreamRun) -> list[list[Any]]:
    """Return the committed records of every partition of transactions, but the end marks."""
    logs: list[list[Any]] = [[] for _ in range(PARTITIONS)]
    for message in run.read(run.topics.transactions):
        if ("earlywarn-control", b"end") not in (message.headers() or ()):
            logs[message.partition()].append(message)
    return logs


def test_replay_gives_the_alerts_of_a_run(
    kafka: KafkaBroker, fresh_redis: RedisServer, swiss_run: Path, tmp_path: Path
) -> None:
    """Byte for byte in the topic, with the same run id; and all of them in Redis."""
    prefix = f"test.{uuid4().hex[:12]}."
    environment = {
        "EARLYWARN_KAFKA": kafka.address,
        "REDIS_URL": fresh_redis.url,
        "EARLYWARN_TOPICS__PREFIX": prefix,
        "EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS": str(PARTITIONS),
        "EARLYWARN_SNAPSHOTS__URL": str(tmp_path / "snapshots"),
    }
    finished = subprocess.run(  # noqa: S603  # our own program
        [
            sys.executable, "-m", "earlywarn", "replay", SAMPLE, "--mapping", "swiss-cards", "--config", PANEL,
            "--workers", "2", "--out", tmp_path, "--json",
        ],
        env={**os.environ, **environment}, capture_output=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr.decode()
    summary = msgspec.json.decode(finished.stdout)
    assert (summary["records"], summary["sent"], summary["rejected"]) == (22_458, 22_458, {})
    assert summary["in_redis"]
    lines = (swiss_run / "alerts.jsonl").read_bytes().splitlines()
    reading = StreamRun(kafka.address, fresh_redis.url, tmp_path / "reading", SETTINGS, name="demo")
    values = [message.value() for message in reading.read(RunTopics("demo", prefix).alerts)]
    assert values == lines
    newest = {alert["id"]: line for line in lines for alert in [msgspec.json.decode(line)]}

    async def in_redis() -> list[bytes]:
        client = connect(reading.settings.redis)
        try:
            page = await RedisReader(client, "demo").alerts(AlertFilter(), limit=1_000)
        finally:
            await client.aclose()
        return [msgspec.json.encode(alert) for alert in page.alerts]

    assert sorted(asyncio.run(in_redis())) == sorted(newest.values())


def test_a_killed_replayer_goes_on_where_it_was(make_run: Callable[[], StreamRun]) -> None:
    """SIGKILL at random moments: every record stands there once, in time order; the end is said once."""
    run = make_run()
    rng = Random(3)
    arguments = (SAMPLE, "--mapping", "swiss-cards", "--no-workers", "--speed", UNHURRIED)

    def sent() -> int:
        found = position(run)
        return found.sent if found else 0

    for _ in range(3):
        wanted = sent() + rng.randint(1, 1_500)
        with killed_at_the_end(replay(run, *arguments)) as process:
            wait_until(lambda: sent() >= wanted, SECONDS, "more is sent")  # noqa: B023  # at once
            assert process.poll() is None, (run.folder / "replay.log").read_text()
    assert 0 < sent() < 22_458
    with killed_at_the_end(replay(run, SAMPLE, "--mapping", "swiss-cards", "--no-workers")):
        wait_until(lambda: bool((found := position(run)) and found.ended), SECONDS, "the end is said")
    logs = [[msgspec.json.decode(message.value()) for message in log] for log in logs_of(run)]
    ids = [record["id"] for log in logs for record in log]
    assert len(ids) == len(set(ids)) == 22_458
    assert all(log == sorted(log, key=lambda record: record["ts"]) and log for log in logs)
    assert sum(1 for _ in run.read(run.topics.transactions)) == 22_458 + PARTITIONS


def test_a_second_replayer_fences_the_first(make_run: Callable[[], StreamRun]) -> None:
    with make_run() as run:
        first, second = (ReplayLog(run.settings.kafka, run.topics) for _ in range(2))
        begun = ReplayPosition(source="a", described="a", partitions=PARTITIONS)
        assert first.open() is None
        first.send(0, b"committed")
        first.commit(msgspec.structs.replace(begun, sent=1))
        first.send(0, b"of the first")
        found = second.open()
        assert found is not None
        assert found.sent == 1
        second.send(0, b"of the second")
        second.commit(msgspec.structs.replace(begun, sent=2))
        for _ in range(2):  # the first time by the broker, the second by what the client remembers
            with pytest.raises(LogError, match="another one of the same run"):
                first.commit(msgspec.structs.replace(begun, sent=2))
        assert [message.value() for message in logs_of(run)[0]] == [b"committed", b"of the second"]


def test_a_mark_that_ends_a_replay_ends_no_live_run(make_run: Callable[..., StreamRun]) -> None:
    """It is a dead letter there, and in the replay of it; late and broken records are what they were."""
    with make_run() as recorded:
        swiss = swiss_logs(recorded.run, PARTITIONS, days=60, late_share=0.02, broken_share=0.03)
        half = len(swiss.logs[0]) // 2
        recorded.produce(swiss.logs, stop=half)
        recorded.end(1)
        recorded.produce(swiss.logs, start=half)
        run = make_run()
        replayed(run, "--from-run", recorded.topics.run)
        published, rejected = expected(run.run, swiss.logs)
        found = run.published()
        assert found.alerts == published.alerts
        assert found.essence == published.essence
        assert found.repeated == []
        letters = [dict(message.headers())["reason"].decode() for message in run.read(run.topics.dead_letters)]
        assert Counter(letters) == rejected + Counter(control_mark=1)
        assert [dict(logs_of(run)[0][half].headers())["earlywarn-control"]] == [b"end, not obeyed"]


@pytest.mark.parametrize("blocks", [0, 2], ids=["every record counts", "copies are told"])
def test_a_recorded_run_gives_the_same_again(make_run: Callable[..., StreamRun], blocks: int) -> None:
    """Live equals replay, late and broken records and copies included; and the time of first receipt travels along.

    Senders write in transactions, so that no record of the replay stands where it stood.
    """
    settings = SETTINGS.replace("[topics]", "[topics]\nreplay = true")  # so that an end may be said
    settings += f"\n[fold]\nblock_size = 100\ndeduplicate_blocks = {blocks}\n"
    with make_run(settings) as recorded:
        swiss = swiss_logs(
            recorded.run, PARTITIONS, days=60, late_share=0.02, broken_share=0.03, copies=2 if blocks else 1
        )
        recorded.start("aggregator")
        recorded.start("detector")
        produce_in_transactions(recorded, swiss.logs, 37)
        recorded.end(PARTITIONS)
        run = make_run(settings)
        replayed(run, "--from-run", recorded.topics.run)
        published, rejected = expected(run.run, swiss.logs)
        found, live = run.published(), recorded.wait_for(expected(recorded.run, swiss.logs)[0])
        assert found.essence == live.essence == published.essence
        assert found.alerts == published.alerts
        assert without_ids(found) == without_ids(live)
        assert found.repeated == live.repeated == []
        assert bool(blocks) == bool(rejected["duplicate"])
        assert [sum(1 for _ in each.read(each.topics.dead_letters)) for each in (run, recorded)] == [
            sum(rejected.values())
        ] * 2
        if blocks:
            assert [each.offset() for each in logs_of(run)[0]] != [each.offset() for each in logs_of(recorded)[0]]
        for original, copy in zip(logs_of(recorded), logs_of(run), strict=True):
            assert [message.value() for message in copy] == [message.value() for message in original]
            assert [dict(message.headers()) for message in copy] == [
                {"received_at": str(message.timestamp()[1]).encode()} for message in original
            ]


def test_what_the_readers_reject_is_listed(make_run: Callable[[], StreamRun], tmp_path: Path) -> None:
    """With file, line and reason, and not sent; what no panel takes is a dead letter. Files go on together in time."""
    good = {"currency": "CHF", "sector": "Retail: Food, beverage, tobacco", "region": "CH04", "country": "CH"}
    files = []
    for file in range(2):
        lines = [
            msgspec.json.encode(
                {"id": f"{file}-{day}", "ts": 1_551_700_000_000 + day * 86_400_000 + file, "amount_minor": 5} | good
            )
            for day in range(30)
        ]
        lines.insert(3, b"not json")
        lines.append(lines[-1].replace(b"CH04", b"XX99"))
        files.append(tmp_path / f"{file}.jsonl.gz")
        files[-1].write_bytes(gzip.compress(b"\n".join(lines)))
    run = make_run()
    replayed(run, *files, "--to", "2019-03-13")
    rejects = [msgspec.json.decode(line) for line in (run.folder / "out/rejects.jsonl").read_bytes().splitlines()]
    assert [(each["file"], each["line"], each["reason"]) for each in rejects] == [
        (str(file), 4, "not_json") for file in files
    ]
    records = [msgspec.json.decode(message.value()) for log in logs_of(run) for message in log]
    assert [record["id"] for record in records] == [f"{file}-{day}" for day in range(10) for file in range(2)]


def test_batched_records_give_the_same(make_run: Callable[[], StreamRun], tmp_path: Path) -> None:
    run = make_run()
    swiss = swiss_logs(run.run, 1, days=60)
    file = tmp_path / "transactions.jsonl"
    file.write_bytes(b"\n".join(value or b"" for value in swiss.logs[0]))
    replayed(run, file, "--batched")
    published, _ = expected(run.run, swiss.logs)
    found = run.published()
    assert found.essence == published.essence
    assert found.alerts == published.alerts
    assert {dict(message.headers())["content-type"] for log in logs_of(run) for message in log} == {ARROW_STREAM}


def test_panels_that_end_long_before_others(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> None:
    """Each panel has its own partition of partials: where nothing is published at the end, or ever, the replay ends."""
    name = f"replay-{uuid4().hex[:12]}"
    settings = """
[topics]
transactions_partitions = 2
partials_partitions = 3
[[panels]]
id = "AT"
countries = ["AT"]
[[panels]]
id = "CH"
countries = ["CH"]
[[panels]]
id = "DE"
countries = ["DE"]
"""
    run = StreamRun(kafka.address, redis_server.url, tmp_path / name, settings, name=name)
    file = tmp_path / "transactions.jsonl"
    file.write_bytes(
        b"\n".join(
            msgspec.json.encode(
                {
                    "id": f"{country}-{day}", "ts": 1_551_700_000_000 + day * 86_400_000, "amount_minor": 5,
                    "currency": "EUR", "mcc": "5411", "region": region, "country": country,
                }
            )
            for day in range(20)
            for country, region in (("DE", "DE21"), ("AT", "AT13"))
            if country == "DE" or day < 5
        )
    )  # fmt: skip
    replayed(run, file)
    panels = {row["panel"] for row in map(msgspec.json.decode, run.published().aggregates.values())}
    assert panels == {"AT", "DE"}
