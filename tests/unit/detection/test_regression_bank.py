"""Calendar regressions: both faces are one model, the footprint is exact, nothing wild poisons them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from earlywarn.detection.calendar_regression import CalendarRegression
from earlywarn.detection.new_levels import beside_level
from earlywarn.detection.regression_bank import RegressionBank
from earlywarn.detection.regression_parameters import RegressionParameters
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.errors import ConfigError, SnapshotError

Floats = npt.NDArray[np.float64]

NAMES = ("const", "d0", "d1", "d2", "d3", "d4", "d5", "hol_wd")
DAYS, SIZE = 150, 4


def features(day: int) -> Floats:
    return np.array([1.0, *(float(day % 7 == weekday) for weekday in range(6)), float(day == 140)])


def values() -> Floats:
    rng = np.random.default_rng(11)
    weekday = np.array([0.0, 0.0, 0.1, 0.1, 0.3, 0.4, -0.5])[np.arange(DAYS) % 7][:, None]
    found: Floats = rng.uniform(3.0, 9.0, SIZE) + weekday + rng.normal(0.0, 0.1, (DAYS, SIZE))
    found[20:25, 1] = np.nan
    return found


VALUES = values()


def learn(bank: RegressionBank, given: Floats, first: int = 0) -> list[Any]:
    """Feed the days from `first` on and return the innovations."""
    found = []
    for day, today in enumerate(given[first:], first):
        design = np.tile(features(day), (given.shape[1], 1))
        found.append(bank.learn(today, design, np.ones(given.shape[1]), day % 7))
        bank.drift_days(1)
    return found


def bank_of(size: int = SIZE, parameters: RegressionParameters | None = None) -> RegressionBank:
    return RegressionBank(NAMES, parameters or RegressionParameters(), size=size)


def test_the_array_face_is_the_one_at_a_time_face() -> None:
    """M series in one bank are predicted as by M River regressors, to rounding."""
    bank, single = bank_of(), [CalendarRegression() for _ in range(SIZE)]
    for day in range(DAYS):
        x = {name: value for name, value in zip(NAMES, features(day).tolist(), strict=True) if name != "const"}
        mean = bank.predict(np.tile(features(day), (SIZE, 1)), np.ones(SIZE), day % 7).mean
        assert [model.predict_one(x) for model in single] == pytest.approx(mean.tolist(), rel=1e-9)
        bank.learn(VALUES[day], np.tile(features(day), (SIZE, 1)), np.ones(SIZE), day % 7)
        bank.drift_days(1)
        for model, value in zip(single, VALUES[day].tolist(), strict=True):
            model.learn_one(x, value)


def test_the_footprint_is_what_a_step_does_to_the_innovations() -> None:
    """With fixed scale and no Huber weights the model is linear: a step's effect on the innovation is exact."""
    parameters = RegressionParameters(huber=1e9, huber_start=1e9, scale_delay_days=10_000)
    onset, step = 120, 0.3
    stepped = VALUES.copy()
    stepped[onset:] += step
    before, after = learn(bank_of(parameters=parameters), VALUES), learn(bank_of(parameters=parameters), stepped)
    for day in range(onset, onset + parameters.window_days):
        expected = step * before[day].footprint[:, day - onset]
        assert np.allclose(after[day].error - before[day].error, expected, atol=1e-12)
    assert before[onset + 20].footprint[0, 20] < before[onset + 1].footprint[0, 1] < 1.0


def test_a_day_type_never_seen_is_wide() -> None:
    bank = bank_of()
    learn(bank, VALUES[:135])
    usual = bank.predict(np.tile(features(135), (SIZE, 1)), np.ones(SIZE), 0).sd
    holiday = bank.predict(np.tile(features(140), (SIZE, 1)), np.ones(SIZE), 0).sd
    assert (holiday > 4 * usual).all()


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_not_seen(wild: float) -> None:
    broken = VALUES[:100].copy()
    broken[90, 0] = wild
    bank = bank_of()
    innovation = learn(bank, broken)[90]
    assert innovation.error[0] == innovation.z[0] == 0.0
    assert not innovation.seen[0]
    assert np.isfinite(bank.coefficients).all()


@pytest.mark.parametrize(("day", "weeks"), [(10, 15), (100, 2)])
def test_a_hundredfold_outlier_does_not_last(day: int, weeks: int) -> None:
    """Two weeks after it the prediction is back; one among the first days is forgotten when alarms begin."""
    wild, last = VALUES.copy(), day + 7 * weeks + 1
    wild[day, 0] += np.log(100.0)
    touched, untouched = bank_of(), bank_of()
    moved = learn(touched, wild[:last])[-7:]
    same = learn(untouched, VALUES[:last])[-7:]
    for weekday in range(7):
        assert moved[weekday].prediction.mean[0] == pytest.approx(same[weekday].prediction.mean[0], abs=0.1)
    assert touched.variance[0] < 2.0 * untouched.variance[0]


def test_sixty_days_of_silence_widen_the_prediction() -> None:
    bank = bank_of()
    learn(bank, VALUES[:120])
    design = np.tile(features(121), (SIZE, 1))
    before = bank.predict(design, np.ones(SIZE), 2)
    bank.age(60)
    bank.drift_days(60)
    after = bank.predict(design, np.ones(SIZE), 2)
    assert (after.sd > before.sd).all()
    assert np.array_equal(after.mean, before.mean)
    assert not bank.sensitivity.any()


def test_few_expected_payments_have_the_variance_of_poisson() -> None:
    bank = bank_of(size=2)
    bank.count_of[:], bank.dispersion[:] = [0, 0], [1.0, 2.0]
    learn(bank, np.tile(np.log([4.0, 400.0]), (100, 1)))
    sd = bank.predict(np.tile(features(0), (2, 1)), np.ones(2), 0).sd
    assert sd[0] >= np.sqrt(1 / 4.0) * 0.99
    assert sd[1] >= np.sqrt(2 / 4.0) * 0.99


def test_a_widened_level_is_learned_at_once_and_an_anchored_one_starts_today() -> None:
    flags, target, design = np.ones(SIZE, dtype=bool), VALUES[100] + 1.0, np.tile(features(101), (SIZE, 1))
    still, widened, anchored = bank_of(), bank_of(), bank_of()
    for bank in (still, widened, anchored):
        learn(bank, VALUES[:100])
    widened.widen_level(flags, 4.0)
    anchored.anchor(flags, target - beside_level(anchored, np.tile(features(100), (SIZE, 1))), np.zeros(SIZE))
    for bank in (still, widened):
        bank.learn(target, np.tile(features(100), (SIZE, 1)), np.ones(SIZE), 100 % 7)
    reached = [bank.predict(design, np.ones(SIZE), 101 % 7).mean for bank in (still, widened, anchored)]
    assert (reached[0] < reached[1]).all()
    assert np.allclose(anchored.predict(np.tile(features(100), (SIZE, 1)), np.ones(SIZE), 2).mean, target)


def test_a_restored_bank_goes_on_bit_for_bit() -> None:
    bank, restored = bank_of(), bank_of(size=0)
    learn(bank, VALUES[:100])
    restored.restore(decode_state(encode_state(bank.state())))
    for one, other in zip(learn(bank, VALUES, 100), learn(restored, VALUES, 100), strict=True):
        assert one.z.tobytes() == other.z.tobytes()
        assert one.footprint.tobytes() == other.footprint.tobytes()


def test_series_that_move_keep_what_they_learned() -> None:
    bank, grown = bank_of(), bank_of()
    learn(bank, VALUES[:100])
    learn(grown, VALUES[:100])
    places = np.array([0, 2, 3, 5])
    grown.embed(places, 6)
    assert np.array_equal(grown.covariance[places], bank.covariance)
    assert grown.learned.tolist() == [100, 0, 95, 100, 0, 100]


def test_a_restored_regressor_predicts_the_same() -> None:
    model, restored = CalendarRegression(), CalendarRegression()
    for day in range(60):
        model.learn_one({f"d{day % 6}": 1.0}, 5.0 + 0.1 * (day % 6))
    restored.restore(decode_state(encode_state(model.state())))
    assert restored.predict_interval_one({"d3": 1.0}) == model.predict_interval_one({"d3": 1.0})


def test_features_and_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="const"):
        RegressionBank(("d0",), RegressionParameters())
    with pytest.raises(SnapshotError, match="another configuration"):
        RegressionBank(("const",), RegressionParameters()).restore(bank_of().state())
    with pytest.raises(ConfigError, match="give above 0"):
        RegressionParameters(huber=0.0)


def test_in_a_shock_nothing_but_the_level_is_learned() -> None:
    """A step of -50 % on its first day moves weekday effects as well, unless it is said that it is a step."""
    both = bank_of(2)
    learn(both, VALUES[:100, [0, 0]])
    before = both.coefficients.copy()
    for day in range(100, 107):
        design, fallen = np.tile(features(day), (2, 1)), VALUES[day, [0, 0]] - 0.7
        both.learn(fallen, design, np.ones(2), day % 7, level_alone=np.array([False, True]))
        both.drift_days(1)
    moved = np.abs(both.coefficients - before)
    others = np.arange(len(NAMES)) != both.level
    assert moved[0, others].max() > 0.003
    assert not moved[1, others].any()
    assert moved[1, both.level] == pytest.approx(moved[0, both.level], rel=0.2)
    for covariance in both.covariance:
        assert np.array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize(("inflation", "is_learned"), [(4.0, False), (9.0, True)])
def test_nothing_on_the_one_day_of_a_kind_is_not_expected_of_the_next(inflation: float, *, is_learned: bool) -> None:
    """A row that is missing says nothing of such days, unless many close on them."""
    bank = bank_of()
    for day in range(15, 15 + 7 * 9):
        at = bank.learn(np.full(SIZE, 8.0), np.tile(features(day), (SIZE, 1)), np.ones(SIZE), day % 7)
        bank.drift_days(1)
    assert at.seen.all()
    special = features(140)
    bank.learn(np.full(SIZE, np.log(0.5)), np.tile(special, (SIZE, 1)), np.full(SIZE, inflation), 140 % 7)
    for day in range(141, 141 + 7):
        bank.learn(np.full(SIZE, 8.0), np.tile(features(day), (SIZE, 1)), np.ones(SIZE), day % 7)
    mean = bank.predict(np.tile(special, (SIZE, 1)), np.full(SIZE, inflation), 140 % 7).mean
    assert bool((mean < 7.5).all()) is is_learned
    assert bool((abs(mean - 8.0) < 0.1).all()) is not is_learned
