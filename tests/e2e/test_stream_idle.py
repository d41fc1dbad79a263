"""Partitions into which nothing comes, since keys leave them out or the topic has grown, and a run that goes on."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import msgspec
from short_runs import DAY_MS, MakeRun, day_of_payment, folded_open
from stream_run import Log, Published, StreamRun, wait_until, without_ids
from swiss_logs import PANEL, SAMPLE, swiss_logs

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.aggregation.partial import Partial

IDLE_SECONDS = 4.0


def settings(partitions: int, idle_seconds: float) -> str:
    return f"""
[topics]
transactions_partitions = {partitions}
[service]
flush_seconds = 0.2
idle_seconds = {idle_seconds}
{PANEL}
"""


def economic(published: Published) -> list[tuple[object, ...]]:
    """Return the revisions of economic alerts as a reader tells them apart, but for ids."""
    return [
        (each["series_id"], each["status"], each["revision"], each["opened_on"], each["text"])
        for each in without_ids(published)
        if each["kind"] == "economic"
    ]


def told(run: StreamRun) -> list[Partial]:
    return [decode_partial(each.value(), "a partial") for each in run.read(run.topics.partials)]


def test_partitions_that_keys_leave_out_hold_nothing_back(make_run: MakeRun, tmp_path: Path) -> None:
    """One region's few keys leave two of eight partitions empty; its alerts are those of a run in one process."""
    run = make_run(settings(8, 1))
    ticino = tmp_path / "ticino.csv"
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        ticino.write_text("".join(line for line in lines if ",Ticino," in line or line.startswith("Date,")))
    filled = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "earlywarn", "replay", ticino, "--mapping", "swiss-cards", "--open"],
        env={**os.environ, **run.environment}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert filled.returncode == 0, filled.stderr
    logs: list[Log] = [[] for _ in range(8)]
    for message in run.read(run.topics.transactions):
        logs[message.partition()].append(message.value())
    assert sum(not log for log in logs) == 2
    one = next(at for at, log in enumerate(logs) if log)
    record = msgspec.json.decode(logs[one][-1] or b"")
    closing: list[Log] = [[] for _ in logs]
    closing[one] = [msgspec.json.encode(record | {"ts": record["ts"] + 3 * DAY_MS // 2})]
    alone = folded_open(run, [[*log, *more] for log, more in zip(logs, closing, strict=True)])
    assert len({each[0] for each in economic(alone)}) > 5
    run.start("aggregator")
    run.start("detector")
    wait_until(lambda: {each.partition for each in told(run) if each.idle} == set(range(8)), 30, "all are idle")
    run.produce(closing)  # past all others, which have spoken of the last day, and are not waited for
    wait_until(lambda: len(run.published().essence) >= len(alone.essence), 30, "all days")
    found = run.published()
    assert economic(found) == economic(alone)
    assert without_ids(found) == without_ids(alone)
    assert found.aggregates == alone.aggregates


def test_a_run_alerts_on_past_new_partitions_that_stay_empty(make_run: MakeRun) -> None:
    """The topic grows in a running system; what comes goes on in the old partitions."""
    run = make_run(settings(2, IDLE_SECONDS))
    logs = [[value for value in log if b'"region": "CH07"' in (value or b"")] for log in swiss_logs(run.run, 2).logs]
    alone = folded_open(run, logs)
    half = 200 + min(day_of_payment(log[0]) for log in logs)
    first = [[value for value in log if day_of_payment(value) < half] for log in logs]
    rest = [log[len(before) :] for before, log in zip(first, logs, strict=True)]
    run.produce(first)
    worker = run.start("aggregator")
    run.start("detector")
    wait_until(lambda: bool(run.published().essence), 60, "days are closed")
    topics = msgspec.structs.replace(run.settings.topics, transactions_partitions=4)
    with kafka_admin(run.settings.kafka) as admin:
        ensure_topics(admin, msgspec.structs.replace(run.settings, topics=topics), grow=True)
    wait_until(lambda: "assigned 4 of 4" in worker.text, 60, "the aggregator has the new partitions")
    wait_until(lambda: {each.partition for each in told(run) if each.idle} == {0, 1, 2, 3}, 30, "all are idle")
    run.produce(rest, stop=1)  # wakes the two that go on, so that none is passed over
    woken = [len(log) for log in first]
    wait_until(lambda: [max(p.last for p in told(run) if p.partition == at) for at in (0, 1)] == woken, 30, "both wake")
    run.produce(rest, start=1)
    wait_until(lambda: len(run.published().essence) >= len(alone.essence), 30, "all days")
    found = run.published()
    assert found.aggregates == alone.aggregates
    assert without_ids(found) == without_ids(alone)
    assert economic(found)
