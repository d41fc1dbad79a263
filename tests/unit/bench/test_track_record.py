"""The track record's own arithmetic: false episodes, thresholds, exclusion, errors, shapes of shocks, and its check."""

import doctest
import importlib
import math
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
MODULES = (
    "ablation",
    "measured",
    "page",
    "pictures",
    "record",
    "regression",
    "sample",
    "shocks",
    "trials",
    "untouched",
)
CELLS, NODES, DAYS = 2, 3, 190


@pytest.fixture(scope="module")
def package() -> Iterator[SimpleNamespace]:
    """The package's modules, as `make track-record` sees them; other tests must not notice."""
    path, before = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(BENCH))
    yield SimpleNamespace(**{name: importlib.import_module(f"track_record.{name}") for name in MODULES})
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("track_record"):
            del sys.modules[name]


def untouched(package: SimpleNamespace, alarms: dict[tuple[int, int, int], float]) -> Any:  # noqa: ANN401 -- its modules are loaded in tests
    """Return an untouched history that is silent but for the evidence at (day, direction, node)."""
    evidence = np.zeros((DAYS, 2, NODES))
    for place, value in alarms.items():
        evidence[place] = value
    return package.untouched.Untouched(math.inf, evidence, CELLS)


def trial(
    package: SimpleNamespace, *, target: str = "a", before: float = 0.0, evidence: tuple[float, ...] = (0.0,)
) -> Any:  # noqa: ANN401 -- its modules are loaded in tests
    return package.trials.Trial("step -20 %", target, 130, before, (0.0,), evidence, tercile=0)


def figure(package: SimpleNamespace, value: float, better: str = "higher") -> Any:  # noqa: ANN401 -- its modules are loaded in tests
    return package.record.Figure(value, 0.01, better)


@pytest.mark.parametrize("name", MODULES)
def test_examples(package: SimpleNamespace, name: str) -> None:
    assert doctest.testmod(getattr(package, name)).failed == 0


@pytest.mark.parametrize(
    ("alarms", "of_series", "of_panel"),
    [
        ({(130, 0, 0): 5.0, (138, 0, 0): 5.0}, 1, 1),  # a gap of seven quiet days
        ({(130, 0, 0): 5.0, (139, 0, 0): 5.0}, 2, 2),  # one of eight
        ({(130, 0, 0): 5.0, (132, 1, 0): 5.0}, 1, 2),  # both directions of one series
        ({(130, 0, 0): 5.0, (130, 0, 1): 5.0}, 2, 2),  # two series on one day
        ({(130, 0, 2): 5.0}, 0, 1),  # a group counts in the panel alone
        ({(130, 0, 0): 4.0}, 0, 0),  # a threshold that is reached is not passed
    ],
)
def test_false_episodes(
    package: SimpleNamespace, alarms: dict[tuple[int, int, int], float], of_series: int, of_panel: int
) -> None:
    history, span = untouched(package, alarms), slice(120, DAYS)
    assert history.false_starts(4.0, "series-year", span).sum() == of_series
    assert history.false_starts(4.0, "panel-year", span).sum() == of_panel


def test_the_threshold_is_the_lowest_that_keeps_the_rate(package: SimpleNamespace) -> None:
    """70 days of two series at 3 a year allow one episode: the threshold lies just at the second greatest."""
    history = untouched(package, {(130, 0, 0): 9.0, (150, 0, 1): 6.0, (170, 1, 0): 3.0})
    found = package.untouched.lowest_threshold(history, package.untouched.Rate(3.0, "series-year"), slice(120, DAYS))
    assert 6.0 <= found < 6.0 * math.exp(2 / package.untouched.STEPS_PER_FOLD)


def test_a_target_in_alarm_before_is_left_out(package: SimpleNamespace) -> None:
    trials = [trial(package, before=5.0, evidence=(9.0,)), trial(package, target="b", evidence=(0.0, 9.0))]
    (found,) = package.measured.detections(trials, package.shocks.CELL_SHOCKS, {"cell": 2}, 4.0)
    assert (found.trials, found.excluded, found.series) == (1, 1, 1)
    assert found.within["7"].share == 1.0
    assert found.median_delay_days == 1


def test_trials_of_one_series_are_not_independent(package: SimpleNamespace) -> None:
    """Each series finds all or nothing: the error is that of ten series, and not of a hundred trials."""
    names = [f"{series}" for series in range(10) for _ in range(10)]
    delays = [0 if int(name) < 5 else None for name in names]
    found = package.measured.share([trial(package, target=name) for name in names], delays, 7)
    assert found.share == 0.5
    assert found.standard_error == pytest.approx(math.sqrt(0.25 / 9), abs=1e-4)


def test_shapes_of_shocks(package: SimpleNamespace) -> None:
    shocks = package.shocks
    for shock in shocks.SHOCKS:
        assert shock.factors(shocks.HELD_DAYS - 1) == (1 + shock.count, 1 + shock.amount)
        assert shock.factors(shocks.HELD_DAYS) == (1.0, 1.0)
    assert [round(shocks.RAMP.factors(age)[0], 3) for age in (0, 3, 6, 7)] == [0.971, 0.886, 0.8, 0.8]
    assert {shock.name for shock in shocks.SHOCKS if shock.side == 1} == {"step +30 %"}


def test_a_shock_strikes_its_cells_alone(package: SimpleNamespace) -> None:
    found = package.shocks.shocked(np.array([10, 15, 0]), 0.5, np.array([False, True, True]))
    assert found.tolist() == [10, 8, 0]


class TestCheck:
    """A drop beyond its standard error fails; small ones do not add up."""

    def test_a_rise_of_false_alarms_is_worse(self, package: SimpleNamespace) -> None:
        best, now = {"false": figure(package, 1.0, "lower")}, {"false": figure(package, 1.02, "lower")}
        assert len(package.regression.drops(best, now)) == 1
        assert package.regression.drops(now, best) == []

    def test_small_drops_do_not_add_up(self, package: SimpleNamespace) -> None:
        best, failed = {"a": figure(package, 0.9)}, []
        for value in (0.893, 0.886):
            now = {"a": figure(package, value)}
            failed.append(bool(package.regression.drops(best, now)))
            best = package.regression.best_of(best, now)
        assert failed == [False, True]
        assert best["a"].value == 0.9

    def test_a_figure_that_is_gone_fails(self, package: SimpleNamespace) -> None:
        (drop,) = package.regression.drops({"a": figure(package, 0.9)}, {})
        assert str(drop) == "a: was 0.9, is not measured, standard error 0.01"


def record(package: SimpleNamespace, share: float, seeds: tuple[int, ...] = (1,)) -> Any:  # noqa: ANN401 -- its modules are loaded in tests
    """Return a record of one shock at one point."""
    kept = package.record
    rate = package.untouched.FalseRate(1, 10.0, 0.1, 0.1)
    one = package.measured.Share(share, 0.01, 400)
    detection = package.measured.Detection(
        "step -20 %", 400, 3, 49, {"7": one, "14": one}, {"7": 0.0, "14": 0.0}, 2, (100,) * 15, {"small": one}, None
    )
    point = package.measured.Point("product", "1 a series-year", "first half", 4.0, 4.0, rate, rate, rate, (detection,))
    basis = kept.Basis("0" * 64, "2019-01-01", "2020-02-23", "2019-10-01", 120, 49, seeds, 10, 20)
    return kept.Record("1", "abc", basis, (point,), cost=(kept.Cost("product", 0.1),))


def test_accepting_begins_anew(package: SimpleNamespace) -> None:
    checked = package.regression.checked
    old, problems = checked(None, record(package, 0.9), accept=False)
    assert problems == []
    _, problems = checked(old, record(package, 0.8), accept=False)
    assert [each.split(":")[1].strip() for each in problems] == [
        "step -20 %, within 7 days",
        "step -20 %, within 14 days",
    ]
    new, problems = checked(old, record(package, 0.8), accept=True)
    assert problems == []
    assert {figure.value for figure in new.best.values()} == {0.8, 0.1}


def test_other_starts_cannot_be_compared(package: SimpleNamespace) -> None:
    old, _ = package.regression.checked(None, record(package, 0.9), accept=False)
    _, problems = package.regression.checked(old, record(package, 0.9, seeds=(1, 2)), accept=False)
    assert problems == ["measured on something else: seeds: was (1,), is (1, 2)"]


def test_a_record_is_read_as_it_was_written_and_drawn(package: SimpleNamespace) -> None:
    kept, _ = package.regression.checked(None, record(package, 0.9), accept=False)
    assert package.record.decoded(package.record.encoded(kept)) == kept
    text = package.page.page(kept)
    assert ".90/.90 ± .01 (400)" in text
    assert package.pictures.shares_picture(kept).startswith("<svg")
    assert ">product</text>" in package.pictures.delays_picture(kept)


def test_cost_is_held_against_nothing(package: SimpleNamespace) -> None:
    one = record(package, 0.9)
    dear = msgspec.structs.replace(one, cost=(package.record.Cost("product", 9.0),))
    assert package.record.figures(one) == package.record.figures(dear)


def test_the_yardstick_stands_still(package: SimpleNamespace) -> None:
    """Its evidence of a short panel of six cells, of which the first loses a third from day 100 on."""
    yardstick = importlib.import_module("track_record.contestants.yardstick")
    series = tuple((region, sector) for region in ("CH01", "CH04") for sector in ("a", "b", "c"))
    rng = np.random.default_rng(5)
    counts = np.rint(1000 * np.exp(0.05 * rng.standard_normal((112, 6)))).astype(np.int64)
    counts[100:, 0] = np.rint(counts[100:, 0] * 2 / 3)
    days = tuple(date(2019, 1, 1) + timedelta(day) for day in range(112))
    features = package.sample.composed().panels[0].features
    sample = package.sample.Sample(series, days, counts, 5000 * counts, features)
    detector = yardstick.Yardstick(sample)
    said = [detector.step(day, counts[at], 5000 * counts[at]) for at, day in enumerate(days)]
    found = [float(said[day][0, 0]) for day in (99, 101, 104, 111)]
    assert found == pytest.approx([3.912, 20.143, 38.710, 34.649], abs=0.001)
