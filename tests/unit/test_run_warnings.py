"""What a run says of its history, before anyone trusts its results."""

from datetime import date, timedelta
from typing import Literal

import pytest

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.run_warnings import history_warnings
from earlywarn.application.compose import compose
from earlywarn.application.settings import PanelSettings, Settings

LAST = date(2025, 6, 30)


@pytest.mark.parametrize(
    ("resolution", "judged", "said"),
    [("hour", LAST - timedelta(days=1), True), ("hour", LAST, False), ("day", LAST - timedelta(days=1), False)],
)
def test_a_last_day_that_is_not_judged_is_told(resolution: Literal["hour", "day"], judged: date, *, said: bool) -> None:
    """Cells are whole days, so none of theirs is cut short."""
    run = compose(Settings(run="test", panels=(PanelSettings(id="AT", countries=("AT",), resolution=resolution),)))
    seen = HistoryDays(closed=400, heard=400, ready=True, last=LAST, last_judged=judged)
    told = ["panel AT: nothing came of the last two hours of the last day, 2025-06-30: it is published and not judged"]
    assert list(history_warnings(run, {"AT": seen})) == (told if said else [])


def test_a_history_that_taught_the_models_nothing_is_told() -> None:
    run = compose(Settings(run="test", panels=(PanelSettings(id="AT", countries=("AT",)),)))
    seen = HistoryDays(closed=170, heard=170, learned=3)
    [told] = history_warnings(run, {"AT": seen})
    assert told.startswith("panel AT: on 3 of 170 days enough was heard and could be read to be judged; no alert of ")
    [told] = history_warnings(run, {"AT": HistoryDays(closed=28, heard=28)})
    assert "still learning" in told
