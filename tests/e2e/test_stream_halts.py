"""What may stand in a log, or be gone from it, and must not bring a run to a halt: short runs of real services."""

import json
import time
from collections.abc import Sequence

import msgspec
from confluent_kafka import Producer
from short_runs import HOUR_MS, START_MS, SWITZERLAND, MakeRun, payment
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.recount import verify_run
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.aggregation.columns import ARROW_STREAM
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import OTHER_SOURCES, Partial
from earlywarn.domain.transaction import TEXT_LENGTH, Transaction

ANYWHERE = """
[[panels]]
id = "any"
currency = "CHF"
time_zone = "UTC"
region_level = "none"
any_region = true
classification = "open"
"""


def settings(partitions: int, *, idle_seconds: float = 600, panel: str = SWITZERLAND) -> str:
    """Return the settings of a run that is no replay."""
    return (
        f"[topics]\ntransactions_partitions = {partitions}\n"
        f"[service]\nflush_seconds = 0.2\nidle_seconds = {idle_seconds}\n{panel}"
    )


def partials(run: StreamRun) -> list[Partial]:
    return [decode_partial(message.value(), "partials") for message in run.read(run.topics.partials)]


def produce_arrow(run: StreamRun, transactions: Sequence[Transaction]) -> None:
    """Append one batched record, as its sender's client compresses it."""
    message = arrow_batch.encode(transactions)
    assert len(message) < run.settings.topics.message_bytes
    connection = confluent_connection(run.settings.kafka)
    producer = Producer({**connection, "message.max.bytes": 5_000_000, "compression.type": "lz4"})
    producer.produce(run.topics.transactions, message, partition=0, headers=[("content-type", ARROW_STREAM)])
    assert producer.flush(30) == 0


def read(worker: Worker, records: int) -> None:
    wait_until(lambda: worker.metrics()["earlywarn_records_total"] >= records, 60, f"{records} records are read")


def test_a_batched_record_of_many_sources_and_one_of_many_cells(make_run: MakeRun) -> None:
    """Partials of more bytes than a message may have: all of it counts, and the worker goes on."""
    run = make_run(settings(1, panel=ANYWHERE))
    worker = run.start_ready("aggregator")
    longest = "\x01" * (TEXT_LENGTH - 5)
    plain = Transaction(id="t", ts=START_MS, amount_minor=5, currency="CHF", region="R", sector="x")
    produce_arrow(run, [msgspec.structs.replace(plain, source=f"{at:05d}{longest}") for at in range(14_000)])
    cells = [
        msgspec.structs.replace(plain, region=f"{at:05d}{longest}", sector=f"{at:05d}{longest}") for at in range(7_000)
    ]
    produce_arrow(run, cells)
    run.produce([[payment(each, 0) for each in range(10)]])
    merge, counted, named = PartialsFold(partitions=1, lateness_seconds=3600), 0, dict[str, int]()

    def all_counted() -> bool:
        nonlocal merge, counted
        merge, counted = PartialsFold(partitions=1, lateness_seconds=3600), 0
        named.clear()
        for partial in partials(run):
            applied = merge.apply(partial)
            counted += sum(each.transactions for each in applied.differences)
            for each in applied.delivered:
                named[each.feed] = named.get(each.feed, 0) + each.transactions
        return counted == 14_000 + 7_000 + 10

    read(worker, 12)
    wait_until(all_counted, 30, "every transaction of both")
    limit = run.settings.fold.sources_limit
    assert (len(named), named[OTHER_SOURCES]) == (limit + 1, 14_000 - limit)
    assert sum(partial.parts > 1 for partial in partials(run)) >= 5
    assert worker.process.poll() is None


def test_a_sender_that_makes_codes_up_makes_no_state_without_end(make_run: MakeRun) -> None:
    """Beyond the limit of cells what it brings counts together; all of it counts, and a recount agrees."""
    run = make_run(settings(1, panel=f"{ANYWHERE}[coverage]\ncells_limit = 20\n"))
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    plain = {"amount_minor": 100, "currency": "CHF"}
    made_up = [
        plain | {"id": f"h{at}", "ts": START_MS + at * HOUR_MS // 40, "region": f"R{at}", "sector": f"x:{at}"}
        for at in range(2_000)
    ]
    run.produce([[json.dumps(each).encode() for each in made_up]])

    def cells() -> dict[str, int]:
        rows = map(msgspec.json.decode, run.published().aggregates.values())
        days = [row for row in rows if (row["bucket"], row["start"][:10]) == ("day", "2019-03-05")]
        return {row["series_id"]: row["transactions"] for row in days if row["level"] in ("cell", "panel")}

    wait_until(lambda: len(cells()) > 0, 60, "a whole day")
    assert len(cells()) == 20 + 1 + 1
    assert cells()["any/%28others%29/%28others%29"] == cells()["any/*/*"] == 24 * 40
    assert workers[1].metrics()['earlywarn_panel_cells{panel="any"}'] == 20 + 1
    assert verify_run(run.run).equal


def test_a_stray_end_mark_in_a_run_that_goes_on(make_run: MakeRun) -> None:
    """It is a dead letter, counted, and vintage 0 of what comes after it is whole."""
    run = make_run(settings(1))
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    run.produce([[payment(each, each) for each in range(40)]])
    run.end(1)
    run.produce([[payment(each, each) for each in range(40, 100)]])

    def days() -> dict[str, tuple[int, int]]:
        rows = map(msgspec.json.decode, run.published().aggregates.values())
        return {
            row["start"][:10]: (row["vintage"], row["transactions"])
            for row in rows
            if (row["bucket"], row["level"]) == ("day", "panel")
        }

    wait_until(lambda: len(days()) == 4, 30, "four days")
    assert days() == {"2019-03-04": (0, 11), **{f"2019-03-0{day}": (0, 24) for day in (5, 6, 7)}}
    [letter] = run.read(run.topics.dead_letters)
    assert dict(letter.headers())["reason"] == b"control_mark"
    assert workers[0].metrics()['earlywarn_rejected_transactions_total{reason="control_mark"}'] == 1


def test_a_flood_of_what_cannot_be_used_is_told_without_its_content(make_run: MakeRun) -> None:
    """One line with the number and the leading reason; neither a card token nor anything else of a record."""
    run = make_run(settings(1))
    worker = run.start_ready("aggregator")
    broken = json.dumps({"id": "t", "ts": START_MS, "card": "token-4711", "mcc": "a secret"}).encode()
    run.produce([[broken] * 300 + [b"card token-4711, no JSON"] * 100])
    wait_until(lambda: "were rejected" in worker.text, 30, "it is told")
    [line] = [line for line in worker.text.splitlines() if "were rejected" in line]
    assert " WARNING " in line
    assert "400 of 400 transactions" in line
    assert "300 of them as mcc_invalid" in line
    assert "4711" not in worker.text
    assert "secret" not in worker.text


def test_an_open_transaction_is_no_idleness(make_run: MakeRun) -> None:
    """What it holds is not read yet, but the log goes on: idle is said when it is over and all of it is read."""
    run = make_run(settings(2, idle_seconds=1))
    connection = confluent_connection(run.settings.kafka)
    producer = Producer({**connection, "transactional.id": f"{run.topics.run}.test"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(5):
        producer.produce(run.topics.transactions, payment(number, number), partition=0)
    assert producer.flush(30) == 0
    worker = run.start_ready("aggregator")

    def idle() -> list[tuple[int, int]]:
        return [(each.partition, each.last) for each in partials(run) if each.idle]

    wait_until(lambda: idle() == [(1, -1)], 30, "the empty partition is idle")
    asked_from = time.monotonic()  # twice a second: the other one is asked after as well
    wait_until(lambda: time.monotonic() - asked_from > 2.5, 5, "it is asked after")
    assert idle() == [(1, -1)]
    producer.commit_transaction(30)
    wait_until(lambda: idle() == [(1, -1), (0, 5)], 30, "the other is idle at its end, the mark behind it included")
    assert worker.process.poll() is None


def test_what_waits_for_the_next_close_of_a_day_is_no_difference(make_run: MakeRun) -> None:
    """A partition that was idle speaks again of days that closed without it, before they were published."""
    run = make_run(settings(2, idle_seconds=1))
    aggregator = run.start_ready("aggregator")

    def folded(partition: int, last: int, *, idle: bool = False) -> bool:
        return any((each.partition, each.last, each.idle) == (partition, last, idle) for each in partials(run))

    run.produce([[payment(each, each) for each in range(30)]] * 2)
    wait_until(lambda: folded(0, 29, idle=True), 30, "one partition is idle")
    run.produce([[], [payment(each, each) for each in range(30, 90)]])
    wait_until(lambda: folded(1, 89), 30, "the other goes on by days")
    run.produce([[payment(each, each) for each in range(31, 34)], []])
    wait_until(lambda: folded(0, 32), 30, "the first one speaks again")
    detector = run.start_ready("detector")
    wait_until(lambda: detector.metrics()["earlywarn_partials_folded_total"] == len(partials(run)), 30, "all is folded")
    outcome = verify_run(run.run)
    assert outcome.differences == []
    assert outcome.equal
    assert outcome.revised_later > 0
    run.produce([[], [payment(each, each) for each in range(90, 120)]])
    wait_until(lambda: folded(0, 32, idle=True) and folded(1, 119), 30, "another day is over")
    wait_until(lambda: verify_run(run.run).revised_later == 0, 30, "it is published")
    assert verify_run(run.run).equal
    assert [worker.process.poll() for worker in (aggregator, detector)] == [None, None]
