"""Re-entering dead letters: each once, whatever is sent again and whatever retention takes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from kafka import TopicPartition
from kafka_broker import KafkaBroker
from plain_topics import producer, sent
from stream_run import StreamRun, wait_until
from typer.testing import CliRunner

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.dead_letters import Letter, Reentry, read_letters
from earlywarn.adapters.kafka.topic_scan import TopicScan, partition_count
from earlywarn.adapters.kafka.wire import encode_dead_letter, encode_partial
from earlywarn.adapters.replay import Pace, RunSource
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.aggregation.partial import Partial
from earlywarn.application.aggregator import DeadLetter
from earlywarn.cli.app import app
from earlywarn.domain.reject import Reject, RejectReason

SETTINGS = """
[topics]
transactions_partitions = 1
[[panels]]
id = "CH"
countries = ["CH"]
"""
REJECT = Reject(reason=RejectReason.REGION_UNKNOWN, field="region", detail="")
DAY_MS = 86_400_000


@pytest.fixture
def run(kafka: KafkaBroker, tmp_path: Path) -> Iterator[StreamRun]:
    """Return a run without workers: a test says what they have sent."""
    name = f"letters-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, "redis://127.0.0.1:1", tmp_path, SETTINGS, name=name) as found:
        yield found


def payment(offset: int) -> bytes:
    return (
        b'{"id":"t%d","ts":1551702896000,"amount_minor":5,"currency":"CHF","mcc":"5411","region":"XX","country":"CH"}'
        % offset
    )


def append(run: StreamRun, records: int) -> None:
    """Append records that cannot be used."""
    run.produce([[payment(offset) for offset in range(records)]])


def send_letter(
    run: StreamRun, offset: int, *, days_ago: int = 0, kept_in: int = 0, received_ms: int | None = None
) -> None:
    """Send the dead letter of a record, as an aggregator does, each time that it folds it."""
    received_ms = received_ms or int(time.time() * 1000) - days_ago * DAY_MS
    letter = DeadLetter(0, offset, payment(offset), received_ms, REJECT)
    key, value, headers = encode_dead_letter(letter, run.topics.transactions, 1 << 20)
    sender = producer(run.settings.kafka)
    sender.produce(run.topics.dead_letters, value, key, partition=kept_in, headers=headers)
    sent(sender)


def take(run: StreamRun, topic: str) -> int:
    """Remove all that stands in a topic, as retention does in the end; return where it begins now."""
    scan = TopicScan(run.settings.kafka, topic)
    scan.close()
    end = scan.extents[0].high
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_records({TopicPartition(topic, 0): end})
    return end


def dlq_replay(run: StreamRun, *more: str) -> dict[str, Any]:
    arguments = ["dlq", "replay", "--mend", "region=CH04", "--json", *more]
    found: dict[str, Any] = json.loads(CliRunner().invoke(app, arguments, env=run.environment).stdout)
    return found


def reentered(run: StreamRun) -> list[str]:
    """Return the keys of the letters that stand in transactions as what they became."""
    headers = [dict(record.headers) for record in TopicScan(run.settings.kafka, run.topics.transactions)]
    return [(each["dlq_key"] or b"").decode() for each in headers if "dlq_key" in each]


def test_a_letter_that_outlives_its_mark_is_not_re_entered_again(run: StreamRun) -> None:
    """A block that is folded anew sends its letters behind their marks; what they became says that it is there."""
    append(run, 2)
    send_letter(run, 0)
    assert dlq_replay(run)["reentered"] == 1
    take(run, run.topics.dead_letters)
    send_letter(run, 0)
    send_letter(run, 1)
    found = dlq_replay(run)
    assert (found["reentered"], found["reentered_before"], found["unmendable"]) == (1, 1, 0)
    assert reentered(run) == ["0/0/0", "0/1/0"]


@pytest.mark.parametrize("left", [True, False])
def test_a_mark_may_have_stood_in_another_partition_than_the_letter(run: StreamRun, *, left: bool) -> None:
    """Once the dead letters have grown; be anything left where it stood or not."""
    append(run, 2)
    send_letter(run, 0)
    assert dlq_replay(run)["reentered"] == 1
    with kafka_admin(run.settings.kafka) as admin:
        admin.create_partitions({run.topics.dead_letters: 2})
    wait_until(lambda: partition_count(run.settings.kafka, run.topics.dead_letters) == 2, 30, "it has grown")
    send_letter(run, 0, kept_in=1)
    take(run, run.topics.dead_letters)
    send_letter(run, 1, kept_in=0 if left else 1)
    found = dlq_replay(run)
    assert (found["reentered"], found["reentered_before"], found["unmendable"]) == (1, 1, 0)
    assert reentered(run) == ["0/0/0", "0/1/0"]


def test_what_nobody_can_tell_any_more_is_left(run: StreamRun) -> None:
    """Without its record, of a letter older than letters are kept; a younger one would have its mark."""
    append(run, 2)
    take(run, run.topics.transactions)
    send_letter(run, 0)
    take(run, run.topics.dead_letters)
    send_letter(run, 0, days_ago=31)
    send_letter(run, 1, days_ago=1)
    found = dlq_replay(run)
    assert reentered(run) == ["0/1/0"]
    [left] = found["unmendable_listed"]
    assert (left["key"], found["unmendable"], found["reentered"]) == ("0/0/0", 1, 1)
    assert "retention has taken its record" in left["detail"]


def test_nothing_is_re_entered_where_nobody_counts_it(run: StreamRun) -> None:
    """Letters of a partition that is lost are left and listed, and none is marked."""
    append(run, 2)
    take(run, run.topics.transactions)
    send_letter(run, 0)
    sender = producer(run.settings.kafka)
    block = {
        "partition": 0,
        "partitions": 1,
        "block": 0,
        "since": -1,
        "last": -1,
        "sealed": False,
        "event_time_ms": None,
    }
    for partial in (Partial(**block), Partial(**block, lost=2)):  # type: ignore[arg-type]  # of several types
        [(key, value)] = encode_partial(partial)
        sender.produce(run.topics.partials, value, key, partition=0)
    sent(sender)
    for _ in range(2):
        found = dlq_replay(run)
        [left] = found["unmendable_listed"]
        assert (found["reentered"], found["reentered_before"], found["unmendable"]) == (0, 0, 1)
        assert "is lost, and nothing that is sent there is counted any more" in left["detail"]
    assert reentered(run) == []


def test_no_transaction_is_open_while_the_next_letter_is_waited_for(run: StreamRun) -> None:
    """Judging the letters between two that are mended may take longer than a broker leaves a transaction open."""
    append(run, 2)
    send_letter(run, 0)
    send_letter(run, 1)
    reentry = Reentry(run.settings.kafka, run.topics)
    reentry.open()

    def judged() -> Iterator[tuple[Letter, bytes]]:
        for letter in read_letters(TopicScan(run.settings.kafka, run.topics.dead_letters)):
            assert not reentry._transactions.under_way
            yield letter, b"mended"
        assert not reentry._transactions.under_way

    assert reentry.reenter(judged()) == 2
    assert reentered(run) == ["0/0/0", "0/1/0"]


@pytest.mark.parametrize("leaves_open", [True, False])
def test_what_was_re_entered_before_a_copy_is_not_again_in_it(
    run: StreamRun, kafka: KafkaBroker, tmp_path: Path, *, leaves_open: bool
) -> None:
    """The bad record is a letter of the copy, without a mark; a key of the old run's letters names none of the copy."""
    run.produce([[payment(0)]])
    time.sleep(0.01)  # what came in within one millisecond is not told apart
    run.produce([[payment(1)]])
    received = {record.offset: record.timestamp_ms for record in TopicScan(run.settings.kafka, run.topics.transactions)}
    send_letter(run, 1, received_ms=received[1])
    assert dlq_replay(run)["reentered"] == 1
    copy = StreamRun(kafka.address, "redis://127.0.0.1:1", tmp_path / "copy", SETTINGS, name=f"{run.topics.run}-2")
    copy.settings = msgspec.structs.replace(
        copy.settings, topics=msgspec.structs.replace(copy.settings.topics, replay=not leaves_open)
    )
    with copy:
        log = ReplayLog(copy.settings.kafka, copy.topics)
        source = RunSource(copy.settings.kafka, run.topics, leaves_open=leaves_open)
        assert log.open() is None
        log.leave_open(
            source.send(log, source.beginning(1), Pace(None, clock=time.monotonic, sleep=time.sleep), lambda _: None)
        )
        for offset, at in received.items():
            send_letter(copy, offset, received_ms=at)
        found = dlq_replay(copy)
        assert (found["reentered"], found["reentered_before"], found["unmendable"]) == (1, 0, 0)
        assert (found["before_copy"], found["before_copy_listed"]) == (1, ["0/1/0"])
        told = CliRunner().invoke(app, ["dlq", "replay", "--mend", "region=CH04"], env=copy.environment)
        assert (told.exit_code, "1 dead letters are left: this run is a copy" in told.stderr) == (0, True), told.output
        assert dlq_replay(copy, "--key", "0/1/0")["reentered"] == 1
        after = [key for key in reentered(copy) if key in {"0/0/0", "0/1/0"}]
        assert after[-2:] == ["0/0/0", "0/1/0"]
        assert len(after) == (2 if leaves_open else 3)
