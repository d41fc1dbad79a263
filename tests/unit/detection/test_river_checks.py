"""River's own estimator checks over every estimator of ours.

The anomaly checks want the credit card data set, which River downloads; a stand-in of its shape serves.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from river import base, checks, datasets

from earlywarn.detection.calendar_regression import CalendarRegression
from earlywarn.detection.mix_anomaly import MixAnomaly
from earlywarn.detection.univariate import UnivariateAnomaly
from earlywarn.detection.whitening import Whitening

ESTIMATORS = (CalendarRegression(), MixAnomaly(), UnivariateAnomaly(), Whitening())


class CardStandIn:
    """Thirty normal features and a rare class far from them, as in the credit card data set."""

    def __iter__(self) -> Iterator[tuple[dict[str, float], bool]]:
        rng = np.random.default_rng(5)
        for at in range(2000):
            rare = at > 300 and at % 50 == 0
            values = rng.normal(4.0 if rare else 0.0, 1.0, 30)
            yield {f"V{place}": float(value) for place, value in enumerate(values, 1)}, rare

    def take(self, count: int) -> list[tuple[dict[str, float], bool]]:
        """Return the first `count` rows."""
        return list(islice(self, count))


def cases() -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "CreditCard", CardStandIn)
        return [
            pytest.param(estimator, check, id=f"{type(estimator).__name__}-{place}")
            for estimator in ESTIMATORS
            for place, check in enumerate(checks.yield_checks(estimator))
        ]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("estimator", "check"), cases())
def test_river_accepts_it(estimator: base.Estimator, check: Callable[[base.Estimator], None]) -> None:
    check(estimator.clone())
