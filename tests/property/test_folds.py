"""However a log is chopped, repeated, interleaved or interrupted, the aggregates are those of a plain count."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from fold_oracle import HOUR_MS, Payment, count_plainly, small_panel
from fold_stream import SecondFold, disturbed, undisturbed
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.aggregation.block import FoldParameters
from earlywarn.domain.series import Resolution, Series

PARAMETERS = FoldParameters(block_size=5, lateness_seconds=2 * 3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000  # 2019-03-30 00:00 in Zurich: the next day has 23 hours

Row = tuple[int, int, tuple[tuple[str, int, int], ...], tuple[float, float]]
Key = tuple[str, int, Series]


@st.composite
def logs(draw: st.DrawFn, span_hours: int = 100) -> list[list[Payment]]:
    """Return the logs of one to three partitions: mostly forward in time, with stragglers and gaps."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.integers(-60, 14), min_size=0, max_size=28))
        event_ms, log = START_MS + draw(st.integers(0, 6)) * HOUR_MS, []
        for step in steps:
            back = step < -50
            at = event_ms + (step * HOUR_MS if back else max(step, -5) * HOUR_MS // 2)
            at = min(max(at, START_MS - 30 * HOUR_MS), START_MS + span_hours * HOUR_MS)
            log.append(
                Payment(
                    event_ms=at + draw(st.integers(0, HOUR_MS - 1)),
                    region=draw(st.sampled_from("RS")),
                    sector=draw(st.sampled_from("xy")),
                    amount_minor=draw(st.integers(-3, 1000)),
                    kind=draw(st.sampled_from(["purchase"] * 6 + ["refund", "reversal"])),
                    currency=draw(st.sampled_from(["CHF"] * 8 + ["EUR", "USD"])),
                    count=draw(st.sampled_from([1, 1, 1, 7])),
                )
            )
            event_ms = max(event_ms, at)
        found.append(log)
    return found


def rows_of(second: SecondFold, *, latest: bool) -> dict[Key, Row]:
    """Return vintage 0, or the latest vintage, of every bucket and series, as comparable values."""
    found: dict[Key, Row] = {}
    for rows in second.rows:
        for at, series in enumerate(rows.series):
            vintage = int(rows.vintage[at])
            if vintage == 0 or latest:
                windows = tuple((name, int(sums[at, 0]), int(sums[at, 1])) for name, sums in rows.windows.items())
                year = tuple(float(change) if np.isfinite(change) else -9.0 for change in rows.year_on_year[at])
                value = (int(rows.transactions[at]), int(rows.amount_minor[at]), windows, (year[0], year[1]))
                key = (rows.bucket, rows.start_seconds, series)
                assert latest or key not in found, "a vintage 0 was published twice"
                found[key] = value
    return found


def run(
    partials: Sequence[object], partitions: int, rng: Random | None = None, resolution: Resolution = "hour"
) -> SecondFold:
    """Apply partials to a second fold of the small panel."""
    second = SecondFold(small_panel(resolution), PARAMETERS, partitions, rng)
    second.apply(partials)  # type: ignore[arg-type]  # partials
    return second


def hourly(second: SecondFold, *, latest: bool) -> dict[tuple[tuple[str, str], int], tuple[int, int]]:
    """Return the cells of base buckets that are not zero."""
    return {
        ((series.region or "", series.sector or ""), start): row[:2]
        for (bucket, start, series), row in rows_of(second, latest=latest).items()
        if bucket == "hour" and series.level == "cell" and row[:2] != (0, 0)
    }


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_aggregates_equal_a_plain_count(logs: list[list[Payment]], seed: int) -> None:
    """Vintage 0 is the on-time rows, the latest vintage all accepted ones, the rejects are counted, bit for bit."""
    rng, panel = Random(seed), small_panel()
    second = run(disturbed(panel, PARAMETERS, logs, rng), len(logs), rng)
    truth = count_plainly(logs, PARAMETERS)
    on_time = {key: (n, a) for key, (n, a) in truth.on_time.items() if n or a}
    assert hourly(second, latest=False) == on_time
    if truth.on_time:  # a panel without one on-time row has no first bucket
        assert hourly(second, latest=True) == truth.final()
    assert second.rejected == dict(truth.rejected)


@given(logs=logs(), seed=st.integers(0, 2**32), resolution=st.sampled_from(["hour", "day"]))
def test_disturbance_changes_nothing(logs: list[list[Payment]], seed: int, resolution: Resolution) -> None:
    """First and last vintages, windows included, are those of the undisturbed stream; closed days likewise."""
    rng, panel = Random(seed), small_panel(resolution)
    calm = run(undisturbed(panel, PARAMETERS, logs), len(logs), None, resolution)
    stormy = run(disturbed(panel, PARAMETERS, logs, rng), len(logs), rng, resolution)
    for latest in (False, True):
        assert rows_of(stormy, latest=latest) == rows_of(calm, latest=latest)
    assert [(day.day, day.cells, day.transactions.tolist(), day.amount_minor.tolist()) for day in stormy.days] == [
        (day.day, day.cells, day.transactions.tolist(), day.amount_minor.tolist()) for day in calm.days
    ]


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_totals_are_sums_and_no_bucket_is_missing(logs: list[list[Payment]], seed: int) -> None:
    """Every total is the sum of its cells; buckets follow each other without a hole; days are the sums of hours."""
    rng, panel = Random(seed), small_panel()
    second = run(disturbed(panel, PARAMETERS, logs, rng), len(logs), rng)
    for latest in (False, True):
        rows = rows_of(second, latest=latest)
        for (bucket, start, series), row in rows.items():
            if series.level == "cell":
                continue
            parts = [
                other[:2]
                for (kind, at, cell), other in rows.items()
                if (kind, at) == (bucket, start)
                and cell.level == "cell"
                and series.region in (None, cell.region)
                and series.sector in (None, cell.sector)
            ]
            assert row[:2] == tuple(map(sum, zip(*parts, strict=True)))
    first = rows_of(second, latest=False)
    hours = sorted({start for bucket, start, _ in first if bucket == "hour"})
    assert hours == list(range(hours[0], hours[-1] + 1, 3600)) if hours else not first
    days = sorted({start for bucket, start, series in first if bucket == "day" and series.level == "panel"})
    for start in days:
        low, high = panel.calendar.day_bounds(panel.calendar.day_of(start))
        parts = [
            row[:2]
            for (bucket, at, series), row in rows_of(second, latest=True).items()
            if bucket == "hour" and low <= at < high and series.level == "panel"
        ]
        whole = rows_of(second, latest=True)["day", start, Series("P", None, None)]
        assert whole[:2] == tuple(map(sum, zip(*parts, strict=True)))


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_idle_partitions_lose_nothing(logs: list[list[Payment]], seed: int) -> None:
    """Partitions that are said to be idle are passed over; what they bring later still counts exactly once."""
    rng, panel = Random(seed), small_panel()
    second = run(disturbed(panel, PARAMETERS, logs, rng, idle=True), len(logs), rng)
    truth = count_plainly(logs, PARAMETERS)
    if truth.on_time:
        assert hourly(second, latest=True) == truth.final()


@pytest.mark.parametrize("seed", range(6))
def test_long_histories_keep_windows_and_years(seed: int) -> None:
    """Over 400 days with late rows, gaps and crashes, windows and year-on-year changes equal those of numpy."""
    rng = Random(seed)
    panel = small_panel("day", "UTC")
    log, event_ms = [], START_MS
    for _ in range(1200):
        event_ms += rng.choice([2, 5, 11, 14]) * HOUR_MS
        back = rng.random() < 0.1
        at = event_ms - rng.randint(6, 40) * HOUR_MS if back else event_ms
        log.append(Payment(at, rng.choice("RS"), rng.choice("xy"), rng.randint(0, 500)))
    logs = [log[0::2], log[1::2]]
    second = SecondFold(panel, PARAMETERS, 2, rng)
    second.apply(disturbed(panel, PARAMETERS, logs, rng))
    truth = count_plainly(logs, PARAMETERS)
    for latest, sums in ((False, truth.on_time), (True, truth.final())):
        rows = {start: row for (_, start, s), row in rows_of(second, latest=latest).items() if s.level == "panel"}
        days = sorted(rows)
        assert days == list(range(days[0], days[-1] + 1, 86_400))
        values = np.zeros((len(days), 2), np.int64)
        for (_, bucket), (count, amount) in sums.items():
            if bucket >= days[0]:
                values[(bucket - days[0]) // 86_400] += (count, amount)
        for at, day in enumerate(days):
            count, amount, windows, year = rows[day]
            assert [count, amount] == values[at].tolist()
            expected = [
                (name, *values[at - length + 1 : at + 1].sum(axis=0).tolist())
                for name, length in (("7d", 7), ("28d", 28))
                if at >= length - 1
            ]
            assert list(windows) == expected
            if at < 370:
                assert year == (-9.0, -9.0)
            elif latest:
                week, past = values[at - 6 : at + 1].sum(axis=0), values[at - 370 : at - 363].sum(axis=0)
                assert year == pytest.approx(tuple(np.round(week / past - 1, 6)), abs=1e-9)
