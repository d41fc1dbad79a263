"""However a log is chopped, repeated, interleaved or interrupted, the aggregates are those of a plain count."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from random import Random

import numpy as np
import pytest
from fold_oracle import HOUR_MS, Cell, Payment, count_plainly, published_hours, small_panel, two_panels
from fold_readings import Key, coverage_of, hourly, rows_of
from fold_stream import COVERAGE, SecondFold, disturbed, undisturbed
from hypothesis import example, given
from hypothesis import strategies as st

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import ClosedDay, of_cells
from earlywarn.domain.series import Resolution, Series

PARAMETERS = FoldParameters(block_size=5, lateness_seconds=2 * 3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000  # 2019-03-30 00:00 in Zurich: the next day has 23 hours
DAY_MS = 24 * HOUR_MS
WINDOW_HOURS = {"1h": 1, "24h": 24, "7d": 168, "28d": 672}
KINDS = ("purchase", "reversal")
LONGEST_GAP_DAYS = 40  # beyond the revision horizon, and long enough for a panel to rest

ALWAYS_LATE = [[Payment(START_MS, "R", "x", 5), Payment(START_MS - 3 * HOUR_MS, "R", "x", 7, country="US")]]
LATE_BEFORE_THE_FIRST = [
    [Payment(START_MS, "R", "x", 5), *(Payment(START_MS - 30 * HOUR_MS, "R", "x", 7, kind) for kind in KINDS)]
]
"""What was bought late was also undone: no window holds it, and yet there is a row."""
A_MONTH_OF_SILENCE = [[Payment(START_MS - HOUR_MS, "R", "x", 5), Payment(START_MS + 29 * DAY_MS, "R", "x", 7)]]
"""The last hour before it is still in the longest window when the panel begins to rest."""
A_PANEL_AT_REST = [
    [Payment(START_MS, "R", "x", 5, country="US")]
    + [Payment(START_MS + at * 7 * HOUR_MS, "R", "x", 5) for at in range(150)]
    + [Payment(START_MS + 1060 * HOUR_MS, "R", "x", 5, country="US")]
]
"""One panel goes on while the other is silent, and speaks again in the middle of a day."""

REFUSED_ON_THE_FIRST_DAY_OF_A_CELL = [
    [
        Payment(START_MS + at * HOUR_MS, region, "x", amount)
        for at, region, amount in [(24, "R", 0), (24, "S", 0), (23, "R", 0), (24, "S", -1)]
    ]
]


@st.composite
def logs(draw: st.DrawFn) -> list[list[Payment]]:
    """Return the logs of one to three partitions: mostly forward in time, with stragglers, gaps and long gaps."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.integers(-60, 15), min_size=0, max_size=28))
        event_ms, log, gaps = START_MS + draw(st.integers(0, 6)) * HOUR_MS, [], 1
        for step in steps:
            back = step < -50
            at = event_ms + (step * HOUR_MS if back else max(step, -5) * HOUR_MS // 2)
            if step == 15 and gaps:
                gaps, at = gaps - 1, event_ms + draw(st.integers(1, LONGEST_GAP_DAYS)) * DAY_MS
            log.append(
                Payment(
                    event_ms=max(at, START_MS - 30 * HOUR_MS) + draw(st.integers(0, HOUR_MS - 1)),
                    region=draw(st.sampled_from("RS")),
                    sector=draw(st.sampled_from("xy")),
                    amount_minor=draw(st.integers(-3, 1000)),
                    kind=draw(st.sampled_from(["purchase"] * 6 + ["refund", "reversal"])),
                    currency=draw(st.sampled_from(["CHF"] * 8 + ["EUR", "USD"])),
                    count=draw(st.sampled_from([1, 1, 1, 7])),
                    country=draw(st.sampled_from([None, None, "US"])),
                )
            )
            event_ms = max(event_ms, at)
        found.append(log)
    return found


def run(
    partials: Sequence[Partial], partitions: int, rng: Random | None = None, resolution: Resolution = "hour"
) -> SecondFold:
    """Apply partials to a second fold of both panels."""
    second = SecondFold(two_panels(resolution), PARAMETERS, partitions, rng)
    second.apply(partials)
    return second


def plain(day: ClosedDay) -> tuple[object, ...]:
    """Return a closed day as comparable values, coverage included."""
    return (
        day.panel,
        day.day,
        day.cells,
        day.transactions.tolist(),
        day.amount_minor.tolist(),
        day.coverage,
        day.feeds,
        day.cells_heard.tolist(),
        day.cells_read,
    )


def assert_hourly_windows(
    second: SecondFold, panel: str, sums: Mapping[tuple[Cell, int], Sequence[int]], *, latest: bool
) -> None:
    """Compare the windows of a panel's total with plain sums over the hours that they hold."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for (_, bucket), (count, amount) in sums.items():
        totals[bucket][0] += count
        totals[bucket][1] += amount
    for (bucket, start, series), row in rows_of(second, latest=latest).items():
        if (bucket, series) == ("hour", Series(panel, None, None)):
            for name, *window in row[2]:
                hours = range(start - (WINDOW_HOURS[name] - 1) * 3600, start + 3600, 3600)
                inside = [totals[hour] for hour in hours if hour in totals]
                assert window == [sum(pair[0] for pair in inside), sum(pair[1] for pair in inside)]


@given(logs=logs(), seed=st.integers(0, 2**32))
@example(logs=ALWAYS_LATE, seed=0)
def test_aggregates_equal_a_plain_count(logs: list[list[Payment]], seed: int) -> None:
    """Vintage 0 is the on-time rows, the latest vintage all accepted ones, the rejects are counted, bit for bit."""
    rng = Random(seed)
    second = run(disturbed(two_panels(), PARAMETERS, logs, rng), len(logs), rng)
    for panel in "PQ":
        truth = count_plainly(logs, PARAMETERS, panel)
        on_time = {key: (n, a) for key, (n, a) in truth.on_time.items() if n or a}
        assert hourly(second, latest=False, panel=panel) == on_time
        assert hourly(second, latest=True, panel=panel) == truth.final()
        assert second.rejected == dict(truth.rejected)
        assert {place[1:]: n for place, n in second.unread.items() if place[0] == panel} == dict(truth.unread)
    assert second.uncounted == []


@given(logs=logs(), seed=st.integers(0, 2**32), resolution=st.sampled_from(["hour", "day"]))
@example(logs=A_PANEL_AT_REST, seed=0, resolution="hour")
def test_disturbance_changes_nothing(logs: list[list[Payment]], seed: int, resolution: Resolution) -> None:
    """First and last vintages, windows included, are those of the undisturbed stream; closed days likewise."""
    rng, panels = Random(seed), two_panels(resolution)
    calm = run(undisturbed(panels, PARAMETERS, logs), len(logs), None, resolution)
    stormy = run(disturbed(panels, PARAMETERS, logs, rng), len(logs), rng, resolution)
    for latest in (False, True):
        assert rows_of(stormy, latest=latest) == rows_of(calm, latest=latest)
    assert coverage_of(stormy) == coverage_of(calm)
    for panel in panels:
        of_panel = [[plain(day) for day in each.days if day.panel == panel.id] for each in (stormy, calm)]
        assert of_panel[0] == of_panel[1]


@given(logs=logs(), seed=st.integers(0, 2**32), resolution=st.sampled_from(["hour", "day"]))
@example(logs=REFUSED_ON_THE_FIRST_DAY_OF_A_CELL, seed=0, resolution="hour")
def test_of_a_cell_is_read_what_was_accepted_of_all_that_came(
    logs: list[list[Payment]], seed: int, resolution: Resolution
) -> None:
    """Where all of it usually is; and no more is heard than was read. Nothing is usual yet on a cell's first day."""
    rng, panels = Random(seed), two_panels(resolution)
    second = run(disturbed(panels, PARAMETERS, logs, rng), len(logs), rng, resolution)
    for panel in panels:
        truth = count_plainly(logs, PARAMETERS, panel.id)
        accepted: dict[date, dict[Cell, int]] = defaultdict(lambda: defaultdict(int))
        unread: dict[date, dict[Cell, int]] = defaultdict(lambda: defaultdict(int))
        for (cell, bucket), (count, _) in truth.on_time.items():
            accepted[panel.calendar.day_of(bucket)][cell] += count
        for (cell, bucket), count in truth.unread.items():
            unread[panel.calendar.day_of(bucket)][cell] += count
        usual: set[Cell] = set()  # cells all of which was read on every day so far on which they were heard
        short = {cell for day in unread if day < second.days[0].day for cell in unread[day]} if second.days else set()
        for at, day in enumerate(each for each in second.days if each.panel == panel.id):
            read = of_cells(day.cells_read, range(len(day.cells)))
            for key, share, heard in zip(day.cells, read.tolist(), day.cells_heard.tolist(), strict=True):
                cell = tuple(key)
                whole = max(accepted[day.day][cell], 0) + unread[day.day][cell]
                if cell in usual - short:
                    assert share == (pytest.approx(1 - unread[day.day][cell] / whole, abs=5.1e-4) if whole else 1.0)
                elif not unread[day.day][cell]:
                    assert share == 1.0 or cell in short
                assert heard <= share
            short |= {cell for cell, count in unread[day.day].items() if count}
            if at and all(count >= 0 for count in accepted[day.day].values()):
                usual |= {cell for cell, count in accepted[day.day].items() if count}


@given(logs=logs(), seed=st.integers(0, 2**32))
@example(logs=A_PANEL_AT_REST, seed=0)
def test_no_bucket_is_missing(logs: list[list[Payment]], seed: int) -> None:
    """From its first bucket on a panel has every hour and day up to the end of the run's last day; long rests aside."""
    rng, panels = Random(seed), two_panels()
    second = run(disturbed(panels, PARAMETERS, logs, rng), len(logs), rng)
    first = rows_of(second, latest=False)
    for panel in panels:
        expected = published_hours(count_plainly(logs, PARAMETERS, panel.id), panel, COVERAGE.fill_days)
        total = Series(panel.id, None, None)
        assert sorted(start for bucket, start, series in first if (bucket, series) == ("hour", total)) == expected
        days = {panel.calendar.day_bounds(panel.calendar.day_of(start))[0] for start in expected}
        assert sorted(start for bucket, start, series in first if (bucket, series) == ("day", total)) == sorted(days)


@given(logs=logs(), seed=st.integers(0, 2**32))
@example(logs=LATE_BEFORE_THE_FIRST, seed=0)
def test_a_late_row_before_a_cells_first_leaves_no_bucket_out(logs: list[list[Payment]], seed: int) -> None:
    """From the late row on the cell and its totals have every hour and day, in a later vintage."""
    rng = Random(seed)
    second = run(disturbed(two_panels(), PARAMETERS, logs, rng), len(logs), rng)
    latest = rows_of(second, latest=True)
    for panel in two_panels():
        truth = count_plainly(logs, PARAMETERS, panel.id)
        births = {cell: min(at for other, at in truth.on_time if other == cell) for cell, _ in truth.on_time}
        for (region, sector), first in [key for key in truth.late if key[0] in births]:
            birth = births[region, sector]
            for start in range(max(first, birth - PARAMETERS.revision_horizon_days * 86_400), birth, 3600):
                day, _ = panel.calendar.day_bounds(panel.calendar.day_of(start))
                for series in (Series(panel.id, region, sector), Series(panel.id, region, None)):
                    assert ("hour", start, series) in latest
                    assert ("day", day, series) in latest


def test_a_panel_that_is_always_late_is_published_before_the_end() -> None:
    """Its partition is driven by another panel that is hours ahead: all its rows are revisions, and come in time."""
    log = []
    for hour in range(96):
        log.append(Payment(START_MS + hour * HOUR_MS, "R", "x", 5))
        if hour >= 6:
            log.append(Payment(START_MS + (hour - 6) * HOUR_MS, "R", "x", 7, country="US"))
    partials = undisturbed(two_panels(), PARAMETERS, [log])
    second = run([each for each in partials if not each.end], 1)
    published = hourly(second, latest=True, panel="Q")
    assert len(published) > 48
    assert set(published.items()) <= set(count_plainly([log], PARAMETERS, "Q").final().items())


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_totals_are_the_sums_of_their_parts(logs: list[list[Payment]], seed: int) -> None:
    """Every total is the sum of its cells; days are the sums of their hours."""
    rng, panels = Random(seed), {panel.id: panel for panel in two_panels()}
    second = run(disturbed([*panels.values()], PARAMETERS, logs, rng), len(logs), rng)
    for latest in (False, True):
        rows = rows_of(second, latest=latest)
        sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        days: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        for (bucket, start, series), (count, amount, _, _) in rows.items():
            if series.level == "cell":
                panel, region, sector = series
                for total in ((region, None), (None, sector), (None, None)):
                    sums[bucket, start, Series(panel, *total)][0] += count
                    sums[bucket, start, Series(panel, *total)][1] += amount
            if bucket == "hour":
                calendar = panels[series.panel].calendar
                day_start, _ = calendar.day_bounds(calendar.day_of(start))
                days["day", day_start, series][0] += count
                days["day", day_start, series][1] += amount
        for key, row in rows.items():
            if key[2].level != "cell":
                assert list(row[:2]) == sums[key]
            if key[0] == "day":
                assert list(row[:2]) == days.get(key, [0, 0])


@given(logs=logs(), seed=st.integers(0, 2**32))
@example(logs=A_MONTH_OF_SILENCE, seed=0)
def test_windows_sum_what_they_say(logs: list[list[Payment]], seed: int) -> None:
    """Those of vintage 0 sum vintage 0, those of latest vintages latest values; every one is there once it is full."""
    rng = Random(seed)
    second = run(disturbed(two_panels(), PARAMETERS, logs, rng), len(logs), rng)
    for panel in "PQ":
        truth = count_plainly(logs, PARAMETERS, panel)
        assert_hourly_windows(second, panel, truth.on_time, latest=False)
        assert_hourly_windows(second, panel, truth.final(), latest=True)
        for (bucket, start, series), row in rows_of(second, latest=True).items():
            if (bucket, series.panel) == ("hour", panel):
                ages = [start - first for first in truth.buckets()[:1] if first <= start]
                full = [name for name, hours in WINDOW_HOURS.items() if ages and ages[0] >= (hours - 1) * 3600]
                assert [name for name, _, _ in row[2]] == full


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_idle_partitions_lose_nothing(logs: list[list[Payment]], seed: int) -> None:
    """Partitions that are said to be idle are passed over; what they bring later still counts exactly once."""
    rng = Random(seed)
    second = run(disturbed(two_panels(), PARAMETERS, logs, rng, idle=True), len(logs), rng)
    for panel in "PQ":
        final = count_plainly(logs, PARAMETERS, panel).final()
        assert hourly(second, latest=True, panel=panel) == final
        assert_hourly_windows(second, panel, final, latest=True)


@given(logs=logs(), seed=st.integers(0, 2**32))
def test_every_vintage_has_its_own_hour_as_window(logs: list[list[Payment]], seed: int) -> None:
    """A revision published in between has windows as well: the one of an hour is its value."""
    rng = Random(seed)
    second = run(disturbed(two_panels(), PARAMETERS, logs, rng, idle=True), len(logs), rng)
    for rows in second.rows:
        if rows.bucket == "hour" and "1h" in rows.windows:
            assert rows.windows["1h"][:, 0].tolist() == rows.transactions.tolist()
            assert rows.windows["1h"][:, 1].tolist() == rows.amount_minor.tolist()
        elif rows.bucket == "hour":
            assert rows.vintage.min() > 0, "only what lies before the first on-time row has none"


@pytest.mark.parametrize("resolution", ["hour", "day"])
@pytest.mark.parametrize("seed", range(3))
def test_what_a_silent_region_leaves_unheard_is_that_of_a_plain_count(seed: int, resolution: Resolution) -> None:
    """Nine weeks, ten days of them without any row of one region: the coverage of every series, whatever disturbs."""
    rng, panels = Random(seed), [small_panel(resolution, "UTC")]
    silent, first = range(45, 55), START_MS // DAY_MS + 1
    log = [
        Payment(
            (first + day) * DAY_MS + hour * HOUR_MS,
            region,
            sector,
            100,
            count=rng.randint(5, 9 if sector == "x" else 30),
        )
        for day in range(63)
        for hour in (1, 7, 13, 19)
        for region, sector in ("Rx", "Ry", "Sx", "Sy")
        if not (region == "S" and day in silent) and not (sector == "y" and region == "S" and day >= 58)
    ]
    logs = [log[0::2], log[1::2]]
    stormy = SecondFold(panels, PARAMETERS, 2, rng)
    stormy.apply(disturbed(panels, PARAMETERS, logs, rng))
    calm = SecondFold(panels, PARAMETERS, 2)
    calm.apply(undisturbed(panels, PARAMETERS, logs))
    assert coverage_of(stormy) == coverage_of(calm)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for payment in log:
        counts[payment.region + payment.sector, payment.event_ms // DAY_MS - first] += payment.count

    def usual(cell: str, day: int) -> float:
        """Return the median of the last four such weekdays on which its region was heard."""
        past = [each for each in range(day % 7, day, 7) if not (cell[0] == "S" and each in silent)]
        return float(np.median([counts[cell, each] for each in past[-4:]]))

    found = coverage_of(calm)
    for day in range(28, 63):
        start = (first + day) * 86_400
        gone = day in silent
        shares = {
            Series("P", None, None): (usual("Rx", day) + usual("Ry", day))
            / sum(usual(cell, day) for cell in ("Rx", "Ry", "Sx", "Sy")),
            Series("P", None, "x"): usual("Rx", day) / (usual("Rx", day) + usual("Sx", day)),
            Series("P", None, "y"): usual("Ry", day) / (usual("Ry", day) + usual("Sy", day)),
            Series("P", "R", None): 1.0,
            Series("P", "S", None): 0.0,
            Series("P", "S", "y"): 0.0,
            Series("P", "R", "y"): 1.0,
        }
        for series, share in shares.items():
            assert found["day", start, series] == pytest.approx(share if gone else 1.0, abs=2e-6), (day, series)
            if resolution == "hour":
                hours = [found["hour", start + hour * 3600, series] for hour in (1, 7, 13, 19)]
                assert [hour < 1 for hour in hours] == [gone and share < 1] * 4


@pytest.mark.parametrize("seed", range(6))
def test_long_histories_keep_windows_and_years(seed: int) -> None:
    """Over 400 days with late rows, gaps and crashes, windows and year-on-year changes equal those of numpy."""
    rng = Random(seed)
    panels = [small_panel("day", "UTC")]
    log, event_ms = [], START_MS
    for _ in range(1200):
        event_ms += rng.choice([2, 5, 11, 14]) * HOUR_MS
        back = rng.random() < 0.1
        at = event_ms - rng.randint(6, 40) * HOUR_MS if back else event_ms
        log.append(Payment(at, rng.choice("RS"), rng.choice("xy"), rng.randint(0, 500)))
    logs = [log[0::2], log[1::2]]
    second = SecondFold(panels, PARAMETERS, 2, rng)
    second.apply(disturbed(panels, PARAMETERS, logs, rng))
    calm = SecondFold(panels, PARAMETERS, 2)
    calm.apply(undisturbed(panels, PARAMETERS, logs))
    assert [plain(day) for day in second.days] == [plain(day) for day in calm.days]
    assert any(day.coverage.volume < 1 for day in calm.days)
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
            else:
                week, past = values[at - 6 : at + 1].sum(axis=0), values[at - 370 : at - 363].sum(axis=0)
                assert year == pytest.approx(tuple(np.round(week / past - 1, 6)), abs=1e-9)
