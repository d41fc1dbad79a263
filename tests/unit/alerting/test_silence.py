"""Why there is no alert: the reason says which of the two parts of a score falls short, and by how much."""

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import numpy as np
import pytest

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.silence import Silence
from earlywarn.alerting.weighing import Weighing
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.onset_bank import OnsetParameters
from earlywarn.detection.panel_detector import DetectorParameters, PanelDetector
from earlywarn.domain.day_features import DayFeatures
from earlywarn.domain.series import Measure

CELLS = [("A", "x"), ("A", "y"), ("B", "x"), ("B", "y")]
ONSET = OnsetParameters()
Change = Callable[[int], float]


def scores(change: Change, days: int = 150, *, ticket: Change = lambda _: 1.0) -> DayScores:
    """Return the last day's scores of a panel whose first cell changes: its payments, or the mean of them."""
    rng = np.random.default_rng(7)
    model = PanelDetector(DetectorParameters(), DayFeatures(lambda _region, _day: 0.0))
    for at in range(days):
        counts = rng.poisson(np.array([4000.0 * change(at), 3000, 2500, 2000])).astype(np.int64)
        mean = 3000 * np.array([ticket(at), 1.0, 1.0, 1.0])
        amounts = np.rint(mean * counts * np.exp(0.01 * rng.standard_normal(4))).astype(np.int64)
        found = model.step(date(2023, 1, 2) + timedelta(at), CELLS, counts, amounts)
    return found


GIVEN = "given its past and its neighbours"


def reason(
    found: DayScores,
    *,
    change: float = -0.1,
    payments: float | None = None,
    measure: Measure = "amount",
    parameters: AlertParameters | None = None,
) -> str:
    silence = Silence(found, parameters or AlertParameters(), ONSET)
    return silence.reason("A", "x", measure, change, payments).replace("\u202f", " ").replace("\u2212", "-")


def test_a_small_steady_change_is_said_to_be_too_small() -> None:
    found = scores(lambda at: 1.06 if at >= 146 else 1.0)
    told = reason(found, change=0.06, measure="transactions")
    assert told == f"{GIVEN}, nothing speaks for a lasting rise that is large enough for an alert"


def test_a_rise_of_the_mean_payment_is_told_as_one() -> None:
    """Of spending the reason is the mean payment, of which more is asked; the number of payments has its own.

    The two come to the change that the table tells: models have an expectation of their own, of which it knows nothing.
    """
    found = scores(lambda _: 1.0, ticket=lambda at: 1.1 if at >= 144 else 1.0)
    assert reason(found, change=0.155, payments=0.05) == (
        f"neither the number of payments (+5 %) nor the mean payment (+10 %) has moved enough for an alert, {GIVEN}"
    )
    assert reason(found, change=0.155, payments=0.05, measure="transactions").startswith(GIVEN)


@pytest.mark.parametrize("payments", [None, 0.25, 0.16, -0.15, -1.0])
def test_parts_that_are_no_reason_have_no_size(payments: float | None) -> None:
    """Nothing is known of them, or one of them has moved enough by itself, or the mean payment fell."""
    found = scores(lambda _: 1.0, ticket=lambda at: 1.1 if at >= 144 else 1.0)
    assert reason(found, change=0.155, payments=payments).startswith(GIVEN)


def test_what_is_not_known_or_not_heard_is_said() -> None:
    young = scores(lambda _: 1.0, days=20)
    assert reason(young) == "its models have learned only 20 days"
    unheard = msgspec.structs.replace(young.transactions, observed=np.full(len(young.nodes), np.nan))
    assert reason(msgspec.structs.replace(young, transactions=unheard)) == (
        "too little of the last day was heard to judge it"
    )
    assert Silence(young, AlertParameters(), ONSET).reason("Z", None, "amount", -0.1) == ""


@pytest.mark.parametrize("factor", [0.97, 0.94])
def test_the_share_of_an_alarm_is_that_of_the_desk(factor: float) -> None:
    """The figure is the score's own, never rounded up to an alarm."""
    found = scores(lambda at: factor if at >= 143 else 1.0)
    weighing = Weighing(found, "down", AlertParameters())
    assert weighing.evidence[0] <= weighing.certainty(weighing.distance[0])
    share = int(100 * weighing.evidence[0])
    told = f"what speaks for a lasting fall is {share} % of what an alert needs"
    nothing = "nothing speaks for a lasting fall that is large enough for an alert"
    assert reason(found) == f"{GIVEN}, {told if share else nothing}"


def test_an_alarm_that_others_explain_is_said_to_be_explained() -> None:
    found = scores(lambda at: 0.5 if at >= 143 else 1.0)
    assert reason(found).startswith("graver alerts explain the fall")
    certain = AlertParameters(alarm_evidence=1e-9, effect_confidence=1 - 1e-12)
    assert "it is not told apart from chance" in reason(
        scores(lambda at: 0.93 if at >= 146 else 1.0), parameters=certain
    )
