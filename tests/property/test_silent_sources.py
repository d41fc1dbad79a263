"""Sources that fall silent and sectors that get another name: what is told of them is a function of the log."""

from random import Random

import pytest
from fold_oracle import HOUR_MS, Payment, two_panels
from fold_readings import coverage_of, rows_of
from fold_stream import SecondFold, disturbed, undisturbed
from hypothesis import given, settings
from hypothesis import strategies as st

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.rows import ClosedDay
from earlywarn.domain.series import Resolution

PARAMETERS = FoldParameters(block_size=7, lateness_seconds=2 * 3600, revision_horizon_days=2)
START_MS = 1_553_900_400_000  # 2019-03-30 00:00 in Zurich: the next day has 23 hours
SECTORS = ("food", "fuel", "toys")
NO_SECTOR = " "


def history(rng: Random) -> list[Payment]:
    """Return weeks of payments of three sources, each with hours of its own, and what becomes of some of them."""
    days = rng.randint(34, 44)
    renamed, closed, silent = (rng.randint(29, days) for _ in range(3))
    hours = {"a": (1, 9), "b": (9, 17), None: (17,)}
    name, place = rng.choice(SECTORS), rng.choice("RS")
    log = []
    for day in range(days):
        for source, open_hours in hours.items():
            if day >= silent and source == "b" and rng.random() < 0.9:
                continue
            for hour in open_hours:
                for region, sector in ((region, sector) for region in "RS" for sector in SECTORS):
                    if day >= closed and (region, sector) == ("S", "toys"):
                        continue
                    is_renamed = day >= renamed and (sector, region) == (name, place) and rng.random() < 0.97
                    late_hours = rng.randrange(60) if rng.random() < 0.05 else 0
                    log.append(
                        Payment(
                            START_MS + (24 * day + hour - late_hours) * HOUR_MS + rng.randrange(HOUR_MS),
                            region,
                            NO_SECTOR if is_renamed else sector,
                            rng.choice([*range(500), -1]),
                            rng.choice(["purchase"] * 12 + ["refund", "reversal"]),
                            rng.choice(["CHF"] * 8 + ["EUR", "USD"]),
                            rng.randint(4, 30),
                            rng.choice([None, None, None, "US"]),
                            source,
                        )
                    )
    return log


def plain(day: ClosedDay) -> tuple[object, ...]:
    numbers = (day.transactions.tolist(), day.amount_minor.tolist(), day.cells_new.tolist(), day.cells_heard.tolist())
    return day.panel, day.day, day.cells, *numbers, day.coverage, day.complete, day.feeds, day.cells_read


@pytest.mark.parametrize("resolution", ["hour", "day"])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_disturbance_changes_nothing_of_what_is_missing(seed: int, resolution: Resolution) -> None:
    """However it is chopped, repeated and interleaved, and from a snapshot at any place."""
    rng, panels = Random(seed), two_panels(resolution)
    log, partitions = history(rng), rng.randint(1, 3)
    logs = [log[at::partitions] for at in range(partitions)]
    calm, stormy = SecondFold(panels, PARAMETERS, partitions), SecondFold(panels, PARAMETERS, partitions, rng)
    calm.apply(undisturbed(panels, PARAMETERS, logs))
    stormy.apply(disturbed(panels, PARAMETERS, logs, rng))
    assert coverage_of(stormy) == coverage_of(calm)
    assert rows_of(stormy, latest=True) == rows_of(calm, latest=True)
    for panel in panels:
        assert [plain(day) for day in stormy.days if day.panel == panel.id] == [
            plain(day) for day in calm.days if day.panel == panel.id
        ]
