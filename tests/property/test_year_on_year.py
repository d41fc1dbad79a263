"""A week is compared with that of a year before as either stood at the same age, against a plain count of the input."""

from collections import defaultdict
from math import isnan
from random import Random

import pytest
from fold_oracle import HOUR_MS, Payment, count_plainly, small_panel
from fold_stream import SecondFold, undisturbed

from earlywarn.aggregation.block import FoldParameters
from earlywarn.domain.series import Series

PARAMETERS = FoldParameters(block_size=20, lateness_seconds=2 * 3600, revision_horizon_days=20)
DAY_MS = 24 * HOUR_MS
START_MS = 1_546_300_800_000
"""2019-01-01."""
DAYS = 440
YEAR_DAYS = 364
PER_DAY = 5


def arrivals(rng: Random, late: tuple[int, int]) -> list[Payment]:
    """Return payments in the order in which they arrive: so many of each day's late, in the first year and after."""
    found = []
    for day in range(DAYS):
        late_ones = late[day >= YEAR_DAYS]
        for at in range(PER_DAY):
            event_ms = START_MS + day * DAY_MS + at * 4 * HOUR_MS
            delay_days = rng.randint(1, 15) if at < late_ones else 0
            found.append((event_ms + delay_days * DAY_MS, Payment(event_ms, "R", "x", 100)))
    return [payment for _, payment in sorted(found, key=lambda each: each[0])]


def changes(second: SecondFold) -> dict[int, list[float]]:
    """Return the change of payments of the panel's total by day and vintage; days without one are left out."""
    found: dict[int, list[float]] = defaultdict(list)
    for rows in second.rows:
        if rows.bucket == "day" and Series("P", None, None) in rows.series:
            change = float(rows.year_on_year[rows.series.index(Series("P", None, None)), 0])
            if not isnan(change):
                found[rows.start_seconds].append(change)
    return found


@pytest.mark.parametrize(
    ("late", "first", "last"),
    [
        pytest.param((1, 1), 0.0, 0.0, id="as many late in both years"),
        pytest.param((1, 0), 0.25, 0.0, id="none late any more, so that the week itself is never revised"),
        pytest.param((0, 1), -0.2, 0.0, id="late since this year"),
    ],
)
def test_vintage_0_is_compared_with_vintage_0_and_the_last_with_the_last(
    late: tuple[int, int], first: float, last: float
) -> None:
    """No vintage compares what is complete with what is not; one between the two repeats the change of vintage 0."""
    panels, logs = [small_panel("day", "UTC")], [arrivals(Random(7), late)]
    second = SecondFold(panels, PARAMETERS, 1)
    second.apply(undisturbed(panels, PARAMETERS, logs))
    found = changes(second)
    truth = count_plainly(logs, PARAMETERS)
    on_time, all_of_it = ([0] * DAYS, [0] * DAYS)
    for days, sums in ((on_time, truth.on_time), (all_of_it, truth.final())):
        for (_, bucket), (count, _) in sums.items():
            days[(bucket * 1000 - START_MS) // DAY_MS] += count

    def change(days: list[int], end: int) -> float:
        return sum(days[end - 6 : end + 1]) / sum(days[end - 370 : end - 363]) - 1

    assert sorted(found) == [(START_MS + day * DAY_MS) // 1000 for day in range(370, DAYS)]
    for day in range(370, DAYS):
        *earlier, final = found[(START_MS + day * DAY_MS) // 1000]
        assert earlier == pytest.approx([change(on_time, day)] * len(earlier), abs=1e-6)
        assert final == pytest.approx(change(all_of_it, day), abs=1e-6)
        assert earlier, "what it is compared with has changed since"
    assert max(map(len, found.values())) > 2 or late == (1, 0), "vintages between the first and the last"
    assert found[(START_MS + 420 * DAY_MS) // 1000][0] == pytest.approx(first, abs=1e-6)
    assert found[(START_MS + 420 * DAY_MS) // 1000][-1] == pytest.approx(last, abs=1e-6)
