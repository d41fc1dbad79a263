"""The plain count against both folds over a random log of hours: equal at every moment, and it sees what is wrong."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.recount import unpacked
from earlywarn.adapters.kafka.wire import encode_rows
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.aggregation.intake import decode, decode_one
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.closings import Closings
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.control_marks import CONTROL_HEADER, END, REENTERED_HEADER, time_mark
from earlywarn.application.recount import Recount
from earlywarn.application.settings import load
from earlywarn.application.verification import Publication, PublishedRow, Verification, verify
from earlywarn.domain.transaction import Transaction

HOUR_MS = 3_600_000
START_MS = 1_553_900_400_000  # 2019-03-30 00:00 in Zurich: the next day has 23 hours
PARTITIONS = 2
SECTOR = "Food and beverage services"
RECEIVED_MS = START_MS + 40 * 24 * HOUR_MS
STEP = 20
Headers = list[tuple[str, bytes | None]]
RECEIVED: Headers = [(RECEIVED_HEADER, str(RECEIVED_MS).encode())]
SETTINGS = """
[fold]
block_size = 10
lateness_seconds = 7200
revision_horizon_days = 3
[[panels]]
id = "CH"
name = "Switzerland"
countries = ["CH"]
classification = "swiss-mcs"
rates = "rates.csv"
"""


@pytest.fixture(scope="module", params=[0, 1, 3], ids=lambda blocks: f"copies told in {blocks} blocks")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("recount") / "run.toml"
    path.write_text(SETTINGS.replace("[fold]", f"[fold]\ndeduplicate_blocks = {request.param}"))
    days = (date(2019, 3, 31) + timedelta(days=day) for day in range(40))
    rates = [f"EUR,{day},{1 + number % 7 / 10}" for number, day in enumerate(days)]
    (path.parent / "rates.csv").write_text("\n".join(["currency,since,rate", *rates]))
    return compose(load(path, {}))


def random_log(rng: Random, *, size: int = 400) -> list[bytes | None]:
    """Return records mostly forward in time: late ones, too late ones, of the future, broken, of all kinds."""
    log: list[bytes | None] = []
    event_ms = START_MS
    for number in range(size):
        event_ms += rng.randrange(HOUR_MS)
        back_ms = rng.choice((0, 0, 0, rng.randrange(5), rng.randrange(100))) * HOUR_MS
        record: dict[str, Any] = {
            "id": f"r{number - rng.choice((0, 0, 0, 3, 17, 29))}",
            "ts": event_ms - back_ms,
            "amount_minor": rng.randint(-3, 500),
            "currency": rng.choice(("CHF", "CHF", "CHF", "EUR")),
            "sector": rng.choice(("Accommodation", SECTOR, "Nonsense")),
            "region": rng.choice(("CH01", "CH02", "CH02", "XX")),
            "country": "CH",
            "channel": "pos",
            "kind": rng.choice(("purchase", "purchase", "purchase", "refund", "reversal")),
            "count": rng.randint(0, 3),
        }
        if rng.random() < 0.02:
            record["ts"] = RECEIVED_MS + HOUR_MS
        log.append(rng.choice((None, b"{", b"[]")) if rng.random() < 0.03 else json.dumps(record).encode())
    return log


class Pipeline:
    """Both folds without a broker, and what they read and sent, to be counted at any moment."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.publication = Publication()
        self.letters: Counter[str] = Counter()
        self.rows: list[PublishedRow] = []
        self._log: list[tuple[int, int, bytes | None, Headers]] = []
        self._partials: list[Partial] = []
        self._blocks = [run.block_fold(partition, PARTITIONS) for partition in range(PARTITIONS)]
        self._fold = compose_fold(run, PARTITIONS)

    def arrive(self, partition: int, values: Sequence[bytes | None], headers: Headers = RECEIVED) -> range:
        """Append records to the log alone; return their offsets."""
        begin = self._blocks[partition].position
        offsets = range(begin, begin + len(values))
        for offset, value in zip(offsets, values, strict=True):
            self._log.append((partition, offset, value, headers))
        return offsets

    def take(self, partition: int, values: Sequence[bytes | None], headers: Headers = RECEIVED) -> None:
        block, offsets = self._blocks[partition], self.arrive(partition, values, headers)
        sealed, rejected = block.add(offsets, decode(values), RECEIVED_MS)
        self.letters.update(each.reject.reason.value for each in rejected)
        self._publish([*sealed, block.flush()])

    def rest(self, partition: int) -> None:
        """Say that a partition is idle: the watermark leaves it behind."""
        self._publish([self._blocks[partition].flush(idle=True)])

    def tell_time(self, partition: int, event_ms: int) -> None:
        """Say that nothing older is still to come in a partition."""
        block = self._blocks[partition]
        self._log.append((partition, block.position, None, [(CONTROL_HEADER, time_mark(event_ms))]))
        self._publish([*block.advance(block.position, event_ms), block.flush()])

    def end(self) -> None:
        for partition, block in enumerate(self._blocks):
            self._log.append((partition, block.position, None, [(CONTROL_HEADER, END)]))
            self._publish(block.end(block.position))

    def _publish(self, partials: Sequence[Partial | None]) -> None:
        for partial in partials:
            if partial is None:
                continue
            self._partials.append(partial)
            for output in self._fold.apply(partial):
                for _, value in encode_rows(output) if isinstance(output, AggregateRows) else ():
                    self.rows.append(msgspec.json.decode(value, type=PublishedRow))
                    self.publication.add(self.rows[-1])

    def verified(self, **changes: Any) -> Verification:
        given = {"publication": self.publication, "letters": self.letters} | changes
        [panel] = (each.panel for each in self.run.panels)
        closings = Closings(
            lambda: PartialsFold(partitions=PARTITIONS, lateness_seconds=self.run.settings.fold.lateness_seconds),
            {0: {panel.id: given["publication"].last_ends(panel)}},
        )
        for partial in self._partials:
            closings.take(0, partial)
        recount = Recount(self.run, unpacked, finite=True, closings=closings.panels)
        for record in self._log:
            recount.take(*record, RECEIVED_MS)
        return verify(self.run, recount, **given, partitions=PARTITIONS)


def played(run: Run, seed: int, *, idle: float = 0.0) -> Iterator[Pipeline]:
    """Yield a pipeline after every step, and at its end; `idle` is how often one is followed by a silence."""
    rng = Random(seed)
    logs = [random_log(rng) for _ in range(PARTITIONS)]
    pipeline = Pipeline(run)
    taken = [0] * PARTITIONS
    while any(at < len(log) for at, log in zip(taken, logs, strict=True)):
        partition = rng.randrange(PARTITIONS)
        pipeline.take(partition, logs[partition][taken[partition] : taken[partition] + STEP])
        taken[partition] += STEP
        if rng.random() < idle:
            pipeline.rest(rng.randrange(PARTITIONS))
        yield pipeline
    pipeline.end()
    yield pipeline


@pytest.fixture(scope="module")
def ended(run: Run) -> Pipeline:
    *_, pipeline = played(run, 1)
    return pipeline


@pytest.mark.parametrize(("seed", "idle"), [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.3), (4, 0.3), (5, 0.3)])
def test_count_and_folds_agree_at_every_moment(run: Run, seed: int, idle: float) -> None:
    seen: Counter[str] = Counter()
    for pipeline in played(run, seed, idle=idle):
        outcome = pipeline.verified()
        assert outcome.equal, outcome
        for name in ("compared", "still_open", "revised_later"):
            seen[name] += bool(getattr(outcome, name))
    assert (outcome.still_open, outcome.revised_later, outcome.cut_off) == (0, 0, 0)
    assert {"too_late", "time_in_future", "currency_no_rate", "region_unknown", "null_value"} <= pipeline.letters.keys()
    assert all(seen[name] > 5 for name in ("compared", "still_open", "revised_later")), seen
    assert outcome.accepted == outcome.messages - PARTITIONS - pipeline.letters.total()
    totals = (row for row in pipeline.rows if row.bucket == "day" and row.series_id.endswith("/*/*"))
    days = {(row.series_id, row.start): row for row in totals}
    assert outcome.transactions == sum(row.transactions for row in days.values()) != outcome.accepted


def test_count_and_folds_agree_on_what_is_late_by_a_mark(run: Run) -> None:
    """Of a partition that was told the time: vintage 0 has none of it."""
    pipeline = Pipeline(run)
    first, second = (random_log(Random(seed), size=60) for seed in (6, 7))
    pipeline.take(0, first)
    pipeline.tell_time(1, START_MS + 24 * HOUR_MS)
    assert pipeline.verified().equal
    pipeline.take(1, second)
    pipeline.tell_time(1, START_MS)
    assert pipeline.verified().equal
    pipeline.end()
    assert pipeline.verified().equal
    assert any(row.vintage for row in pipeline.rows)


def test_a_burst_that_closes_hours_on_its_first_records(run: Run) -> None:
    """A batch sender after a silence: hours of the open day close past the idle; what follows waits for its close."""

    def batch(first: int, last: int, partition: int) -> list[bytes | None]:
        record = {"amount_minor": 100, "currency": "CHF", "sector": SECTOR, "region": "CH02", "country": "CH"}
        return [
            json.dumps(record | {"id": f"{partition}/{hour}", "ts": START_MS + hour * HOUR_MS}).encode()
            for hour in range(first, last)
        ]

    pipeline = Pipeline(run)
    for first, last, waiting in ((0, 7, 4 * 4), (7, 23, 17 * 4), (23, 34, 8 * 4 + 4)):
        for partition in range(PARTITIONS):
            pipeline.rest(partition)
        for partition in range(PARTITIONS):
            pipeline.take(partition, batch(first, last, partition))
            outcome = pipeline.verified()
            assert outcome.equal, outcome
        assert outcome.revised_later == waiting
    assert outcome.compared == 23 * 4


def test_sums_that_are_capped_are_left_out_and_no_others(run: Run) -> None:
    """Of the cell's hour and day, and of what these are part of; what is too much once converted is rejected."""

    def record(number: int, hour: int, region: str, amount_minor: int, currency: str = "CHF") -> bytes:
        return json.dumps(
            {"id": f"r{number}", "ts": START_MS + hour * HOUR_MS, "amount_minor": amount_minor, "count": 1000,
             "currency": currency, "sector": SECTOR, "region": region, "country": "CH"}
        ).encode()  # fmt: skip

    pipeline = Pipeline(run)
    plain = [record(number, number, region, 100) for number in range(60) for region in ("CH01", "CH02")]
    large = [record(1_000 + number, 30, "CH01", 10**15) for number in range(20)]
    pipeline.take(0, [*plain[:60], *large, *plain[60:], record(2_000, 59, "CH01", 10**15, "EUR")])
    pipeline.take(1, plain[::7])
    pipeline.end()
    outcome = pipeline.verified()
    assert outcome.equal, outcome
    assert pipeline.letters["amount_out_of_range"] == 1
    cells_and_totals = 4  # CH01 and the sector in it, the region, the sector and the panel; each an hour and a day
    assert outcome.capped == 2 * cells_and_totals
    changed = next(row for row in pipeline.rows if row.series_id.startswith("CH/CH02/") and row.bucket == "hour")
    rows = [msgspec.structs.replace(changed, amount_minor=1) if each is changed else each for each in pipeline.rows]
    assert pipeline.verified(publication=publication_of(rows)).found == 1


def test_every_changed_row_is_found(ended: Pipeline) -> None:
    latest = {(row.series_id, row.bucket, row.start): row for row in ended.rows}
    for row in Random(2).sample(sorted(latest.values(), key=lambda row: (row.start, row.series_id)), 20):
        for name in ("transactions", "amount_minor"):
            changed = msgspec.structs.replace(row, **{name: getattr(row, name) + 1})
            outcome = ended.verified(
                publication=publication_of([changed if each is row else each for each in ended.rows])
            )
            assert [(each.series_id, each.bucket, each.start) for each in outcome.differences] == [
                (row.series_id, row.bucket, row.start)
            ]
            assert not outcome.equal


def test_a_row_that_stands_there_twice_or_not_at_all(ended: Pipeline) -> None:
    row = next(each for each in ended.rows if each.transactions)
    twice = ended.verified(publication=publication_of([*ended.rows, ended.rows[-1]]))
    assert (twice.found, "published twice" in str(twice.differences[0])) == (1, True)
    place = (row.series_id, row.bucket, row.start)
    without = [each for each in ended.rows if (each.series_id, each.bucket, each.start) != place]
    missing = ended.verified(publication=publication_of(without))
    assert (missing.found, "published no row" in str(missing.differences[0])) == (1, True)


def test_letters_that_are_missing(ended: Pipeline) -> None:
    outcome = ended.verified(letters=ended.letters - Counter({"too_late": 1}))
    [difference] = outcome.differences
    assert (difference.series_id, difference.bucket) == ("dead letters", "too_late")


def test_workers_that_are_behind(ended: Pipeline) -> None:
    half = ended.verified(publication=publication_of(ended.rows[: len(ended.rows) // 2]))
    assert half.behind
    assert not half.equal
    nothing = ended.verified(publication=Publication())
    assert (nothing.compared, nothing.found) == (0, 0)
    assert nothing.behind > half.behind


def test_what_came_in_behind_the_end_waits_for_workers(run: Run) -> None:
    """Before they have folded it, it is behind and no difference, rejects among it; and then it is neither."""
    *_, pipeline = played(run, 1)
    late = random_log(Random(2))[:40]
    reentered = [*RECEIVED, (REENTERED_HEADER, b"0/0/0")]
    pipeline.arrive(0, late, reentered)
    waiting = pipeline.verified()
    assert (waiting.found, waiting.equal) == (0, False)
    *_, folded = played(run, 1)
    folded.take(0, late, reentered)
    assert folded.letters != pipeline.letters
    assert folded.verified().equal
    missing = folded.verified(letters=folded.letters - Counter({"too_late": 100}))
    assert missing.found == 1


def test_what_begins_before_the_log_is_left_out(ended: Pipeline) -> None:
    """As after retention: of the buckets before `whole_from` no number counts."""
    middle = START_MS // 1000 + 5 * 24 * 3600
    changed = [
        msgspec.structs.replace(row, transactions=row.transactions + 1) if row.start < "2019-04-03" else row
        for row in ended.rows
    ]
    outcome = ended.verified(publication=publication_of(changed), whole_from=middle)
    assert outcome.equal
    assert outcome.cut_off
    assert 0 < outcome.compared < ended.verified().compared


def test_batched_records_count_as_single_ones(run: Run) -> None:
    """Arrow batches, one of them damaged, with rows that are rejected."""
    outcomes = [each for each in decode(random_log(Random(3))) if isinstance(each, Transaction)]
    single, batched = Recount(run, unpacked, finite=True), Recount(run, unpacked, finite=True)
    header: Headers = [*RECEIVED, (CONTENT_TYPE_HEADER, ARROW_STREAM)]
    for start in range(0, len(outcomes), 50):
        some = outcomes[start : start + 50]
        for each in some:
            single.take(0, start // 50, msgspec.json.encode(each), RECEIVED, RECEIVED_MS)
        batched.take(0, start // 50, arrow_batch.encode(some), header, RECEIVED_MS)
    assert {at: (each.transactions, each.amount_minor) for at, each in single.buckets.items()} == {
        at: (each.transactions, each.amount_minor) for at, each in batched.buckets.items()
    }
    assert single.accepted == batched.accepted > 100
    batched.take(0, 1_000, b"ARROW1", header, RECEIVED_MS)
    assert batched.rejected == single.rejected + Counter({"not_arrow": 1})


def test_a_header_that_is_no_number_leaves_the_time_of_the_log(run: Run) -> None:
    recount = Recount(run, unpacked, finite=True)
    value = next(each for each in random_log(Random(4)) if isinstance(decode_one(each), Transaction))
    recount.take(0, 0, value, [(RECEIVED_HEADER, b"noon")], START_MS - 24 * HOUR_MS)
    assert recount.rejected == {"time_in_future": 1}


def test_a_header_after_the_time_of_the_log_counts_in_a_replay_alone(run: Run) -> None:
    value = next(each for each in random_log(Random(4)) if isinstance(decode_one(each), Transaction))
    for finite, expected in ((True, {}), (False, {"time_in_future": 1})):
        recount = Recount(run, unpacked, finite=finite)
        recount.take(0, 0, value, RECEIVED, START_MS - 24 * HOUR_MS)
        assert recount.rejected == expected


def test_an_end_mark_ends_a_replay_alone(run: Run) -> None:
    """In a run that goes on it is a dead letter, and so is a mark that nobody knows in either."""
    for finite, expected in ((True, {}), (False, {"control_mark": 1})):
        recount = Recount(run, unpacked, finite=finite)
        for partition in range(PARTITIONS):
            recount.take(partition, 0, None, [(CONTROL_HEADER, END if partition == 0 else b"ended")], RECEIVED_MS)
        assert recount.rejected == Counter({"control_mark": PARTITIONS - 1}) + Counter(expected)
        assert recount.watermark_seconds(1) == (float("inf") if finite else None)


def publication_of(rows: Sequence[PublishedRow]) -> Publication:
    publication = Publication()
    for row in rows:
        publication.add(row)
    return publication
