"""However a log is cut into single and batched records, the fold of both is that of single records alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
from fold_oracle import HOUR_MS, Payment, count_plainly, small_panel
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.adapters.arrow_batch import ArrowBatch, decode, encode, encode_table
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.intake import decode as decode_json
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.route import Router
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.reject import Reject
from earlywarn.reference.classifications import load_classification
from earlywarn.reference.nuts import load_regions

PARAMETERS = FoldParameters(block_size=3, lateness_seconds=2 * 3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000
RECEIVED_MS = START_MS + 60 * HOUR_MS

Record = dict[str, Any]
Message = list[Record]
"""Records that travel as one: a single one as JSON, more as an Arrow stream."""

NUMBERS = {"ts", "amount_minor", "count", "v"}
MOSTLY = 12
"""Good values stand so often among the bad ones that half of the records are good."""


def mostly(*good: object, bad: Sequence[object]) -> st.SearchStrategy[Any]:
    """Draw a good value, seldom a bad one."""
    return st.sampled_from([*(list(good) * (MOSTLY * len(bad) // len(good) + 1)), *bad])


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": mostly("x", bad=["", "y" * 129, None]),
    "ts": st.integers(0, HOUR_MS - 1),
    "amount_minor": mostly(0, 5, 123_456_789, 10**15, bad=[-7, 10**15 + 1, -(10**15), None]),
    "currency": mostly("CHF", "CHF", "EUR", bad=["USD", "XXQ", "", None]),
    "mcc": mostly("5411", "5812", None, bad=["54", "٥٤١١", "0000"]),
    "region": mostly("CH040", "CH04", "DE212", bad=["CH99", "8001", "R", "r" * 257, "", None]),
    "country": mostly("CH", "DE", None, bad=["FR", "Switzerland", "ch"]),
    "channel": mostly("pos", "ecom", None, bad=["fax"]),
    "card": mostly("token", None, bad=["c" * 257]),
    "source": mostly("a", "b", None, bad=["", "s" * 257, "é" * 200]),
    "sector": mostly(None, "mcc:5912", bad=[" ", "", "other:17"]),
    "merchant": mostly(None, "Bakery", "Cinema", bad=["m" * 257, " "]),
    "kind": mostly("purchase", "purchase", None, "refund", "reversal", bad=["gift", ""]),
    "count": mostly(1, None, 0, 7, bad=[-1, -7, 10**9 + 1, -(10**9) - 1]),
    "v": mostly(1, None, bad=[2]),
}


@st.composite
def logs(draw: st.DrawFn) -> list[Message]:
    """Return a log of messages: mostly forward in time, with stragglers, leaps into the future and broken fields."""
    found = []
    event_ms = START_MS
    for size in draw(st.lists(st.integers(1, 9), max_size=8)):
        message = []
        for _ in range(size):
            record = {name: draw(strategy) for name, strategy in FIELDS.items()}
            step = draw(st.sampled_from([0, 0, 0, 1, 1, 2, -1, -2, -4, -30, -60, 90, None]))
            if step is None:
                record["ts"] = draw(st.sampled_from([0, 10**18, None]))
            else:
                record["ts"] += event_ms + step * HOUR_MS
                event_ms = max(event_ms, min(record["ts"], RECEIVED_MS))
            message.append(record)
        found.append(message)
    return found


@cache
def panels(name: str) -> tuple[Panel, ...]:
    """Return a panel that takes everything, or two countries with a shop's name among the sectors."""
    if name == "open":
        return (small_panel(),)
    tree, classification = load_regions(), load_classification("mcc")
    merchants = {"bakery": classification.mccs["5462"], "cinema": classification.mccs["7832"]}
    return tuple(
        Panel(
            id=country,
            currency=currency,
            countries=(country,),
            calendar=LocalCalendar("Europe/Zurich"),
            regions=RegionResolver(tree, level=2, countries=(country,)),
            classification=replace(classification, merchants=merchants),
            rates=small_panel().rates if currency == "CHF" else RateTable("EUR", {}),
        )
        for country, currency in (("CH", "CHF"), ("DE", "EUR"))
    )


def as_json(record: Record) -> bytes:
    return msgspec.json.encode({name: value for name, value in record.items() if value is not None})


def as_arrow(message: Message, rng: Random) -> bytes:
    """Return one message, its texts as dictionaries or as they are; columns without a value may be left out."""
    arrays = {}
    for name in FIELDS:
        array = pa.array([record[name] for record in message], pa.int64() if name in NUMBERS else pa.string())
        if array.null_count < len(array) or name in {"id", "ts", "amount_minor", "currency"} or rng.random() < 0.5:
            arrays[name] = array
    if rng.random() < 0.5:
        return encode_table(pa.table(arrays))
    batch = pa.record_batch(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


class Outcome:
    """What a detector makes of partials, and what was rejected by the number of the record in the log."""

    def __init__(self, partials: Sequence[Partial], rejects: dict[int, Reject], newest_ms: int | None) -> None:
        self.rows: Counter[tuple[object, ...]] = Counter()
        self.sources: Counter[tuple[object, ...]] = Counter()
        self.unread: Counter[tuple[object, ...]] = Counter()
        self.rejected: Counter[str] = Counter()
        self.rejects = rejects
        self.newest_ms = newest_ms
        fold = PartialsFold(partitions=1, lateness_seconds=PARAMETERS.lateness_seconds)
        for partial in partials:
            applied = fold.apply(partial)
            for row in applied.differences:
                key = (row.panel, row.region, row.sector, row.bucket, row.late)
                self.rows[*key, "transactions"] += row.transactions
                self.rows[*key, "amount"] += row.amount_minor
            for each in applied.delivered:
                self.sources[each.panel, each.feed, each.bucket] += each.transactions
            for each in applied.unread:
                self.unread[tuple(each[:-1])] += each.transactions
            self.rejected.update(applied.rejected)


def one_by_one(log: Sequence[Message], router: Router) -> Outcome:
    """Fold a log of single records, in one go."""
    records = [record for message in log for record in message]
    fold = BlockFold(router, PARAMETERS)
    sealed, rejected = fold.add(range(len(records)), decode_json([as_json(each) for each in records]), RECEIVED_MS)
    last = fold.flush(end=True)
    assert last is not None
    return Outcome([*sealed, last], {each.offset: each.reject for each in rejected}, fold.event_time_ms)


def in_messages(log: Sequence[Message], router: Router, rng: Random) -> Outcome:
    """Fold messages, JSON and Arrow; crash now and then, and fold the block again; send some partials twice."""
    values = [as_json(each[0]) if len(each) == 1 and rng.random() < 0.8 else as_arrow(each, rng) for each in log]
    numbers = [sum(map(len, log[:at])) for at in range(len(log))]
    fold = BlockFold(router, PARAMETERS)
    sent: list[Partial] = []
    rejects: dict[int, Reject] = {}
    crashes = 0
    while fold.position < len(log):
        at = fold.position
        if values[at].startswith(b"{"):
            sealed, rejected = fold.add([at], decode_json([values[at]]), RECEIVED_MS)
        else:
            batch = decode(values[at])
            assert isinstance(batch, ArrowBatch)
            sealed, rejected = fold.add_columns(at, batch.columns, RECEIVED_MS)
        assert fold.position == at + 1
        for each in rejected:
            assert rejects.setdefault(numbers[at] + each.index, each.reject) == each.reject
        sent += sealed
        if rng.random() < 0.4:
            news = fold.flush()
            sent += [] if news is None else [news]
        if rng.random() < 0.2 and crashes < 5:
            crashes += 1
            lost = rng.randrange(3)
            while lost and sent and sent[-1].block == fold.block:
                sent.pop()
                lost -= 1
            start = fold.block * PARAMETERS.block_size
            fold = BlockFold(router, PARAMETERS, position=start, event_time_ms=fold.block_event_time_ms)
    last = fold.flush(end=True)
    assert last is not None
    sent.append(last)
    for _ in range(rng.randrange(3)):
        twice = rng.randrange(len(sent))
        sent.insert(rng.randint(twice, len(sent)), sent[twice])
    return Outcome(sent, rejects, fold.event_time_ms)


@given(log=logs(), seed=st.integers(0, 2**32), name=st.sampled_from(["open", "countries"]))
def test_batched_records_count_as_their_rows_would_one_by_one(log: list[Message], seed: int, name: str) -> None:
    """Rows on time and late, volumes by source, rejects with their places, and M are the same, however cut."""
    router = Router(panels(name))
    single, batched = one_by_one(log, router), in_messages(log, router, Random(seed))
    assert dict(batched.rows) == dict(single.rows)
    assert dict(batched.sources) == dict(single.sources)
    assert dict(batched.unread) == dict(single.unread)
    assert batched.rejected == single.rejected
    assert batched.rejects == single.rejects
    assert batched.newest_ms == single.newest_ms


@given(
    steps=st.lists(st.tuples(st.integers(-60, 14), st.integers(0, 2**32)), max_size=40),
    cuts=st.lists(st.integers(1, 12), min_size=40, max_size=40),
)
def test_batched_records_equal_a_plain_count(steps: list[tuple[int, int]], cuts: list[int]) -> None:
    """The oracle knows neither JSON nor columns: it counts payments in a loop."""
    log, event_ms = [], START_MS
    for step, seed in steps:
        rng = Random(seed)
        at = event_ms + (step if step < -50 else max(step, -5)) * HOUR_MS // 2 + rng.randrange(HOUR_MS)
        kind, currency = rng.choice(["purchase"] * 6 + ["refund", "reversal"]), rng.choice(["CHF"] * 8 + ["EUR", "USD"])
        log.append(Payment(at, rng.choice("RS"), rng.choice("xy"), rng.randint(-3, 1000), kind, currency))
        event_ms = max(event_ms, at)
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    partials: list[Partial] = []
    rest = list(log)
    while rest:
        size = cuts[fold.position]
        batch = decode(encode([each.transaction() for each in rest[:size]]))
        assert isinstance(batch, ArrowBatch)
        partials += fold.add_columns(fold.position, batch.columns, 4_000_000_000_000)[0]
        rest = rest[size:]
    last = fold.flush(end=True)
    assert last is not None
    truth, found = count_plainly([log], PARAMETERS), Outcome([*partials, last], {}, None)
    expected: Counter[tuple[object, ...]] = Counter()
    for late, sums in ((False, truth.on_time), (True, truth.late)):
        for ((region, sector), bucket), (transactions, amount) in sums.items():
            expected["P", region, sector, bucket, late, "transactions"] += transactions
            expected["P", region, sector, bucket, late, "amount"] += amount
    assert found.rows == expected
    assert found.rejected == truth.rejected
    unread = {(region, sector, bucket): n for (_, region, sector, _, bucket), n in found.unread.items()}
    assert unread == {(*cell, bucket): n for (cell, bucket), n in truth.unread.items()}
