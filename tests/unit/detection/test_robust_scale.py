"""The robust scale is near the standard deviation of normal noise, and an outlier moves it by a bounded factor."""

import numpy as np
import pytest

from earlywarn.detection.robust_scale import RobustScale, memory_at, next_variance
from earlywarn.detection.scale_parameters import ScaleParameters
from earlywarn.errors import ConfigError


def learned(values: list[float]) -> RobustScale:
    scale = RobustScale()
    for value in values:
        scale.update(value)
    return scale


NOISE = np.random.default_rng(2).normal(0.0, 3.0, 2000).tolist()


def test_it_finds_the_scale_of_normal_noise() -> None:
    assert learned(NOISE).get() == pytest.approx(3.0, rel=0.2)


def test_an_outlier_counts_as_three_deviations_whatever_its_size() -> None:
    assert learned([*NOISE, 1e3]).get() == learned([*NOISE, 1e300]).get() < 1.1 * learned(NOISE).get()


def test_values_that_are_no_numbers_are_ignored() -> None:
    assert learned([*NOISE, float("nan"), float("inf")]).get() == learned(NOISE).get()


def test_a_restored_scale_goes_on_the_same() -> None:
    model, restored = learned(NOISE), RobustScale()
    restored.restore(model.state())
    for scale in (model, restored):
        scale.update(1.0)
    assert restored.get() == model.get()


def test_the_array_face_is_the_one_at_a_time_face() -> None:
    """`next_variance` over a row of series is what each series' own statistic computes."""
    series = np.array(NOISE).reshape(-1, 4)
    parameters, variance = ScaleParameters(), series[0] ** 2
    for count, row in enumerate(series[1:], 2):
        memory = memory_at(np.full(4, float(count)), parameters)
        variance = next_variance(variance, row**2, memory, parameters)
    assert [learned(column.tolist()).get() for column in series.T] == np.sqrt(variance).tolist()


@pytest.mark.parametrize("wrong", [{"memory": 1.0}, {"memory_start": 0.995}, {"clip": 1.0}, {"consistency": 0.0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ScaleParameters(**wrong)
