"""Amounts beyond all measure: no fold ends, and what is published is the plain count within its caps."""

from collections import defaultdict
from itertools import accumulate
from random import Random

from fold_oracle import HOUR_MS, Cell, Payment, count_plainly, small_panel
from fold_readings import hourly, rows_of
from fold_stream import SecondFold, disturbed, undisturbed
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.caps import TOTAL_CAP, base_cap, day_cap
from earlywarn.domain.series import Series

PARAMETERS = FoldParameters(block_size=5, lateness_seconds=2 * 3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000
CAP = base_cap(3600)


@st.composite
def logs(draw: st.DrawFn) -> list[list[Payment]]:
    """Return the logs of one or two partitions, in time but for stragglers, with amounts of any size among others."""
    found = []
    for _ in range(draw(st.integers(1, 2))):
        hours = accumulate(draw(st.lists(st.integers(0, 9), min_size=1, max_size=25)))
        found.append(
            [
                Payment(
                    event_ms=START_MS + (hour - draw(st.sampled_from([0, 0, 0, 5, 30]))) * HOUR_MS,
                    region=draw(st.sampled_from("RS")),
                    sector=draw(st.sampled_from("xy")),
                    amount_minor=draw(st.sampled_from([7, 10**15, CAP, CAP + 1, 2**61, 2**62, 2**63, 10**19, 10**30])),
                    kind=draw(st.sampled_from(["purchase"] * 4 + ["refund", "reversal"])),
                    count=draw(st.sampled_from([1, 1, 10**9, 10**18])),
                )
                for hour in hours
            ]
        )
    return found


def within(value: int, cap: int) -> int:
    return max(-cap, min(cap, value))


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_sums_are_the_plain_count_within_its_caps(logs: list[list[Payment]], seed: int) -> None:
    """In any order and with any interruption: a bucket's on-time rows are capped, and these with the late ones."""
    truth, rng = count_plainly(logs, PARAMETERS), Random(seed)
    second = SecondFold(small_panel(), PARAMETERS, len(logs), rng)
    second.apply(disturbed([small_panel()], PARAMETERS, logs, rng))
    first = {key: tuple(within(each, CAP) for each in pair) for key, pair in truth.on_time.items()}
    assert hourly(second, latest=False).items() >= {key: pair for key, pair in first.items() if any(pair)}.items()
    last: dict[tuple[Cell, int], tuple[int, ...]] = {
        key: tuple(
            within(on_time + late, CAP)
            for on_time, late in zip(first.get(key, (0, 0)), truth.late.get(key, (0, 0)), strict=True)
        )
        for key in {**truth.on_time, **truth.late}
    }
    assert hourly(second, latest=True) == {key: pair for key, pair in last.items() if any(pair)}


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_what_is_capped_does_not_hang_on_the_order(logs: list[list[Payment]], seed: int) -> None:
    """Values, windows, totals and days are those of one undisturbed worker; every total is that of its cells."""
    calm, panel = SecondFold(small_panel(), PARAMETERS, len(logs)), small_panel()
    calm.apply(undisturbed([panel], PARAMETERS, logs))
    rng = Random(seed)
    other = SecondFold(panel, PARAMETERS, len(logs), rng)
    other.apply(disturbed([panel], PARAMETERS, logs, rng))
    for latest in (False, True):
        assert rows_of(other, latest=latest) == rows_of(calm, latest=latest)
        totals: dict[tuple[str, int], int] = defaultdict(int)
        rows = rows_of(calm, latest=latest)
        for (bucket, start, series), row in rows.items():
            if series.level == "cell":
                assert abs(row[1]) <= (CAP if bucket == "hour" else day_cap())
                totals[bucket, start] += row[1]
        for (bucket, start, series), row in rows.items():
            if series == Series("P", None, None):
                assert row[1] == within(totals[bucket, start], TOTAL_CAP)


def test_windows_of_the_largest_sums_fit() -> None:
    """29 days, each hour at its cap in every cell: cells' windows are exact, and of totals the largest are capped."""
    cells = [(region, sector) for region in "RSTU" for sector in "xyz"]
    hours = 29 * 24
    log = [Payment(START_MS + at * HOUR_MS, *cell, 10**19) for at in range(hours) for cell in cells]
    second = SecondFold(small_panel(), PARAMETERS, 1)
    second.apply(undisturbed([small_panel()], PARAMETERS, [log]))
    rows = rows_of(second, latest=False)
    last = START_MS // 1000 + (hours - 1) * 3600
    windows = {name: amount for name, _, amount in rows["hour", last, Series("P", "R", "x")][2]}
    assert windows == {"1h": CAP, "24h": 24 * CAP, "7d": 168 * CAP, "28d": 672 * CAP}
    totals = {name: amount for name, _, amount in rows["hour", last, Series("P", None, None)][2]}
    assert totals == {"1h": 12 * CAP, "24h": 288 * CAP, "7d": TOTAL_CAP, "28d": TOTAL_CAP}
    counted = {name: count for name, count, _ in rows["hour", last, Series("P", None, None)][2]}
    assert counted == {"1h": 12, "24h": 288, "7d": 168 * 12, "28d": 672 * 12}
