"""A replay whose transaction a broker takes back, or refuses: sent again, or told with a way out."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from plain_topics import set_config
from redis_server import RedisServer
from stream_run import StreamRun
from swiss_logs import PANEL

from earlywarn.adapters.kafka.transactions import RefusedError, TakenBackError
from earlywarn.adapters.replay import Pace
from earlywarn.adapters.replay.play import Replay, send
from earlywarn.adapters.replay.position import ReplayPosition
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.adapters.replay.source import Source, Tell

BEGINNING = ReplayPosition(source="s", described="what is replayed", partitions=8)
SETTINGS = f"[topics]\nreplay = true\n{PANEL}"
SendAll = Callable[[ReplayLog, ReplayPosition], ReplayPosition]


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as made:
        yield made


def played(run: StreamRun, send_all: SendAll) -> ReplayPosition:
    def send_from(log: ReplayLog, position: ReplayPosition, _pace: Pace, _tell: Tell) -> ReplayPosition:
        return send_all(log, position)

    source = cast("Source", SimpleNamespace(send=send_from, beginning=lambda _: BEGINNING))
    pace = Pace(None, clock=time.monotonic, sleep=time.sleep)
    replay = Replay(run=run.run, source=source, pace=pace, aggregators=0, environment={}, logs=run.folder)
    log = ReplayLog(run.settings.kafka, run.topics)
    assert log.open() is None
    return send(replay, log, BEGINNING, lambda _: None, lambda: None)


def test_what_was_taken_back_is_sent_again_by_the_same_replayer(run: StreamRun) -> None:
    attempts: list[ReplayPosition] = []

    def send_all(log: ReplayLog, position: ReplayPosition) -> ReplayPosition:
        attempts.append(position)
        log.send(0, b"%d" % len(attempts))
        if len(attempts) == 1:
            raise TakenBackError("a broker has taken it back")
        return position

    assert played(run, send_all).ended
    assert attempts == [BEGINNING] * 2
    values = [message.value() for message in run.read(run.topics.transactions)]
    assert [value for value in values if value is not None] == [b"2"]


def test_what_is_refused_ends_a_replay_with_the_cause_and_a_way_out(run: StreamRun) -> None:
    topic = run.topics.transactions
    set_config(run.settings.kafka, topic, "max.message.bytes", "100")

    def send_all(log: ReplayLog, position: ReplayPosition) -> ReplayPosition:
        log.send(0, bytes(range(256)) * 4)
        log.commit(position)
        return position

    with pytest.raises(RefusedError, match=f"{topic}.* is refused, .*too large.* earlywarn topics create --check"):
        played(run, send_all)
    assert list(run.read(topic)) == []
