"""What comes without a sector: more of it than usual may be what a silent cell lacks."""

from collections.abc import Mapping

import numpy as np
import pytest

from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import Counts
from earlywarn.aggregation.sectorless import Sectorless
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import decode_state, encode_state

CELLS = [CellKey("east", "food"), CellKey("east", "fuel"), CellKey("west", "fuel"), CellKey("east", "toys")]
USUAL = np.array([900.0, 400.0, 300.0, 100.0])
WHOLE = [900, 400, 300, 100]


def judged(sectorless: Sectorless, came: Mapping[str, int], brought: list[int], weekday: int = 0) -> Counts:
    return sectorless.close_day(weekday, came, CELLS, np.array(brought), USUAL, CoverageParameters())


@pytest.mark.parametrize(
    ("came", "brought", "missing"),
    [
        ({"east": 390}, [880, 0, 290, 98], {1: 391}),
        ({"east": 390}, [880, 8, 290, 90], {1: 380}),  # next to nothing
        ({"east": 390}, [880, 0, 290, 0], {1: 391, 3: 98}),  # of two that are silent it may be either
        ({"east": 190}, [880, 0, 290, 90], {}),  # it is too little to be that
        ({"east": 190}, [880, 0, 290, 0], {3: 98}),
        ({"east": 60}, [180, 0, 290, 20], {1: 80}),  # on a holiday a fifth is usual
        ({"east": 390}, [880, 80, 290, 90], {}),  # a cell that speaks has fallen
        ({"west": 390}, [880, 0, 290, 90], {}),  # another region's
        ({"west": 49}, [880, 400, 0, 90], {}),  # not sizeable
        ({}, [880, 0, 290, 90], {}),
    ],
)
def test_a_silent_cell_may_have_come_without_its_sector(
    came: dict[str, int], brought: list[int], missing: Counts
) -> None:
    assert judged(Sectorless(), came, brought) == missing


def test_nothing_is_missing_of_a_cell_of_which_is_not_known_what_is_usual() -> None:
    nothing = np.zeros(4)
    assert Sectorless().close_day(0, {"east": 390}, CELLS, np.zeros(4, int), nothing, CoverageParameters()) == {}


def test_what_usually_comes_without_a_sector_says_nothing() -> None:
    """Of such a weekday. What is missing of a cell never becomes usual: the cell begins anew instead (`unread`)."""
    sectorless = Sectorless()
    for _ in range(4):
        assert judged(sectorless, {"east": 300}, WHOLE) == {}
    assert judged(sectorless, {"east": 330}, [900, 0, 300, 100]) == {}
    assert judged(sectorless, {"east": 330}, [900, 0, 300, 100], weekday=1) == {1: 400}
    other = Sectorless()
    other.restore(decode_state(encode_state(sectorless.state())))
    for each in (sectorless, other):
        for _ in range(9):
            assert judged(each, {"east": 700}, [900, 0, 300, 100]) == {1: 400}
        for _ in range(4):
            judged(each, {"east": 700}, WHOLE)
        assert judged(each, {"east": 700}, [900, 0, 300, 100]) == {}
