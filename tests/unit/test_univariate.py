"""The univariate score on series made here with fixed seeds: what it finds, what it leaves alone, what it survives."""

import doctest
import importlib
import math
import pickle
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from river.checks import yield_checks

from earlywarn.detection.autoregression import Autoregression
from earlywarn.detection.seasonal_level import SeasonalLevel
from earlywarn.detection.univariate import UnivariateAnomaly
from earlywarn.detection.univariate_parameters import UnivariateParameters
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.errors import ConfigError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

HALF_HOUR = 1800.0
EVENTS = (1300, 1900, 2500)


def times(count: int, step: float = HALF_HOUR) -> Floats:
    return 1_560_000_000.0 + step * np.arange(count, dtype=np.float64)


def daily(count: int, seed: int) -> tuple[Floats, Floats]:
    """Return half-hourly times and values: a day of two waves, weaker weekends, normal noise of sd 3."""
    random = np.random.default_rng(seed)
    at = times(count)
    hour, weekday = at % 86400 / 3600, at // 86400 % 7
    values = 100 + 20 * np.sin((hour - 8) / 12 * np.pi) + 8 * np.sin(hour / 6 * np.pi) - 12.0 * (weekday >= 5)
    return at, values + random.normal(0, 3, count)


def scores(at: Floats, values: Floats) -> Floats:
    model = UnivariateAnomaly()
    return np.array(
        [
            model.score_and_learn_one({"timestamp": second, "value": value})
            for second, value in zip(at.tolist(), values.tolist(), strict=True)
        ]
    )


def area_under_curve(score: Floats, anomalous: Flags) -> float:
    """Return the probability that an anomalous row scores above a usual one, ties counting half."""
    bad, good = score[anomalous][:, None], score[~anomalous][None, :]
    return float((bad > good).mean() + (bad == good).mean() / 2)


def spike(values: Floats, at: int) -> slice:
    values[at] += 20
    return slice(at, at + 1)


def shift(values: Floats, at: int) -> slice:
    values[at : at + 60] -= 10
    return slice(at, at + 12)


def burst(values: Floats, at: int) -> slice:
    values[at : at + 40] += np.random.default_rng(at).normal(0, 12, 40)
    return slice(at, at + 24)


def lost_rhythm(values: Floats, at: int) -> slice:
    values[at : at + 24] = 100 + np.random.default_rng(at).normal(0, 3, 24)
    return slice(at, at + 24)


def freeze(values: Floats, at: int) -> slice:
    values[at : at + 24] = values[at]
    return slice(at + 3, at + 24)


@pytest.mark.parametrize(
    ("inject", "least"), [(spike, 0.98), (shift, 0.88), (burst, 0.93), (lost_rhythm, 0.93), (freeze, 0.97)]
)
def test_anomalies_rank_above_the_usual(inject: Callable[[Floats, int], slice], least: float) -> None:
    at, values = daily(3000, seed=3)
    anomalous, counted = np.zeros(3000, dtype=bool), np.ones(3000, dtype=bool)
    counted[:800] = False
    for event in EVENTS:
        counted[event : event + 100] = False
        anomalous[inject(values, event)] = True
    counted |= anomalous
    assert area_under_curve(scores(at, values)[counted], anomalous[counted]) >= least


def test_usual_rows_hardly_ever_score_high_and_a_spike_does() -> None:
    at, values = daily(4000, seed=5)
    values[3500] += 40
    found = scores(at, values)
    assert found[3500] > 0.9
    assert np.delete(found, 3500)[1000:].max() < 0.99
    assert (np.delete(found, 3500)[1000:] > 0.5).mean() < 0.004


@pytest.mark.parametrize("step", [60.0, 300.0, 3600.0, 86_400.0, 604_800.0])
def test_a_jump_is_seen_at_every_frequency(step: float) -> None:
    random = np.random.default_rng(8)
    values = 50 + random.normal(0, 1, 400)
    values[300:] += 12
    found = scores(times(400, step), values)
    assert found[300] > 0.9
    assert found[380:].max() < 0.5  # a lasting shift is the new normal


def test_no_row_depends_on_a_later_one() -> None:
    at, values = daily(600, seed=1)
    other = values.copy()
    other[400:] = -1e6
    assert (
        scores(at, values)[:400].tolist() == scores(at, other)[:400].tolist() == scores(at[:400], values[:400]).tolist()
    )


def test_score_one_changes_nothing_and_agrees_with_score_and_learn_one() -> None:
    at, values = daily(300, seed=2)
    apart, together = UnivariateAnomaly(), UnivariateAnomaly()
    for second, value in zip(at.tolist(), values.tolist(), strict=True):
        x = {"timestamp": second, "value": value}
        first = apart.score_one(x)
        assert apart.score_one(x) == first == together.score_and_learn_one(x)
        apart.learn_one(x)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e12])
def test_a_constant_series_is_nothing_to_look_at(value: float) -> None:
    assert scores(times(500), np.full(500, value)).max() < 0.1


def test_a_constant_that_jumps_is_seen_at_once_and_becomes_usual() -> None:
    values = np.where(np.arange(1500) < 1000, 5.0, 9.0)
    found = scores(times(1500), values)
    assert found[:1000].max() < 0.1
    assert found[1000] > 0.95
    assert found[1200:].max() < 0.5


def test_values_that_are_no_numbers_are_no_news() -> None:
    at, values = daily(500, seed=4)
    plain, disturbed = UnivariateAnomaly(), UnivariateAnomaly()
    for second, value in zip(at.tolist(), values.tolist(), strict=True):
        x = {"timestamp": second, "value": value}
        for nothing in (math.nan, math.inf, None):
            assert disturbed.score_one({"timestamp": second, "value": nothing}) == 0.0
            disturbed.learn_one({"timestamp": second, "value": nothing})
        disturbed.learn_one({})
        assert plain.score_and_learn_one(x) == disturbed.score_and_learn_one(x)


@pytest.mark.parametrize(("row", "ceiling"), [(100, 0.408), (115, 0.5025), (250, 0.885), (365, 0.951), (1000, 0.995)])
def test_an_outlier_of_a_hundred_times_is_at_the_ceiling_of_its_row(row: int, ceiling: float) -> None:
    """No step scores higher on that day; its later days may, since the ceiling rises with the rows."""
    found = []
    for size in (100, 3):
        values = 1000 + np.random.default_rng(3).normal(0, 50, row + 30)
        values[row] *= size
        found.append(scores(times(len(values), 86_400.0), values)[row])
    values = 1000 + np.random.default_rng(3).normal(0, 50, row + 30)
    values[row:] *= 0.7
    step = scores(times(len(values), 86_400.0), values)
    assert found == [pytest.approx(ceiling, abs=6e-4)] * 2
    assert step[row] <= found[0]


@pytest.mark.parametrize("size", [1e3, 1e9, 1e300])
def test_an_outlier_however_large_blinds_nobody(size: float) -> None:
    """After an outlier the next spike of usual size is still seen, and usual rows stay low."""
    at, values = daily(2500, seed=6)
    values[1500], values[2000] = size, values[2000] + 40
    found = scores(at, values)
    assert np.isfinite(found).all()
    assert found[1500] > 0.95
    assert found[2000] > 0.9
    assert (found[1510:1990] > 0.5).mean() < 0.03


def test_a_long_gap_is_no_anomaly_and_the_series_goes_on() -> None:
    at, values = daily(3000, seed=7)
    kept = np.r_[0:1500, 1988:3000]
    found = scores(at[kept], values[kept])
    assert found[1500:1600].max() < 0.9
    values[2500] += 40
    assert scores(at[kept], values[kept])[2500 - 488] > 0.9


def test_a_series_without_timestamps_takes_the_usual_step() -> None:
    random = np.random.default_rng(9)
    values = random.normal(0, 1, 300)
    values[250] = 15
    model = UnivariateAnomaly()
    found = [model.score_and_learn_one({"value": value}) for value in values.tolist()]
    assert max(range(300), key=lambda row: found[row]) == 250


def test_the_score_knows_no_units() -> None:
    at, values = daily(800, seed=10)
    assert scores(at, values * 1024.0).round(6).tolist() == scores(at, values).round(6).tolist()


def test_a_restored_state_gives_the_same_scores_to_the_bit() -> None:
    at, values = daily(900, seed=11)
    values[620] += 60
    model, restored = UnivariateAnomaly(), UnivariateAnomaly()
    rows = [{"timestamp": second, "value": value} for second, value in zip(at.tolist(), values.tolist(), strict=True)]
    for x in rows[:625]:
        model.learn_one(x)
    restored.restore(decode_state(encode_state(model.state())))
    assert [restored.score_and_learn_one(x) for x in rows[625:]] == [model.score_and_learn_one(x) for x in rows[625:]]


class CreditCard:
    """Stands in for River's dataset of that name, which it would fetch: same columns, one fraud in 50."""

    def take(self, count: int) -> Iterator[tuple[dict[str, float], int]]:
        random = np.random.default_rng(12)
        for row in range(count):
            fraud = row % 50 == 49
            components = {f"V{place}": float(random.normal()) for place in range(1, 29)}
            amount = float(random.normal(80, 10) + 200 * fraud)
            yield {"Time": 60.0 * row, **components, "Amount": amount}, int(fraud)


@pytest.mark.parametrize("model", [UnivariateAnomaly(), UnivariateAnomaly(value="Amount", timestamp="Time")], ids=str)
def test_river_checks(model: UnivariateAnomaly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("river.datasets.CreditCard", CreditCard)
    ran = 0
    for check in yield_checks(model):
        if check.__name__ not in model._unit_test_skips():
            check(model.clone())
            ran += 1
    assert ran > 15


def test_a_pickled_model_is_the_model() -> None:
    model = UnivariateAnomaly()
    model.learn_one({"timestamp": 0.0, "value": 1.0})
    assert pickle.loads(pickle.dumps(model)).state() == model.state()  # noqa: S301  # its own


def test_parameters_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match="p_half"):
        UnivariateParameters(p_half=0.0)
    with pytest.raises(ConfigError, match="window"):
        UnivariateParameters(window=10)
    with pytest.raises(ConfigError, match="start_observations"):
        UnivariateParameters(start_observations=0)


def test_the_autoregression_stays_itself_in_a_long_series() -> None:
    """Twenty thousand values of pure noise teach next to nothing; of a slow swing, that the next is like the last."""
    random = np.random.default_rng(13)
    model = Autoregression(order=3, forgetting=0.998)
    for age, value in enumerate(random.normal(0, 1, 20_000).tolist()):
        assert age < 200 or abs(model.forecast()) < 1.5
        model.learn(value)
    for value in np.sin(np.arange(3000) / 200).tolist():
        model.learn(value)
    assert model.forecast() == pytest.approx(math.sin(15.0), abs=0.02)


def test_a_period_is_known_only_after_two_of_it() -> None:
    """A year of half hours meets each month a thousand times, but only once."""
    year = SeasonalLevel(period_seconds=31_556_952.0, bins=12, level_gain=0.02)
    day = SeasonalLevel(period_seconds=86_400.0, bins=48, level_gain=0.02)
    for second in times(5 * 48).tolist():
        year.learn(second, 1.0)
        day.learn(second, 1.0)
    assert (day.mature, year.mature) == (True, False)


@pytest.mark.parametrize("name", ["univariate", "autoregression", "seasonal_level", "tail_rank"])
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"earlywarn.detection.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
