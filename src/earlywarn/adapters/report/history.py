"""A panel's judged days as arrays by series, and how far its last week lies from what was expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.report.before_shock import Expected
from earlywarn.adapters.report.collector import PanelRecord
from earlywarn.alerting.words import LEAST_PAYMENTS
from earlywarn.domain.alert import Alert
from earlywarn.domain.series import Measure, holds

Values = npt.NDArray[np.float32]
Key = tuple[str | None, str | None]
"""(region, sector); None for what is summed over."""

MEASURES: tuple[Measure, ...] = ("transactions", "amount", "mean_ticket")
OBSERVED, EXPECTED, LOWER, UPPER = range(4)
WEEK_DAYS = 7
_LEAST_DAYS_OF_WEEK = 5
_LEAST_WEEKS = 56


@dataclass(frozen=True, slots=True)
class WeekDeviation:
    """The last seven days against what was expected of them, as shares (-0.1 is 10 % below).

    Where an alert is open, what was expected before its first day.
    `lower` and `upper` bound what is usual of the series' own earlier weeks: their median, give or take the
    spread of their middle half, scaled to the probability as for a normal distribution (so that Christmas or
    a past shock does not widen it). As long as there are fewer than 56 weeks (they overlap), it is the sum
    of the daily intervals, which is wider. `payments` are those expected of a day.
    """

    share: float
    lower: float
    upper: float
    observed: float
    expected: float
    payments: float

    @property
    def is_nothing(self) -> bool:
        """Return whether nothing came, as was expected: of what has fallen to nothing for good."""
        return self.observed == self.expected == 0

    @property
    def is_too_little(self) -> bool:
        """Return whether too little is expected for a percentage: few payments, or no amount of them."""
        return not self.is_nothing and (self.payments < LEAST_PAYMENTS or self.expected == 0)

    @property
    def is_usual(self) -> bool:
        """Return whether the week lies inside its usual range."""
        return self.is_nothing or self.lower <= self.share <= self.upper


class PanelHistory:
    """The kept days of a panel; days without a judgement are NaN.

    Args:
        record: What the collector kept.
        probability: Of the usual range, 0..1.
        alerts: The open ones; a week is held against what was expected before them.
    """

    def __init__(self, record: PanelRecord, probability: float, alerts: Sequence[Alert] = ()) -> None:
        self.probability = probability
        shocking = [alert for alert in alerts if alert.kind == "economic"]
        self._before = record.following.before(shocking)
        self.first_ordinal = record.days[0].ordinal if record.days else 0
        self.days = record.days[-1].ordinal - self.first_ordinal + 1 if record.days else 0
        nodes = record.days[-1].nodes if record.days else ()
        self._place: dict[Key, int] = {(node.region, node.sector): at for at, node in enumerate(nodes)}
        self._values = np.full((len(nodes), len(MEASURES), 4, self.days), np.nan, dtype=np.float32)
        layout: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)
        laid_out: object = None
        for each in record.days:
            if each.nodes is not laid_out:
                layout = np.array([self._place.get((n.region, n.sector), -1) for n in each.nodes], dtype=np.intp)
                laid_out = each.nodes
            day = each.values.copy()
            day[:, EXPECTED:, ~each.ready] = np.nan
            kept = layout >= 0
            self._values[layout[kept], :, :, each.ordinal - self.first_ordinal] = np.moveaxis(day[:, :, kept], 2, 0)
        cells = [key for key in self._place if None not in key]
        self.regions: tuple[str, ...] = tuple(sorted({region for region, _ in cells if region is not None}))
        self.sectors: tuple[str, ...] = tuple(sorted({sector for _, sector in cells if sector is not None}))
        self.cells = frozenset(cells)
        shocks = [(alert.region, alert.sector) for alert in shocking]
        self._shocked = [cell for cell in cells if any(holds(shock, cell) for shock in shocks)]

    @property
    def last_day(self) -> date | None:
        """Return the last judged day."""
        return date.fromordinal(self.first_ordinal + self.days - 1) if self.days else None

    @property
    def is_ready(self) -> bool:
        """Return whether anything is expected of the panel yet."""
        values = self.values((None, None))
        return values is not None and bool(np.isfinite(values[:, EXPECTED]).any())

    def values(self, key: Key) -> Values | None:
        """Return float32[3 measures, 4, days] of a series, None if there is none.

        A total that is no node of its own (one region only, a region of one sector) has the values of
        the node that sums the same cells.
        """
        place = self.place(key)
        return None if place is None else self._values[place]

    def place(self, key: Key) -> int | None:
        """Return where the values of a series stand; two series of the same cells stand in the same place."""
        place = self._place.get(key)
        if place is None:
            members = [cell for cell in self.cells if holds(key, cell)]
            if len(members) == 1:
                place = self._place[members[0]]
            elif members and len(members) == len(self.cells):
                place = self._place.get((None, None))
        return place

    def size(self, key: Key) -> float:
        """Return the amount seen over all kept days, to order series by."""
        values = self.values(key)
        return 0.0 if values is None else float(np.nansum(values[1, OBSERVED], dtype=np.float64))

    def week(self, key: Key, measure: int) -> WeekDeviation | None:
        """Return how far the last seven days lie from expected, None if nothing was expected or heard."""
        values = self.values(key)
        if values is None or not self.days:
            return None
        lower, upper = self._usual(values[measure], weekly(values[measure])[2])
        if self._is_within_reach(key):
            values = np.stack([self._against(self._before, key, values[at], at) for at in range(len(MEASURES))])
        observed, expected = (float(each[-1]) for each in weekly(values[measure])[:2])
        payments = float(weekly(values[0])[1][-1])
        if not (np.isfinite(observed) and np.isfinite(expected)):
            return None
        share = observed / expected - 1 if expected > 0 else np.inf if observed > 0 else 0.0
        return WeekDeviation(share, float(lower - 1), float(upper - 1), observed, expected, payments)

    def _is_within_reach(self, key: Key) -> bool:
        """Return whether an open alert and a series have cells in common."""
        return any(holds(key, cell) for cell in self._shocked)

    def _against(self, before: Mapping[int, Expected], key: Key, values: Values, measure: int) -> Values:
        """Return the values of a measure, the last days against what was expected before some alerts."""
        found = values.copy()
        for ordinal, expected in before.items():
            at = ordinal - self.first_ordinal
            inside = [holds(key, cell) for cell in expected.cells]
            transactions, amount = np.nansum(expected.values[:, np.array(inside, dtype=bool)], axis=1)
            if np.isfinite(found[EXPECTED, at]) and transactions > 0:
                found[EXPECTED, at] = (transactions, amount, amount / transactions)[measure]
        return found

    def usual_factors(self, key: Key, measure: int) -> tuple[float, float] | None:
        """Return the ends of the usual range of a week, as factors of what is expected."""
        values = self.values(key)
        if values is None or not self.days:
            return None
        lower, upper = self._usual(values[measure], weekly(values[measure])[2])
        return (float(lower), float(upper)) if np.isfinite(lower) and np.isfinite(upper) else None

    def _usual(self, values: Values, steps: npt.NDArray[np.float64]) -> tuple[float, float]:
        earlier = steps[:-WEEK_DAYS][np.isfinite(steps[:-WEEK_DAYS])]
        if len(earlier) >= _LEAST_WEEKS:
            low, middle, high = np.quantile(earlier, [0.25, 0.5, 0.75])
            normal = NormalDist()
            reach = normal.inv_cdf((1 + self.probability) / 2) * (high - low) / (2 * normal.inv_cdf(0.75))
            return float(np.exp(middle - reach)), float(np.exp(middle + reach))
        last = values[:, -WEEK_DAYS:].astype(np.float64)
        last = last[:, np.isfinite(last).all(axis=0)]
        expected = last[EXPECTED].sum()
        if not expected > 0:
            return np.nan, np.nan
        return float(last[LOWER].sum() / expected), float(last[UPPER].sum() / expected)


def weekly(
    values: Values,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return trailing 7-day means of observed and expected, and the logarithm of their ratio; NaN if unknown.

    Days on which either is unknown are left out of both. A week needs five that are known, and all of its
    days to lie after the first expectation (a part of a week has another mix of weekdays).
    """
    observed, expected = values[OBSERVED].astype(np.float64), values[EXPECTED].astype(np.float64)
    known = np.isfinite(observed) & np.isfinite(expected)
    counts = _trailing(known.astype(np.float64))
    enough = counts >= _LEAST_DAYS_OF_WEEK
    if known.any():
        enough[: int(known.argmax()) + WEEK_DAYS - 1] = False
    means = [
        np.divide(_trailing(np.where(known, each, 0.0)), counts, out=np.full(len(counts), np.nan), where=enough)
        for each in (observed, expected)
    ]
    steps = np.full(len(counts), np.nan)
    positive = enough & (means[0] > 0) & (means[1] > 0)
    steps[positive] = np.log(means[0][positive] / means[1][positive])
    return means[0], means[1], steps


def _trailing(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    start = np.maximum(np.arange(len(values)) - WEEK_DAYS + 1, 0)
    return np.asarray(sums[1:] - sums[start], dtype=np.float64)
