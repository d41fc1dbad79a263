"""Columns folded as single records would be: order, lateness, exact sums, routes; and the codes underneath."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from fold_oracle import HOUR_MS, small_panel

from earlywarn.aggregation.block import BlockFold, FoldParameters, Rejected
from earlywarn.aggregation.columns import Coded, TransactionColumns, compact, joint
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.route import Router
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR, EARLIEST_MS, LATEST_MS, Transaction
from earlywarn.errors import LogError
from earlywarn.reference.classifications import load_classification
from earlywarn.reference.nuts import load_regions

R = RejectReason
START_MS = 1_551_700_800_000
RECEIVED_MS = 4_000_000_000_000
PARAMETERS = FoldParameters(block_size=4, lateness_seconds=3600, revision_horizon_days=2)

Sums = dict[tuple[str, str, str, int, bool], tuple[int, int]]


def payment(hours: float = 0, **fields: Any) -> Transaction:
    given = {"id": "x", "amount_minor": 100, "currency": "CHF", "region": "R", "sector": "x"}
    return Transaction(**{"ts": START_MS + int(hours * HOUR_MS)} | given | fields)


def columns(transactions: Sequence[Transaction], rejects: dict[int, Reject] | None = None) -> TransactionColumns:
    """Return transactions as columns."""

    def coded(name: str) -> Coded:
        found = [getattr(each, name) for each in transactions]
        values = list(dict.fromkeys(found)) or [None]
        return Coded(values, np.array([values.index(each) for each in found], np.int64))

    names = ("region", "mcc", "currency", "country", "channel", "sector", "kind", "source")
    counts = [each.count for each in transactions]
    return TransactionColumns(
        ts=np.array([each.ts for each in transactions], np.int64),
        amount_minor=np.array([each.amount_minor for each in transactions], np.int64),
        count=None if set(counts) <= {1} else np.array(counts, np.int64),
        merchant=lambda: coded("merchant"),
        ids=lambda rows: [transactions[row].id for row in rows],
        rejects=rejects or {},
        **{name: coded(name) for name in names},
    )


def fold_of(*panels: Panel, parameters: FoldParameters = PARAMETERS) -> BlockFold:
    return BlockFold(Router(panels or [small_panel()]), parameters)


def taken(fold: BlockFold, partials: Sequence[Partial]) -> Sums:
    """Return the sums of what was sealed and of the open block."""
    last = fold.flush()
    return {
        (row.panel, row.region, row.sector, row.bucket, row.late): (row.transactions, row.amount_minor)
        for partial in [*partials, *([] if last is None else [last])]
        for row in partial.rows
    }


def both(
    transactions: Sequence[Transaction], *panels: Panel, received_ms: int = RECEIVED_MS
) -> tuple[Sums, list[Rejected]]:
    """Fold as columns; check against the fold of single records in one block; return sums and rejects."""
    parameters = FoldParameters(block_size=1 << 20, lateness_seconds=3600, revision_horizon_days=2)
    single, batched = fold_of(*panels, parameters=parameters), fold_of(*panels, parameters=parameters)
    sealed, expected = single.add(range(len(transactions)), transactions, received_ms)
    _, rejected = batched.add_columns(0, columns(transactions), received_ms)
    assert [(each.index, each.reject) for each in rejected] == [(each.offset, each.reject) for each in expected]
    assert batched.event_time_ms == single.event_time_ms
    sums = taken(batched, [])
    assert sums == taken(single, sealed)
    return sums, rejected


# --- offsets and blocks


def test_a_record_of_many_transactions_takes_one_offset() -> None:
    fold = fold_of()
    assert fold.add_columns(0, columns([payment()] * 7), RECEIVED_MS) == ([], [])
    assert fold.position == 1
    news = fold.flush()
    assert news is not None
    assert (news.since, news.last, news.rows[0].transactions) == (-1, 0, 7)
    fold.add([1, 2], [payment()] * 2, RECEIVED_MS)
    [sealed], _ = fold.add_columns(3, columns([payment()] * 5), RECEIVED_MS)
    assert (sealed.block, sealed.since, sealed.last, sealed.sealed) == (0, 0, 3, True)
    assert [row.transactions for row in sealed.rows] == [14]
    assert fold.block_event_time_ms == START_MS


def test_a_hole_seals_the_block_and_a_repeat_is_refused() -> None:
    fold = fold_of()
    fold.add_columns(1, columns([payment()]), RECEIVED_MS)
    [sealed], _ = fold.add_columns(6, columns([payment()]), RECEIVED_MS)
    assert (sealed.block, sealed.last, sealed.sealed) == (0, 3, True)
    with pytest.raises(LogError, match="offset 6 comes again"):
        fold.add_columns(6, columns([payment()]), RECEIVED_MS)


def test_a_record_without_transactions_moves_the_position_alone() -> None:
    fold = fold_of()
    assert fold.add_columns(0, columns([]), RECEIVED_MS) == ([], [])
    news = fold.flush()
    assert news is not None
    assert (news.last, news.rows, news.event_time_ms) == (0, (), None)


def test_folding_a_block_again_gives_the_same_partial() -> None:
    log = [columns([payment(at), payment(at - 3), payment(at, region="S")]) for at in range(8)]
    fold = fold_of()
    sealed = [partial for at, each in enumerate(log) for partial in fold.add_columns(at, each, RECEIVED_MS)[0]]
    again = BlockFold(Router([small_panel()]), PARAMETERS, position=4, event_time_ms=START_MS + 3 * HOUR_MS)
    resealed = [partial for at in range(4, 8) for partial in again.add_columns(at, log[at], RECEIVED_MS)[0]]
    assert resealed == sealed[1:]
    assert any(row.late for row in sealed[1].rows)


# --- time


def test_every_transaction_is_judged_by_those_before_it_in_its_record() -> None:
    """The first straggler is on time until the newest event has passed its bucket's end by the lateness."""
    sums, _ = both([payment(0), payment(0.5), payment(1.9), payment(0.5), payment(2.0), payment(0.5), payment(1.5)])
    assert {(key[3] - START_MS // 1000, key[4]): row[0] for key, row in sums.items()} == {
        (0, False): 3, (3600, False): 2, (7200, False): 1, (0, True): 1,
    }  # fmt: skip


@pytest.mark.parametrize("between", [0, 200, 256, 600])
def test_what_made_a_row_late_may_stand_far_before_it(between: int) -> None:
    sums, _ = both([payment(10)] * 256 + [payment(9.5)] * between + [payment(8)])
    assert sums["P", "R", "x", START_MS // 1000 + 8 * 3600, True] == (1, 100)


def test_what_is_not_accepted_does_not_move_the_newest_time() -> None:
    later = [
        payment(20, kind="purchase", amount_minor=-1),
        payment(30, currency="USD"),
        payment(40, region=None, channel="pos"),
        payment(200),
    ]
    fold = fold_of()
    received_ms = START_MS + 100 * HOUR_MS
    _, rejected = fold.add_columns(0, columns([payment(0), *later, payment(0.5)]), received_ms)
    assert [(each.index, each.reject.reason) for each in rejected] == [
        (1, R.AMOUNT_OUT_OF_RANGE), (2, R.CURRENCY_NO_RATE), (3, R.REGION_MISSING), (4, R.TIME_IN_FUTURE),
    ]  # fmt: skip
    assert fold.event_time_ms == START_MS + HOUR_MS // 2
    assert [row.late for row in taken_rows(fold)] == [False]
    both([payment(0), *later, payment(0.5)], received_ms=received_ms)


def taken_rows(fold: BlockFold) -> Sequence[Any]:
    news = fold.flush()
    assert news is not None
    return news.rows


def test_beyond_the_horizon_is_too_late_whatever_else_is_wrong() -> None:
    """The order of the reasons is that of single records: time first."""
    both([payment(100), payment(0), payment(0, region=None), payment(0, amount_minor=-1), payment(60, region=None)])
    _, rejected = both([payment(100), payment(0, region=None), payment(60, region=None)])
    assert [each.reject.reason for each in rejected] == [R.TOO_LATE, R.REGION_MISSING]


def test_malformed_rows_keep_their_reason_and_their_numbers_do_not_matter() -> None:
    """A rejected row may hold any number at all; the others keep their places."""
    faulty = Reject(reason=R.TIME_INVALID, field="ts")
    rows = [payment(0), payment(ts=(1 << 63) - 1), payment(ts=-(1 << 63), region="S"), payment(1, amount_minor=-1)]
    fold = fold_of()
    _, rejected = fold.add_columns(0, columns(rows, {1: faulty, 2: faulty}), RECEIVED_MS)
    assert [(each.index, each.reject.reason) for each in rejected] == [
        (1, R.TIME_INVALID), (2, R.TIME_INVALID), (3, R.AMOUNT_OUT_OF_RANGE),
    ]  # fmt: skip
    assert [(row.region, row.transactions) for row in taken_rows(fold)] == [("R", 1)]
    _, rejected = fold.add_columns(1, columns(rows[:1], {0: faulty}), RECEIVED_MS)
    assert [(each.offset, each.index) for each in rejected] == [(1, 0)]


# --- amounts


@pytest.mark.parametrize("rows", [100, 4_611, 4_612, 9_300])
def test_sums_are_exact_whatever_the_amounts(rows: int) -> None:
    """Where 64 bits are too few for the sum of a record, Python's integers take over."""
    amounts = [AMOUNT_LIMIT_MINOR - at for at in range(rows)]
    sums, _ = both([payment(amount_minor=amount) for amount in amounts])
    assert list(sums.values()) == [(rows, sum(amounts))]
    mixed, _ = both(
        [payment(amount_minor=each, kind=("purchase", "refund")[at % 2]) for at, each in enumerate(amounts)]
    )
    assert [amount for _, amount in mixed.values()] == [sum(amounts[::2]) - sum(amounts[1::2])]


def test_counts_have_the_sign_of_their_kind() -> None:
    kinds = ("purchase", "refund", "reversal")
    sums, _ = both([payment(kind=kind, count=count, amount_minor=7) for kind in kinds for count in (0, 3, 10**9)])
    assert list(sums.values()) == [(0, -21)]
    sums, _ = both([payment(count=0, amount_minor=0)])
    assert list(sums.values()) == [(0, 0)]


@pytest.mark.parametrize("rate", ["1.10", "0.5", "0.123456789012345678", "150", "1e-12", "123456789.987654321"])
def test_conversion_is_that_of_single_records(rate: str) -> None:
    """By the rate of the day, half to even, exact also where 64 bits are too few."""
    rng = Random(rate)
    rates = RateTable("CHF", {"EUR": [(date(2019, 3, 5), Decimal(rate))], "JPY": [(date(2019, 3, 4), Decimal(rate))]})
    panel = replace(small_panel(), rates=rates)
    amounts = [*range(40), *(rng.randrange(10**9) for _ in range(40)), AMOUNT_LIMIT_MINOR, AMOUNT_LIMIT_MINOR - 1]
    _, rejected = both(
        [
            payment(hours, currency=currency, amount_minor=amount, kind=rng.choice(["purchase", "refund"]))
            for amount in amounts
            for hours, currency in ((-20, "EUR"), (15, "EUR"), (16, "JPY"), (17, "CHF"))
        ],
        panel,
    )
    reasons = [each.reject.reason for each in rejected]
    limit = Decimal(AMOUNT_LIMIT_MINOR) + Decimal("0.5")  # converted, and rounded half to even
    beyond = [Decimal(amount) * Decimal(rate) * scale > limit for amount in amounts for scale in (1, 100)]
    assert reasons.count(R.CURRENCY_NO_RATE) == len(amounts)
    assert reasons.count(R.AMOUNT_OUT_OF_RANGE) == sum(beyond) == len(reasons) - len(amounts)


def test_a_rate_begins_with_the_panels_local_day() -> None:
    """In Zurich an hour before UTC's, in New York five hours behind it; what counts in a day has one rate."""
    rates = RateTable("CHF", {"EUR": [(date(2000, 1, 1), Decimal(1)), (date(2019, 3, 5), Decimal(2))]})
    edges = [payment(hours, currency="EUR") for hours in (10.99, 11, 11.99, 12, 16.99, 17)]
    for zone, amounts in (("Europe/Zurich", [1, 2, 2, 2, 2, 2]), ("America/New_York", [1, 1, 1, 1, 1, 2])):
        panel = replace(small_panel(), rates=rates, calendar=LocalCalendar(zone))
        found = [amount for each in edges for _, amount in both([each], panel)[0].values()]
        assert found == [100 * each for each in amounts]
        together, _ = both(edges, panel)
        assert sum(amount for _, amount in together.values()) == 100 * sum(amounts)


# --- routes


def swiss_and_german() -> tuple[Panel, ...]:
    tree, classification = load_regions(), load_classification("mcc")
    merchants = {"bakery": classification.mccs["5462"], "cinema": classification.mccs["7832"]}
    return tuple(
        Panel(
            id=country,
            currency="EUR",
            countries=(country,),
            calendar=LocalCalendar("Europe/Zurich"),
            regions=RegionResolver(tree, level=level, countries=(country,)),
            classification=replace(classification, merchants=merchants),
            rates=RateTable("EUR", {"CHF": [(date(2000, 1, 1), Decimal("0.9"))]}),
        )
        for country, level in (("CH", 2), ("DE", 1))
    )


def test_what_counts_in_one_place_is_one_row() -> None:
    """Codes of deeper levels and several MCCs meet in one cell; a stated country goes before the region's own."""
    shop = {"sector": None, "currency": "EUR", "mcc": "5411"}
    sums, rejected = both(
        [
            payment(**shop | {"region": "CH040"}),
            payment(**shop | {"region": "CH04", "country": "CH"}),
            payment(**shop | {"region": "CH040", "mcc": "5422"}),
            payment(**shop | {"region": "DE212", "country": "DE"}),
            payment(**shop | {"region": "DE212", "country": "CH"}),
            payment(**shop | {"region": "DE300", "channel": "ecom"}),
            payment(**shop | {"region": "FR10"}),
        ],
        *swiss_and_german(),
    )
    assert sorted((panel, region, n) for (panel, region, *_), (n, _) in sums.items()) == [
        ("CH", "CH04", 3), ("DE", "DE2", 1), ("DE", "online", 1),
    ]  # fmt: skip
    assert [each.index for each in rejected] == [4, 6]


def test_the_country_alone_may_decide_the_panel() -> None:
    """Panels that take any region as it is written differ in nothing but the countries."""
    rest = replace(small_panel(), id="rest")
    swiss = replace(small_panel(), id="CH", countries=("CH",))
    places = [(None, "R"), ("CH", "R"), ("DE", "R"), (None, "CH1"), (None, "DE1"), ("CH", "DE1"), ("DE", "CH1")]
    sums, _ = both([payment(country=country, region=region) for country, region in places], swiss, rest)
    assert sorted((panel, region, n) for (panel, region, *_), (n, _) in sums.items()) == [
        ("CH", "CH1", 1), ("CH", "DE1", 1), ("CH", "R", 1), ("rest", "CH1", 1), ("rest", "DE1", 1), ("rest", "R", 2),
    ]  # fmt: skip


def test_reasons_quote_the_row_itself() -> None:
    """Rows that fail alike share a route, and not the words."""
    _, rejected = both([payment(sector=None, mcc="5411", region=f"CH9{at}") for at in range(5)], *swiss_and_german())
    told = [each.reject.detail.partition(";")[0] for each in rejected]
    assert told == [f"'CH9{at}' is no region of the panel" for at in range(5)]


def test_a_merchant_counts_where_it_alone_says_what_was_bought() -> None:
    shops = [
        payment(sector=sector, mcc=mcc, merchant=merchant, region="CH04", currency="EUR")
        for sector in (None, "", "  ", "5812")
        for mcc in (None, "5411")
        for merchant in (None, "Bakery", "Cinema", "Bakery", "Florist")
    ]
    sums, rejected = both(shops, *swiss_and_german())
    assert sum(n for n, _ in sums.values()) + len(rejected) == len(shops)
    assert {each.reject.reason for each in rejected} == {R.SECTOR_MISSING, R.SECTOR_UNKNOWN}
    assert {sector for _, _, sector, _, _ in sums} == {"grocery", "recreation-culture", "restaurants"}


def test_a_blank_sector_does_not_make_merchants_one() -> None:
    """Single records too: what the first shop sells says nothing of the second."""
    classes = {}
    for merchant in ("Bakery", "Cinema"):
        fold = fold_of(*swiss_and_german())
        fold.add([0], [payment(sector=" ", merchant=merchant, region="CH04", currency="EUR")], RECEIVED_MS)
        [classes[merchant]] = [row.sector for row in taken_rows(fold)]
    fold = fold_of(*swiss_and_german())
    both_shops = [payment(sector=" ", merchant=merchant, region="CH04", currency="EUR") for merchant in classes]
    fold.add([0, 1], both_shops, RECEIVED_MS)
    assert [row.sector for row in taken_rows(fold)] == list(classes.values())


# --- many rows


@pytest.mark.parametrize("seed", range(8))
def test_large_records_equal_single_ones(seed: int) -> None:
    """Thousands of rows, from orderly to wild: every way of finding late rows, of adding up, of numbering routes."""
    rng = Random(seed)
    jitter_hours, stragglers = rng.choice([(0, 0), (0.3, 0), (3, 0), (1, 0.02), (0.5, 0.2)])
    step_hours = rng.choice([0.001, 0.01, 0.2, 30])
    regions = [f"r{at}" for at in range(rng.choice([1, 7, 500]))]
    sectors = [f"s{at}" for at in range(rng.choice([1, 25, 400]))]
    ordinary = rng.random() < 0.5
    log = []
    for at in range(3_000):
        back = rng.random() < stragglers
        hours = at * step_hours + rng.uniform(-1, 1) * jitter_hours - (rng.uniform(0, 90) if back else 0)
        log.append(
            payment(
                hours,
                region=rng.choice(regions),
                sector=rng.choice(sectors),
                source=rng.choice([None, "a", "b"]),
                channel=rng.choice([None, "ecom", "pos"]),
                amount_minor=rng.randrange(10**6) - (0 if ordinary else 10**4),
                kind="purchase" if ordinary else rng.choice(["purchase"] * 8 + ["refund", "reversal"]),
                currency="CHF" if ordinary else rng.choice(["CHF"] * 8 + ["EUR", "USD"]),
                count=1 if ordinary else rng.choice([1, 1, 1, 0, 12]),
            )
        )
    sums, _ = both(log)
    assert sum(n for n, _ in sums.values()) > 1_000


def test_a_record_may_span_the_century() -> None:
    """Buckets without end and thousands of routes: sums are kept for those that occur."""
    rng = Random(1)
    parameters = FoldParameters(block_size=1 << 20, lateness_seconds=0, revision_horizon_days=50_000)
    log = [
        payment(
            ts=rng.randrange(EARLIEST_MS, LATEST_MS), region=f"r{rng.randrange(300)}", sector=f"s{rng.randrange(300)}"
        )
        for _ in range(2_000)
    ]
    single, batched = fold_of(parameters=parameters), fold_of(parameters=parameters)
    single.add(range(len(log)), log, RECEIVED_MS + 10**12)
    batched.add_columns(0, columns(log), RECEIVED_MS + 10**12)
    assert taken(batched, []) == taken(single, [])


# --- codes


@pytest.mark.parametrize("sizes", [(1, 1), (1, 128), (128, 1), (2, 64, 3), (16, 8), (127, 1, 1), (40, 50), (300, 400)])
@pytest.mark.parametrize("rows", [0, 1, 700])
def test_combinations_are_those_of_the_rows(sizes: tuple[int, ...], rows: int) -> None:
    """Whatever the number of combinations, in whichever integers the codes come."""
    rng = np.random.default_rng(sum(sizes) + rows)
    parts = []
    for size in sizes:
        codes = rng.integers(0, size, rows).astype(
            rng.choice(["i1", "u1"]) if size <= 128 else rng.choice(["i2", "i8"])
        )
        parts.append(Coded([f"{size}:{at}" for at in range(size)], codes if size > 1 or rng.random() < 0.5 else None))
    together = joint(*parts)
    for row in range(rows):
        assert together.at(row) == tuple(part.at(row) for part in parts)
    assert len(together.values) <= max(1 << 10, rows)
    merged = together.merged(lambda value: value[0])
    assert len(merged.values) <= len(set(parts[0].values))
    for row in range(rows):
        assert merged.at(row)[0] == parts[0].at(row)


def test_values_that_no_row_has_are_left_out_where_they_are_many() -> None:
    column = Coded(range(5_000), np.array([4_999, 7, 7]))
    assert joint(column, Coded("x")).values == [(7, "x"), (4_999, "x")]


@pytest.mark.parametrize("size", [5, 1 << 16, 1 << 40])
def test_compact_numbers_the_keys_that_occur(size: int) -> None:
    keys = np.random.default_rng(0).integers(0, size, 500)
    used, places = compact(keys, size)
    assert used.tolist() == sorted(set(keys.tolist()))
    assert (used[places] == keys).all()
