"""Totals are sums of means: of a panel neither too much nor too little is expected, however sparse its cells."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from earlywarn.detection.mean_ratio import MeanRatio
from earlywarn.detection.panel_detector import DetectorParameters, PanelDetector

DAYS, JUDGED_DAYS = 160, 60


class Flat:
    """A calendar without a calendar."""

    names = ("const",)

    def row(self, _region: str, _day: date) -> Any:  # noqa: ANN401 -- duck-typed
        return type("Row", (), {"values": (1.0,), "inflation": 1.0, "holiday": False})


@pytest.mark.parametrize(("payments_a_day", "ticket_sigma"), [(1.2, 1.0), (4.0, 1.3), (400.0, 1.0)])
def test_a_flat_panel_is_expected_to_be_as_it_is(payments_a_day: float, ticket_sigma: float) -> None:
    rng = np.random.default_rng(3)
    detector = PanelDetector(DetectorParameters(), Flat())
    cells = [(f"R{region}", f"s{sector}") for region in range(6) for sector in range(6)]
    seen, expected = np.zeros(2), np.zeros(2)
    for age in range(DAYS):
        count = rng.poisson(payments_a_day, len(cells))
        amount = np.array([rng.lognormal(8.0, ticket_sigma, size).sum() for size in count]).astype(np.int64)
        scores = detector.step(date(2024, 1, 1) + timedelta(age), cells, count, amount)
        if age >= DAYS - JUDGED_DAYS:
            seen += [scores.transactions.observed[-1], scores.amount.observed[-1]]
            expected += [scores.transactions.expected[-1], scores.amount.expected[-1]]
    assert scores.nodes[-1].level == "panel"
    # Sampling error of 60 days of the sparsest panel: 2 % of counts, 3 % of amounts.
    assert expected / seen == pytest.approx(np.ones(2), abs=0.06)


def test_one_wild_day_moves_the_ratio_by_what_its_doubt_allows() -> None:
    ratio, one = MeanRatio(memory=0.99, clip=4.0, start_days=7.0, size=1), np.ones(1)
    yes = np.ones(1, dtype=bool)
    for error in [0.0] * 100 + [50.0]:
        ratio.learn(np.full(1, 5.0), np.full(1, error), 0.1 * one, seen=yes, heard=yes, weight=one)
    assert 1.0 < ratio.get()[0] < 1.01


def test_what_was_not_heard_says_nothing() -> None:
    ratio, one = MeanRatio(memory=0.99, clip=4.0, start_days=7.0, size=1), np.ones(1)
    no = np.zeros(1, dtype=bool)
    ratio.learn(one, one, one, seen=no, heard=no, weight=one)
    assert ratio.get()[0] == 1.0
