"""What was expected before a first day, for longer than the models remember."""

import msgspec
import numpy as np
import pytest
from lasting_fall import FALLS_ON, judged_days

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.detection.day_scores import DayScores, Floats
from earlywarn.domain.state import decode_state, encode_state

FIRST = FALLS_ON.toordinal()
# Of cells in a shock no season is known: the baselines alone.
DAYS = [
    msgspec.structs.replace(
        day, effects=msgspec.structs.replace(day.effects, calm_days=np.zeros_like(day.effects.calm_days))
    )
    for day in judged_days()
]
WINDOW = len(DAYS[0].effects.days)


def plain(until: int) -> tuple[Floats, Floats, Floats]:
    """Return what was expected on a day, and seen and expected since FIRST, from the days one after another."""
    cells = sum(node.level == "cell" for node in DAYS[0].nodes)
    factors, seen, usual, today = np.ones((2, cells)), np.zeros((2, cells)), np.zeros((2, cells)), np.zeros(0)
    for day in DAYS:
        age = day.day.toordinal() - FIRST
        if age < 0 or age > until:
            continue
        today = factors * day.effects.today[:, :cells, min(age, WINDOW - 1)]
        usual = usual + today
        seen = seen + np.stack([day.transactions.observed[:cells], day.amount.observed[:cells]])
        if age >= WINDOW - 1:
            factors = factors * day.effects.fading[:, :cells]
    return today, seen, usual


def after(days: list[DayScores]) -> CellBaselines:
    baselines = CellBaselines()
    for day in days:
        baselines.step(day, [FIRST])
    return baselines


@pytest.mark.parametrize("age", [0, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + 18])
def test_an_old_baseline_goes_on_as_it_began(age: int) -> None:
    until = next(at for at, day in enumerate(DAYS) if day.day.toordinal() - FIRST == age)
    baselines = after(DAYS[: until + 1])
    today, seen, usual = plain(age)
    assert baselines.today(FIRST) == pytest.approx(today, rel=1e-9)
    assert baselines.since(FIRST)[0] == pytest.approx(seen, rel=1e-9)
    assert baselines.since(FIRST)[1] == pytest.approx(usual, rel=1e-9)
    panel = len(DAYS[until].nodes) - 1
    assert DAYS[until].nodes[panel].level == "panel"
    assert baselines.sums(FIRST, panel).expected_amount == pytest.approx(today[1].sum())


def test_it_is_what_was_usual_before_the_fall() -> None:
    """The cells that do not fall are as usual after six weeks, and the one that does is still far below."""
    place = [(node.region, node.sector) for node in DAYS[-1].nodes].index(("CH01", "retail-fuel"))
    seen, usual = after(DAYS).since(FIRST)
    change = seen[1] / usual[1] - 1
    assert change[place] < -0.5
    assert np.abs(np.delete(change, place)).max() < 0.06


def test_a_snapshot_goes_on_alike() -> None:
    half = after(DAYS[:-5])
    back = CellBaselines()
    back.restore(decode_state(encode_state(half.state())))
    for day in DAYS[-5:]:
        half.step(day, [FIRST])
        back.step(day, [FIRST])
    assert back.today(FIRST).tobytes() == half.today(FIRST).tobytes()
    assert encode_state(back.state()) == encode_state(half.state())


def test_a_baseline_that_nobody_needs_is_forgotten() -> None:
    baselines = after(DAYS)
    assert list(baselines.state()["older"]) == [str(FIRST)]
    baselines.step(DAYS[-1], [])
    assert not baselines.state()["older"]


def test_before_its_first_day_it_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="call step first"):
        CellBaselines().today(FIRST)
