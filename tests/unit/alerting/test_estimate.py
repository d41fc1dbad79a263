"""What is told of the mean payment of several days: each counts by the payments seen on it."""

import numpy as np
import pytest

from earlywarn.alerting.estimate import NOTHING, Sums, of_day, since, total
from earlywarn.alerting.parting import went_on
from earlywarn.detection.day_scores import MEASURES, Effects
from earlywarn.detection.effect_bank import EffectBank, EffectParameters
from earlywarn.detection.hierarchy import NodeTree

PAYMENTS, TICKETS = (1_000.0, 1_100.0, 1_500.0, 600.0), (50.0, 51.0, 65.0, 48.0)
VOLUMES = (0.1, 0.1, 0.1, 1.0)
"""What is left of the payments of each day: the last one holds most of all."""
TICKET = MEASURES.index("mean_ticket")


def days(step: float = 1.0) -> list[tuple[list[float], list[float]]]:
    """Return what was seen and expected on each day, with tickets times a step."""
    usual = [[count, count * ticket] for count, ticket in zip(PAYMENTS, TICKETS, strict=True)]
    return [
        ([by * count, by * amount * step], [count, amount]) for by, (count, amount) in zip(VOLUMES, usual, strict=True)
    ]


def sums(step: float = 1.0) -> list[Sums]:
    return [of_day(np.array(seen), np.array(usual), np.full(3, 0.01)) for seen, usual in days(step)]


def effects(step: float = 1.0) -> Effects:
    bank, flags = (
        EffectBank(EffectParameters(), NodeTree([("A", "x")]), window_days=len(PAYMENTS)),
        np.ones(1, dtype=bool),
    )
    for seen, usual in days(step):
        expected = np.repeat(np.array(usual)[:, None, None], len(PAYMENTS), axis=2)
        bank.learn(np.array(seen)[:, None], expected, np.full((3, 1), 0.01), flags, flags)
    return bank.effects(flags)


@pytest.mark.parametrize("step", [1.0, 1.2])
def test_days_of_fewer_payments_are_no_other_mean_payment(step: float) -> None:
    for found in (total(sums(step)), since(effects(step), 0, len(PAYMENTS) - 1)):
        observed, expected = found.observed("mean_ticket"), found.expected("mean_ticket")
        assert observed == pytest.approx(step * (expected or 0.0))
        assert found.estimate("mean_ticket", 1.0).change_pct == pytest.approx(100 * (step - 1))
        assert found.estimate("amount", 1.0).change_pct < -50


def test_days_that_are_taken_out_leave_the_others_as_they_were() -> None:
    *early, last = sums(1.2)
    assert total(sums(1.2)).without(last).arrays[1] == pytest.approx(total(early).arrays[1])


def test_a_step_of_what_is_usual_is_one_of_its_mean_payment() -> None:
    found = since(effects(), 0, 3, step=np.log([0.5, 0.6]))
    assert found.estimate("mean_ticket", 1.0).change_pct == pytest.approx(100 / 1.2 - 100)


def test_no_payments_say_nothing_of_their_mean() -> None:
    usual = np.array([1_000.0, 50_000.0])
    found = of_day(np.zeros(2), usual, np.full(3, 0.01))
    assert (found.observed("mean_ticket"), found.expected("mean_ticket")) == (None, 50.0)
    assert found.estimate("mean_ticket", 1.0).effect == 0
    assert NOTHING.expected("mean_ticket") is None


@pytest.mark.parametrize("later", [0, 1, 2])
def test_a_mean_payment_that_goes_on_as_before_has_not_moved_further(later: int) -> None:
    assert went_on(0, 3, later, effects(1.2), TICKET) == pytest.approx(0.0)
