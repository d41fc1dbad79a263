"""Whether a total's alarm is that of one of its parts."""

import msgspec
import numpy as np
from lasting_fall import judged_days

from earlywarn.alerting.carrying import carried, moving_along
from earlywarn.alerting.grouping import membership
from earlywarn.detection.day_scores import Effects

DAY = judged_days()[-1]
MEMBERS = membership(DAY.nodes)
PLACE = {(node.region, node.sector): at for at, node in enumerate(DAY.nodes)}
REGION, SECTOR, PANEL = ("CH01", None), (None, "retail-fuel"), (None, None)
CELL = ("CH01", "retail-fuel")


def effects(*fallen: tuple[str | None, str | None]) -> Effects:
    """Return effects by which the cells of some nodes fell by half and no other one moved, on every day."""
    cells = MEMBERS.shape[1]
    expected = np.ones((3, len(MEMBERS), DAY.effects.observed.shape[2])) * 1_000
    lit = MEMBERS[[PLACE[node] for node in fallen]].any(axis=0)
    observed = expected[:2].copy()
    observed[:, :cells][:, lit] /= 2
    spread = np.full_like(DAY.effects.spread, 100.0**2)
    return msgspec.structs.replace(
        DAY.effects, observed=observed, expected=expected, spread=spread, dispersion=np.ones_like(spread)
    )


def found(shock: Effects, *alarming: tuple[str | None, str | None]) -> set[int]:
    ages = {PLACE[node]: 3 for node in alarming}
    totals = {at: 3 for at in ages if DAY.nodes[at].level != "cell"}
    return carried(totals, ages, shock, MEMBERS, np.zeros(len(MEMBERS), dtype=np.int64))


def test_totals_above_one_fallen_cell_are_carried_by_it() -> None:
    assert found(effects(CELL), CELL, REGION, SECTOR, PANEL) == {PLACE[REGION], PLACE[SECTOR], PLACE[PANEL]}


def test_a_panel_above_a_fallen_region_is_carried_by_the_region() -> None:
    assert found(effects(REGION), CELL, REGION, PANEL) == {PLACE[PANEL]}


def test_a_total_whose_rest_falls_as_well_is_carried_by_nobody() -> None:
    assert found(effects(REGION), CELL, REGION) == set()
    assert found(effects(PANEL), CELL, REGION, SECTOR, PANEL) == set()


def test_alarms_in_two_places_are_no_single_part_s() -> None:
    other = ("CH03", "accommodation")
    assert found(effects(CELL, other), CELL, other, PANEL) == set()
    assert found(effects(CELL, other), CELL, other, REGION, PANEL) == {PLACE[REGION]}


def test_a_part_of_which_another_measure_tells_carries_nothing() -> None:
    """The mean payment of one cell has doubled for a week, and all amounts have fallen for two days."""
    shock = effects(PANEL)
    cell, ages = PLACE[CELL], {PLACE[CELL]: 7, PLACE[PANEL]: 1}
    shock.observed[0, cell] = shock.observed[1, cell] / 2
    measure = np.ones(len(MEMBERS), dtype=np.int64)
    measure[cell] = 2
    assert carried({PLACE[PANEL]: 1}, ages, shock, MEMBERS, measure) == set()


def test_a_total_without_an_alarm_inside_stands_for_itself() -> None:
    assert found(effects(CELL), PANEL) == set()


def along(shock: Effects, *alarming: tuple[str | None, str | None], reach: float = 3.0) -> dict[int, int]:
    measure = np.zeros(len(MEMBERS), dtype=np.int64)
    return moving_along(
        {PLACE[node]: 3 for node in alarming}, [PLACE[REGION], PLACE[PANEL]], shock, MEMBERS, measure, reach
    )


def test_totals_that_fall_as_their_part_does_move_along() -> None:
    assert along(effects(PANEL), CELL) == {PLACE[REGION]: PLACE[CELL], PLACE[PANEL]: PLACE[CELL]}
    assert along(effects(REGION), CELL) == {PLACE[REGION]: PLACE[CELL]}
    assert along(effects(CELL), CELL, SECTOR) == {}
    assert along(effects(PANEL), SECTOR) == {PLACE[PANEL]: PLACE[SECTOR]}


def test_a_rest_that_chance_may_have_moved_does_not() -> None:
    assert along(effects(PANEL), CELL, reach=1_000.0) == {}
