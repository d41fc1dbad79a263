"""Retention removes what stands in a quiet log, or in one that nobody folds: what is lost, and what is not."""

from collections.abc import Mapping

import msgspec
from confluent_kafka import Producer
from kafka import TopicPartition
from short_runs import SWITZERLAND, MakeRun, payment
from stream_run import Log, StreamRun, Worker, expected, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.published_blocks import read_published
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.aggregation.partial import Partial

TWO_PANELS = SWITZERLAND + '[[panels]]\nid = "DE"\ncountries = ["DE"]\n'


def settings(topics: str, panels: str, *, block_size: int = 2_000, idle_seconds: float = 600) -> str:
    """Return the settings of a run of some topics and panels."""
    return (
        f"[topics]\n{topics}\n[fold]\nblock_size = {block_size}\n"
        f"[service]\nflush_seconds = 0.2\ncommit_seconds = 0.3\nidle_seconds = {idle_seconds}\n{panels}"
    )


def log_of(length: int) -> Log:
    """Return payments in two countries by two sources, some late, and now and then a record that is none."""
    return [
        b"{" if at % 37 == 5
        else payment(at, at / 2 - 9 * (at % 11 == 3), source="ab"[at % 2])
        if at % 3
        else payment(at, at / 2, currency="EUR", region="DE21", amount_minor=at)
        for at in range(length)
    ]  # fmt: skip


def remove(run: StreamRun, before: Mapping[int, int]) -> None:
    """Remove the beginnings of partitions, as retention does; -1 removes all."""
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_records({TopicPartition(run.topics.transactions, p): offset for p, offset in before.items()})


def partials(run: StreamRun) -> list[Partial]:
    return [decode_partial(message.value(), "partials") for message in run.read(run.topics.partials)]


def published_to(run: StreamRun, offset: int) -> None:
    """Wait until partials go up to an offset in every partition of the transactions and of the partials."""
    places = run.settings.topics.transactions_partitions * run.settings.topics.partials_partitions
    wait_until(lambda: sum(each.last == offset for each in partials(run)) >= places, 60, f"{offset} is published")


def read(worker: Worker, records: int) -> None:
    wait_until(lambda: worker.metrics()["earlywarn_records_total"] >= records, 60, f"{records} records are read")


def lost(*workers: Worker) -> float:
    return sum(each.metrics()["earlywarn_lost_partitions"] for each in workers)


def test_what_is_folded_of_an_open_block_is_not_lost(make_run: MakeRun) -> None:
    """Not at a restart, nor when another worker joins, though nothing at all is left of one partition.

    The aggregates are the undisturbed run's, and every dead letter is kept.
    """
    run = make_run(settings("transactions_partitions = 2\npartials_partitions = 2\nreplay = true", TWO_PANELS))
    logs = [log_of(300), log_of(300)]
    first, _ = run.start_ready("aggregator"), run.start_ready("detector")
    for start, stop in ((0, 60), (60, 90), (90, 120)):
        run.produce(logs, start=start, stop=stop)
        published_to(run, stop - 1)
    begins = {0: 72, 1: 120}
    remove(run, begins)
    for tail in (1, 1_000):
        found = read_published(run.settings.kafka, run.topics.partials, 2_000, begins, first_tail=tail)
        assert {partition: start.position for partition, start in found.items()} == {0: 90, 1: 120}
    assert first.terminate() < 5
    second = run.start_ready("aggregator")
    run.produce(logs, start=120, stop=200)
    published_to(run, 199)
    remove(run, {0: 200, 1: 130})
    third = run.start_ready("aggregator")
    wait_until(lambda: second.assignments == 2, 60, "both have a share")
    run.produce(logs, start=200)
    run.end(2)
    undisturbed, rejected = expected(run.run, logs)
    outcome = run.wait_for(undisturbed)
    assert outcome.essence == undisturbed.essence
    assert outcome.alerts == undisturbed.alerts
    assert lost(second, third) == 0
    assert "going on behind what is published of it, from offset 90" in second.text
    letters = {message.key() for message in run.read(run.topics.dead_letters)}
    assert len(letters) == rejected.total() == 2 * len(range(5, 300, 37))


def test_a_group_whose_offsets_are_forgotten_goes_on_behind_what_is_published(make_run: MakeRun) -> None:
    run = make_run(settings("transactions_partitions = 1\nreplay = true", TWO_PANELS, block_size=50))
    log = log_of(300)
    first, _ = run.start_ready("aggregator"), run.start_ready("detector")
    run.produce([log], stop=220)
    published_to(run, 219)
    first.terminate()
    remove(run, {0: 163})
    group = f"{run.topics.prefix}{run.topics.run}.aggregator"
    with kafka_admin(run.settings.kafka) as admin:
        wait_until(lambda: admin.delete_groups([group])[group] == "OK", 60, "the group is gone")
    second = run.start_ready("aggregator")
    run.produce([log], start=220)
    run.end(1)
    undisturbed, _ = expected(run.run, [log])
    assert run.wait_for(undisturbed).essence == undisturbed.essence
    assert lost(second) == 0


def test_marks_of_transactions_that_are_removed_were_no_records(make_run: MakeRun) -> None:
    """A sender's last mark goes with all before it, when the partition is silent for as long as the retention."""
    run = make_run(settings("transactions_partitions = 1", SWITZERLAND, idle_seconds=1))
    first = run.start_ready("aggregator")
    sender = Producer({**confluent_connection(run.settings.kafka), "transactional.id": run.topics.run})
    sender.init_transactions(30)
    sender.begin_transaction()
    for each in range(10):
        sender.produce(run.topics.transactions, payment(each, each), partition=0)
    sender.commit_transaction(30)
    wait_until(lambda: any(each.idle and each.last == 10 for each in partials(run)), 60, "it is idle behind the mark")
    first.terminate()
    remove(run, {0: -1})
    second = run.start_ready("aggregator")
    run.produce([[payment(each, each) for each in range(10, 20)]])
    read(second, 10)
    published_to(run, 20)
    assert lost(second) == 0
    sums = {row.bucket: row.transactions for each in partials(run) for row in each.rows}
    assert sum(sums.values()) == 20


def test_what_was_not_yet_folded_is_lost(make_run: MakeRun) -> None:
    """That partition is lost and says so, in one alert; the other one goes on, and so does the worker."""
    run = make_run(settings("transactions_partitions = 2", SWITZERLAND))
    first, detector = run.start_ready("aggregator"), run.start_ready("detector")
    run.produce([[payment(each, each) for each in range(30)]] * 2)
    read(first, 60)
    wait_until(lambda: len(run.published().aggregates) > 0, 30, "the first buckets")
    assert first.terminate() < 5
    run.produce([[payment(each, each) for each in range(30, 50)]] * 2)
    remove(run, {0: 40})
    second = run.start_ready("aggregator")
    run.produce([[payment(each, each) for each in range(50, 100)]] * 2)
    wait_until(lambda: len(run.published().alerts) > 0, 30, "the alert")

    def day() -> list[int]:
        rows = map(msgspec.json.decode, run.published().aggregates.values())
        return [
            row["transactions"]
            for row in rows
            if (row["bucket"], row["level"], row["start"][:10]) == ("day", "panel", "2019-03-06")
        ]

    wait_until(lambda: day() == [24], 30, "a day of the other partition alone")
    [lost] = [each for each in map(msgspec.json.decode, run.published().alerts.values()) if "lost: " in str(each)]
    assert (lost["kind"], lost["status"], lost["opened_on"]) == ("coverage", "open", "2019-03-05")
    assert "source partition 0" in lost["text"]
    assert "offset 30 is needed, the log begins at 40" in lost["text"]
    assert second.metrics()["earlywarn_lost_partitions"] == 1
    assert [worker.process.poll() for worker in (second, detector)] == [None, None]
    wait_until(lambda: "is needed, but the log begins" in second.text, 10, "the log says it")
    assert second.ready()
    third = run.start("aggregator")

    def shares() -> set[str]:
        return {each.missing() for each in (second, third) if each.port is not None}

    nothing_else = "not counting: every partition that it has is lost (docs/delivery.md, A lost partition)\n"
    wait_until(lambda: shares() == {"", nothing_else}, 60, "one has the lost partition, the other counts")
    wait_until(lambda: third.assignments == 1, 60, "each of them has a share")
    assert sum("lost: " in each.decode() for each in run.published().alerts.values()) == 1


def test_a_quiet_partition_holds_up_no_other_and_takes_little_memory(make_run: MakeRun) -> None:
    """Hundreds of thousands of partials stand behind those of its block; who comes next finds what it needs soon."""
    run = make_run(settings("transactions_partitions = 2", SWITZERLAND))
    first = run.start_ready("aggregator")
    run.produce([log_of(60)] * 2)
    published_to(run, 59)
    first.terminate()
    remove(run, {0: -1})
    last = next(each for each in run.read(run.topics.partials) if each.key() == b"1")
    sender = Producer(confluent_connection(run.settings.kafka) | {"compression.type": "lz4"})
    for each in range(300_000):
        sender.produce(run.topics.partials, last.value(), last.key(), partition=0)
        if not each % 10_000:
            sender.flush(30)
    assert sender.flush(30) == 0
    second = run.start_ready("aggregator")
    run.produce([log_of(90)] * 2, start=60)
    read(second, 60 + 30 + 30)
    assert "going on behind what is published of it, from offset 60" in second.text
    assert second.memory_mib() < 240
    second.kill()
    third = run.start_ready("aggregator")
    wait_until(lambda: "going on behind what is published of it" in third.text, 30, "it goes on")
    assert third.text.count("reading the last") == 1
    assert lost(third) == 0
