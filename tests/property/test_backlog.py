"""A partition that was idle for weeks or months comes back with what it had: what still counts, and what cannot."""

from random import Random

import msgspec
import pytest
from fold_oracle import HOUR_MS, Payment, count_plainly, small_panel
from fold_readings import hourly, rows_of
from fold_stream import SecondFold, undisturbed

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.publication import REACH_DAYS

PARAMETERS = FoldParameters(block_size=24, lateness_seconds=3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000  # 2019-03-30 00:00 in Zurich


@pytest.mark.parametrize("gap_days", [3, 10, 40, REACH_DAYS - 1])
def test_the_backlog_of_an_idle_partition_counts_within_reach(gap_days: int) -> None:
    """A partition returns after weeks with what it had: settled buckets open again, with their windows, exactly."""
    logs = backlog(gap_days)
    second = returned(logs, gap_days)
    truth = count_plainly(logs, PARAMETERS)
    assert second.uncounted == []
    assert hourly(second, latest=True) == truth.final()
    latest = rows_of(second, latest=True)
    days = {start: row for (bucket, start, series), row in latest.items() if (bucket, series.level) == ("day", "panel")}
    starts = sorted(days)
    for at, start in enumerate(starts):
        for name, count, amount in days[start][2]:
            inside = [days[each] for each in starts[at + 1 - {"7d": 7, "28d": 28}[name] : at + 1]]
            assert (count, amount) == (sum(row[0] for row in inside), sum(row[1] for row in inside))


def test_a_backlog_from_beyond_reach_is_counted_apart_and_overwrites_nothing() -> None:
    logs = backlog(200)
    second = returned(logs, 200)
    truth = count_plainly(logs, PARAMETERS)
    uncounted = {((each.region, each.sector), each.bucket) for each in second.uncounted}
    assert sum(each.transactions for each in second.uncounted) == 24
    published = hourly(second, latest=True)
    for key, pair in truth.final().items():
        assert published.get(key, (0, 0)) == ((pair[0] - 1, pair[1] - 1) if key in uncounted else pair)


@pytest.mark.parametrize("woken", [False, True])
def test_a_backlog_into_idle_partitions_closes_whole_days_only_behind_a_record_in_each(woken: bool) -> None:  # noqa: FBT001
    """An idle partition is not waited for: the first that speaks decides, unless its oldest record wakes each first."""
    one = FoldParameters(block_size=1, lateness_seconds=3600, revision_horizon_days=2)
    panels = [small_panel()]
    logs = [[Payment(START_MS + at * HOUR_MS, "R", "x", 1) for at in range(72)] for _ in range(2)]
    partials = undisturbed(panels, one, logs)
    first, second = ([each for each in partials if each.partition == partition] for partition in (0, 1))
    fold = SecondFold(panels, one, 2, Random(0))
    fold.apply([first[0], said_idle(first[0]), second[0], said_idle(second[0])])
    fold.apply([*first[1:2], *second[1:2]] if woken else [])
    fold.apply([*first[1 + woken :], *second[1 + woken :]])
    truth = count_plainly(logs, one).final()
    assert hourly(fold, latest=True) == truth
    assert (hourly(fold, latest=False) == truth) == woken


def backlog(gap_days: int) -> list[list[Payment]]:
    """Return two logs: one of a payment an hour, one that stops after two days and has a day of backlog."""
    return [
        [Payment(START_MS + at * HOUR_MS, "R", "x", 5) for at in range((gap_days + 3) * 24)],
        [Payment(START_MS + at * HOUR_MS, "R", "x", 1) for at in range(72)],
    ]


def returned(logs: list[list[Payment]], gap_days: int) -> SecondFold:
    """Fold `backlog`: the second partition is idle after two days, and reads its backlog when the gap is over."""
    panels = [small_panel()]
    partials = undisturbed(panels, PARAMETERS, logs)
    steady, returning = ([each for each in partials if each.partition == partition] for partition in (0, 1))
    second = SecondFold(panels, PARAMETERS, 2, Random(gap_days))
    second.apply([*steady[:2], *returning[:2], said_idle(returning[1])])
    second.apply([*steady[2 : gap_days + 2], *returning[2:], *steady[gap_days + 2 :]])
    return second


def said_idle(partial: Partial) -> Partial:
    """Return what a partition says when nothing comes after a sealed block."""
    return msgspec.structs.replace(
        partial, block=partial.block + 1, since=partial.last, sealed=False, idle=True, rows=(), rejected={}
    )
