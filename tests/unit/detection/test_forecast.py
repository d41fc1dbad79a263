"""The forecast of a panel: what it goes on from, how wide it is, and that asking for it changes nothing."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from earlywarn.detection.hierarchy import Node
from earlywarn.detection.panel_detector import DetectorParameters, PanelDetector
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.domain.day_features import DayFeatures
from earlywarn.domain.state import decode_state, encode_state

FIRST = date(2021, 1, 4)
SERIES = tuple((region, sector) for region in ("A", "B", "C") for sector in ("x", "y", "z"))
DAYS, CUT_DAYS, HORIZON_DAYS = 240, 180, 28
HOLIDAYS = {FIRST + timedelta(age) for age in (60, 95, 130, 165, 200)}
ENDS = ("expected", "lower_80", "upper_80", "lower_95", "upper_95")
Counts = npt.NDArray[np.int64]


class Flat:
    """A calendar without a calendar."""

    names = ("const",)

    def row(self, _region: str, _day: date) -> Any:  # noqa: ANN401 -- duck-typed
        return type("Row", (), {"values": (1.0,), "inflation": 1.0, "holiday": False})


def history(days: int = DAYS) -> list[tuple[Counts, Counts]]:
    """Return counts and amounts of nine cells: weekdays, holidays, levels that wander, common and own noise."""
    rng = np.random.default_rng(5)
    level = rng.uniform(6.0, 9.0, len(SERIES))
    found, common = [], 0.0
    for age in range(days):
        common = 0.5 * common + 0.02 * rng.standard_normal()
        level = level + 0.004 * rng.standard_normal(len(SERIES))
        calendar = [0.0, 0.0, 0.05, 0.05, 0.2, 0.1, -0.6][age % 7] - (0.9 if FIRST + timedelta(age) in HOLIDAYS else 0)
        counts = rng.poisson(np.exp(level + calendar + common + 0.03 * rng.standard_normal(len(SERIES))))
        found.append((counts, np.round(counts * 4000 * np.exp(0.02 * rng.standard_normal(len(SERIES)))).astype(int)))
    return found


HISTORY = history()


def fed(days: int, detector: PanelDetector | None = None, asked: tuple[int, ...] = ()) -> PanelDetector:
    """Return a detector that has seen so many days, and was asked for forecasts after some."""
    detector = detector or PanelDetector(DetectorParameters(), DayFeatures(lambda _, day: float(day in HOLIDAYS)))
    for age, (counts, amounts) in enumerate(HISTORY[:days]):
        detector.step(FIRST + timedelta(age), SERIES, counts, amounts)
        if age in asked:
            detector.forecast()
    return detector


def told(detector: PanelDetector) -> PanelForecast:
    forecast = detector.forecast()
    assert forecast is not None
    return forecast


def same(one: PanelForecast, other: PanelForecast) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in ENDS)


SEEN = fed(CUT_DAYS)
FORECAST = told(SEEN)


def test_before_the_first_day_there_is_none() -> None:
    assert PanelDetector(DetectorParameters(), Flat()).forecast() is None


def test_the_first_day_of_a_forecast_is_what_the_next_day_is_held_against() -> None:
    """Before anything is learned of past forecasts: later ones tell how the models err, and correct it."""
    detector = PanelDetector(DetectorParameters(), Flat())
    detector = fed(25, detector)
    expected = told(detector).expected[:, :, 0]
    scores = detector.step(FIRST + timedelta(25), SERIES, *HISTORY[25])
    next_day = np.stack([scores.transactions.expected, scores.amount.expected, scores.mean_ticket.expected])
    assert expected == pytest.approx(next_day, rel=1e-12)


def test_it_is_of_the_next_days_and_all_nodes() -> None:
    assert FORECAST.made_on == FIRST + timedelta(CUT_DAYS - 1)
    assert FORECAST.days == tuple(FORECAST.made_on + timedelta(1 + age) for age in range(HORIZON_DAYS))
    assert FORECAST.nodes == SEEN.nodes
    assert FORECAST.expected.shape == (3, len(SEEN.nodes), HORIZON_DAYS)
    assert np.isfinite(FORECAST.expected).all()


def test_intervals_lie_within_each_other_and_widen() -> None:
    ends = [getattr(FORECAST, name) for name in ("lower_95", "lower_80", "expected", "upper_80", "upper_95")]
    assert all((low < high).all() for low, high in pairwise(ends))
    width = np.log(FORECAST.upper_80 / FORECAST.lower_80)
    # Weeks apart, the same weekdays: nothing but the horizon differs.
    assert (width[:, :, 21:].mean(axis=2) > 1.05 * width[:, :, :7].mean(axis=2)).mean() > 0.9


def test_totals_are_the_sums_of_their_cells() -> None:
    cells = FORECAST.expected[:2, : len(SERIES)]
    assert FORECAST.expected[:2, -1] == pytest.approx(cells.sum(axis=1), rel=1e-12)
    assert FORECAST.expected[2] == pytest.approx(FORECAST.expected[1] / FORECAST.expected[0], rel=1e-12)


def test_holidays_ahead_are_known() -> None:
    holiday = FORECAST.days.index(FIRST + timedelta(200))
    panel = FORECAST.expected[0, -1]
    assert panel[holiday] / panel[holiday - 7] == pytest.approx(np.exp(-0.9), abs=0.06)
    width = np.log(FORECAST.upper_95 / FORECAST.lower_95)[0, -1]
    assert width[holiday] > width[holiday - 7]


def test_a_total_of_one_cell_is_that_cell() -> None:
    """Of the two cells of a panel one is silent for long, so that nothing is expected of it."""
    detector = PanelDetector(DetectorParameters(), Flat())
    for age in range(140):
        count = np.array([400 + 7 * (age % 5), 300 if age < 40 else 0])
        detector.step(FIRST + timedelta(age), (("A", "x"), ("B", "x")), count, 50 * count)
    forecast = told(detector)
    assert forecast.nodes[-1] == Node("panel")
    assert np.isnan(forecast.expected[:, 1]).all()
    assert forecast.expected[:, -1] == pytest.approx(forecast.expected[:, 0], rel=1e-12)
    # Levels of the tree have learned scales of their own.
    for name in ENDS[1:]:
        assert getattr(forecast, name)[:2, -1] == pytest.approx(getattr(forecast, name)[:2, 0], rel=0.05)


def test_nothing_comes_from_the_future_and_asking_changes_nothing() -> None:
    assert encode_state(fed(CUT_DAYS, asked=(100, 150, 179)).state()) == encode_state(SEEN.state())
    assert same(told(fed(CUT_DAYS)), FORECAST)


def test_restored_models_forecast_the_same() -> None:
    restored = PanelDetector(SEEN.parameters, SEEN.features)
    restored.restore(decode_state(encode_state(SEEN.state())))
    assert same(told(restored), FORECAST)
    for age in range(CUT_DAYS, CUT_DAYS + 20):
        restored.step(FIRST + timedelta(age), SERIES, *HISTORY[age])
    assert same(told(restored), told(fed(CUT_DAYS + 20)))


def test_intervals_hold_about_what_they_say() -> None:
    detector = fed(110)
    inside = []
    for age in range(110, DAYS - HORIZON_DAYS, 5):
        for at in range(age - 5, age):
            if at >= 110:
                detector.step(FIRST + timedelta(at), SERIES, *HISTORY[at])
        forecast = told(detector)
        first = (forecast.days[0] - FIRST).days
        seen = np.stack([counts for counts, _ in HISTORY[first : first + HORIZON_DAYS]], axis=1)
        cells = slice(len(SERIES))
        inside.append(
            [
                ((seen >= low[0, cells]) & (seen <= high[0, cells])).mean()
                for low, high in ((forecast.lower_80, forecast.upper_80), (forecast.lower_95, forecast.upper_95))
            ]
        )
    assert np.mean(inside, axis=0) == pytest.approx([0.8, 0.95], abs=0.1)


def test_inside_a_shock_that_is_told_it_goes_on_from_there() -> None:
    detector = fed(CUT_DAYS - 6)
    calm = told(detector).expected[0, -1]
    for age in range(CUT_DAYS - 6, CUT_DAYS):
        counts, amounts = (np.round(0.5 * values).astype(np.int64) for values in HISTORY[age])
        detector.step(FIRST + timedelta(age), SERIES, counts, amounts)
        if age >= CUT_DAYS - 3:
            detector.shake(np.ones(len(detector.nodes), dtype=bool))
    inside = told(detector).expected[0, -1]
    assert inside[: HORIZON_DAYS - 6] / calm[6:] == pytest.approx(np.full(HORIZON_DAYS - 6, 0.5), abs=0.1)


def test_a_level_that_is_accepted_is_what_it_goes_on_from() -> None:
    detector = fed(CUT_DAYS - 10)
    calm = told(detector).expected[0, -1]
    for age in range(CUT_DAYS - 10, CUT_DAYS):
        counts, amounts = (np.round(0.5 * values).astype(np.int64) for values in HISTORY[age])
        detector.step(FIRST + timedelta(age), SERIES, counts, amounts)
    detector.accept([Node("panel")], FIRST + timedelta(CUT_DAYS - 10))
    after = told(detector).expected[0, -1]
    assert after[: HORIZON_DAYS - 10] / calm[10:] == pytest.approx(np.full(HORIZON_DAYS - 10, 0.5), abs=0.05)


def test_a_cell_that_appears_is_in_the_totals_and_the_others_keep_their_past() -> None:
    detector = fed(CUT_DAYS)
    origins = len(detector._forecasts.origins)
    grown = (*SERIES, ("D", "x"))
    for age in range(CUT_DAYS, CUT_DAYS + 3):
        counts, amounts = HISTORY[age]
        detector.step(FIRST + timedelta(age), grown, np.append(counts, 500), np.append(amounts, 2_000_000))
    forecast = told(detector)
    cell = forecast.nodes.index(Node("cell", "D", "x"))
    assert len(detector._forecasts.origins) >= origins - 1
    assert forecast.expected[0, cell] == pytest.approx(np.full(HORIZON_DAYS, 500.0), rel=0.2)
    assert not forecast.ready[cell]
    assert forecast.expected[0, -1] == pytest.approx(forecast.expected[0, : len(grown)].sum(axis=0), rel=1e-12)


def test_nothing_is_expected_on_a_weekday_on_which_a_cell_is_closed() -> None:
    detector = PanelDetector(DetectorParameters(), Flat())
    for age in range(100):
        count = np.array([0 if (FIRST + timedelta(age)).weekday() == 6 else 300 + age % 3, 200 + age % 4])
        detector.step(FIRST + timedelta(age), (("A", "x"), ("B", "x")), count, 50 * count)
    forecast = told(detector)
    sundays = [at for at, day in enumerate(forecast.days) if day.weekday() == 6]
    for name in ENDS:
        assert (getattr(forecast, name)[:2, 0, sundays] == 0).all()
    assert forecast.expected[0, -1, sundays] == pytest.approx(forecast.expected[0, 1, sundays])
    assert np.isnan(forecast.expected[2, 0, sundays]).all()
