"""Baselines and effects: what would have been, what was, how sure; nothing learned from a shock is in it."""

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.detection.day_scores import MEASURES, DayScores
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.effect_bank import EffectBank, EffectParameters, at_usual_ticket, inside, log_effect
from earlywarn.detection.hierarchy import Node, NodeTree
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.day_features import DayFeatures
from earlywarn.errors import ConfigError

SERIES = tuple((region, sector) for region in ("A", "B") for sector in ("x", "y", "z"))
FIRST, SHOCK, DAYS = date(2021, 1, 4), 150, 175
HIT = SERIES.index(("B", "x"))
Counts = npt.NDArray[np.int64]


def history(seed: int = 5) -> list[tuple[Counts, Counts]]:
    rng = np.random.default_rng(seed)
    level = np.exp(rng.uniform(6.5, 9.0, len(SERIES)))
    found = []
    for day in range(DAYS):
        weekday = [0.0, 0.0, 0.05, 0.05, 0.2, 0.1, -0.6][day % 7]
        counts = rng.poisson(level * np.exp(weekday + 0.03 * rng.standard_normal(len(SERIES))))
        amounts = np.round(counts * 4000 * np.exp(0.02 * rng.standard_normal(len(SERIES))))
        found.append((counts.astype(np.int64), amounts.astype(np.int64)))
    return found


HISTORY = history()


def run(counts_by: float = 1.0, amounts_by: float = 1.0, days: int = DAYS) -> list[DayScores]:
    model = PanelDetector(DetectorParameters(), DayFeatures(lambda _region, _day: 0.0))
    found = []
    for at, (counts, amounts) in enumerate(HISTORY[:days]):
        counts, amounts = counts.copy(), amounts.copy()
        if at >= SHOCK:
            counts[HIT], amounts[HIT] = round(counts[HIT] * counts_by), round(amounts[HIT] * amounts_by)
        found.append(model.step(FIRST + timedelta(days=at), SERIES, counts, amounts))
    return found


CALM = run()


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.8, 1.5])
def test_the_baseline_before_a_shock_knows_nothing_of_it(factor: float) -> None:
    """Twenty days into a shock, the baseline of its first day is what it would be without one, bit for bit."""
    age = 20
    shocked = run(factor, factor, SHOCK + age + 1)[-1].effects
    calm = CALM[SHOCK + age].effects
    assert shocked.today[:, :, age].tobytes() == calm.today[:, :, age].tobytes()
    assert shocked.expected[:2, :, age].tobytes() == calm.expected[:2, :, age].tobytes()
    assert shocked.usual_sd[:, HIT] == pytest.approx(calm.usual_sd[:, HIT], rel=0.3)


@pytest.mark.parametrize(("factor", "age"), [(0.0, 0), (0.0, 6), (0.5, 6), (0.8, 13), (1.5, 6)])
def test_an_effect_is_the_sum_of_what_was_by_what_would_have_been(factor: float, age: int) -> None:
    effects = run(factor, factor, SHOCK + age + 1)[-1].effects
    observed = effects.observed[1, HIT, age]
    seen = [round(amounts[HIT] * factor) for _, amounts in HISTORY[SHOCK : SHOCK + age + 1]]
    assert observed == sum(seen)
    truth = factor - 1
    told = observed / effects.expected[1, HIT, age] - 1
    assert told == pytest.approx(truth, abs=0.05 * max(factor, 0.01))
    if factor > 0:
        assert np.expm1(effects.effect[1, HIT, age]) == pytest.approx(told)
        spread = effects.sd[1, HIT, age]
        assert abs(effects.effect[1, HIT, age] - np.log(factor)) < 3 * spread


def test_a_total_s_effect_is_that_of_its_spending() -> None:
    """The region's fall is the cell's share of its spending, not the mean of its cells."""
    scores = run(0.5, 0.5, SHOCK + 7)[-1]
    effects, region = scores.effects, scores.nodes.index(Node("region", "B"))
    cells = [at for at, node in enumerate(scores.nodes) if node.level == "cell" and node.region == "B"]
    for sums in (effects.observed, effects.expected[:2]):
        assert sums[:, region, 6] == pytest.approx(sums[:, cells, 6].sum(axis=1))


def test_an_amount_of_nothing_beside_the_usual_counts_is_a_fall_of_the_ticket() -> None:
    """No money in the tills though people pay: the logarithm of nothing is a floor that alarms."""
    scores = run(1.0, 0.0, SHOCK + 3)[-1]
    assert scores.down.score[HIT] > 9
    assert MEASURES[int(scores.down.measure[HIT])] == "mean_ticket"
    assert int(scores.down.onset_age_days[HIT]) == 2
    assert scores.mean_ticket.observed[HIT] == 0
    assert scores.mean_ticket.z[HIT] < -10
    assert np.expm1(scores.down.effect[HIT]) < -0.99


def test_intervals_hold_what_they_say() -> None:
    """Without a shock, about nineteen in twenty effects lie within their 95 % intervals, at every age."""
    found = np.stack([scores.effects.effect / scores.effects.sd for scores in CALM[100:]])
    for age in (0, 6, 13, 20):
        inside = (np.abs(found[:, :, : len(SERIES), age]) < 1.96).mean()
        assert 0.85 < inside <= 1.0, age


def test_nothing_counts_as_half_a_payment() -> None:
    effect = log_effect(np.array([0.0, 0.0]), np.array([100.0, 5000.0]))
    assert effect == pytest.approx([np.log(0.005), np.log(0.005), 0.0])
    assert log_effect(np.array([0.0, 0.0]), np.array([0.0, 0.0])).tolist() == [0.0, 0.0, 0.0]


@given(
    st.lists(st.tuples(st.floats(0.01, 10.0), st.floats(0.5, 2.0), st.floats(10.0, 200.0)), min_size=4, max_size=4),
    st.floats(0.5, 2.0),
)
def test_days_count_for_the_mean_ticket_by_their_payments(days: list[tuple[float, float, float]], step: float) -> None:
    """More or fewer payments on some days change nothing of it, and what did change lies within what its days say."""
    bank = EffectBank(EffectParameters(), NodeTree([("A", "x")]), window_days=4)
    flags = np.zeros(1, dtype=bool)
    for at, (factor, own, ticket) in enumerate(days):
        usual = np.array([1_000.0 * (1 + at), 1_000.0 * (1 + at) * ticket])
        seen = factor * usual * [1.0, step * own]
        bank.learn(seen[:, None], np.repeat(usual[:, None, None], 4, axis=2), np.full((3, 1), 0.01), flags, flags)
    effects = bank.effects(flags)
    alone = [np.log(step * own) for _, own, _ in reversed(days)]
    assert effects.alone[2, 0] == pytest.approx(alone)
    for age in range(4):
        assert min(alone[: age + 1]) - 1e-9 <= effects.effect[2, 0, age] <= max(alone[: age + 1]) + 1e-9
        # One day that is paid on more than all others together says no more than it would alone.
        assert 0.1 / np.sqrt(age + 1) - 1e-9 <= effects.sd[2, 0, age] <= 0.1 + 1e-9


def test_cells_of_a_total_take_from_it_how_payments_lay_on_days() -> None:
    """A tenth of all payments on the first day, all on the second, whose tickets are twice as high."""
    usual = np.array([[[100.0, 300.0], [100.0, 300.0]], [[1_000.0, 9_000.0], [2_000.0, 18_000.0]]])  # [2, days, cells]
    seen = usual * np.array([0.1, 1.0])[:, None]
    days = seen.sum(axis=2), usual.sum(axis=2)
    whole = seen.sum(axis=(1, 2)), np.append(usual.sum(axis=(1, 2)), at_usual_ticket(*days).sum())
    for cells in ([0], [1], [0, 1]):
        came, expected = seen[:, :, cells].sum(axis=(1, 2)), usual[:, :, cells].sum(axis=(1, 2))
        found = inside(whole, came, expected)
        assert found == pytest.approx([*expected, came[1]])
        assert log_effect(came, found)[2] == pytest.approx(0.0)


def test_a_day_unheard_is_no_day() -> None:
    """Days of which nothing is known make first days older and add to neither side."""
    bank = EffectBank(EffectParameters(), NodeTree([("A", "x")]), window_days=4)
    usual = np.full((2, 1, 4), 100.0)
    mature = np.zeros(1, dtype=bool)
    bank.learn(np.array([[80.0], [80.0]]), usual, np.full((3, 1), 0.01), mature, special=mature)
    bank.age(2)
    effects = bank.effects(mature)
    assert effects.days.tolist() == [0, 0, 1, 1]
    assert effects.observed[0, 0].tolist() == [0.0, 0.0, 80.0, 80.0]
    assert np.isnan(effects.today).all()
    assert bank.heard[0].tolist() == [False, False, True, False]


def test_accepting_takes_back_what_the_shock_has_taught_but_its_level() -> None:
    """After acceptance the level is that of the shock, and the weekdays' effects are those of before."""
    model = PanelDetector(DetectorParameters(), DayFeatures(lambda _region, _day: 0.0))
    last = None
    for at, (counts, amounts) in enumerate(HISTORY):
        counts, amounts = counts.copy(), amounts.copy()
        if at >= SHOCK:
            counts[HIT], amounts[HIT] = counts[HIT] // 2, amounts[HIT] // 2
        last = model.step(FIRST + timedelta(days=at), SERIES, counts, amounts)
        if at == SHOCK + 11:
            model.accept([Node("cell", *SERIES[HIT])], FIRST + timedelta(days=SHOCK))
        if at > SHOCK + 11:
            assert np.log(last.amount.observed[HIT] / last.amount.expected[HIT]) == pytest.approx(0.0, abs=0.2)
            assert last.down.score[HIT] < 9
    assert last is not None


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError):
        EffectParameters(dispersion_memory=1.0)
    with pytest.raises(ConfigError):
        EffectParameters(dispersion_min=0.0)
    with pytest.raises(ConfigError):
        DetectorParameters(accept_days=22)


def test_a_shock_that_is_told_does_not_widen_what_is_uncertain_of_what_follows() -> None:
    """Nor do the windows that reach back into it; without a word it does, many times over."""
    wide = {}
    for is_told in (True, False):
        bank = EffectBank(EffectParameters(), NodeTree([("A", "x")]), window_days=4)
        chance, flags = np.random.default_rng(3), (np.ones(1, dtype=bool), np.zeros(1, dtype=bool))
        for day in range(140):
            in_shock = 100 <= day < 120
            seen = np.array([[100.0 * np.exp(0.1 * chance.normal())]]) * (0.5 if in_shock else 1.0)
            baseline = np.full((2, 1, 4), 100.0)
            bank.learn(np.concatenate([seen, seen]), baseline, np.full((3, 1), 0.01), *flags)
            if day == 99:
                before = bank.dispersion.copy()
            if in_shock and is_told:
                bank.shake(flags[0])
        wide[is_told] = (bank.dispersion / before)[0]
    assert (wide[True] < 1.5).all()
    assert (wide[False][0, 1:] > 2.0).all()
