"""What the models say of one closed day of a panel: scores without thresholds.

Everything is an array over the G nodes of the tree, in the canonical order of `hierarchy.NodeTree`
(cells first). Natural scales: transactions are counts, amounts and tickets are minor units of the
panel's currency. Effects are differences of the logarithm: `expm1(effect)` is the change as a share.
"""

from datetime import date
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.contributions import Contributions
from earlywarn.detection.hierarchy import Node, SeriesKey

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Measure = Literal["transactions", "amount", "mean_ticket"]
MEASURES: tuple[Measure, ...] = ("transactions", "amount", "mean_ticket")


class Evidence(msgspec.Struct, frozen=True):
    """The evidence for a step in one direction, for each of G nodes, and the effect since its first day.

    Attributes:
        score: float64[G], generalised log-likelihood ratio of the best onset hypothesis given the peers, divided by
            the pooled over-dispersion. 0 = no evidence; not divided by any threshold.
        onset_age_days: int64[G], how many days before `day` the best hypothesis starts (0 = today).
        measure: int64[G], index into MEASURES of what tells the effect best, among what the hypothesis moves.
        effect: float64[G], log of observed by expected since that first day (`Effects.effect` at that measure).
        effect_sd: float64[G], its standard deviation, over-dispersion included.
    """

    score: Floats
    onset_age_days: Integers
    measure: Integers
    effect: Floats
    effect_sd: Floats


class Effects(msgspec.Struct, frozen=True):
    """What was seen since each possible first day against what its baseline expected: see `effect_bank`.

    The last axis is the age of the first day, 0 (today) .. W - 1 days. Amounts are minor units.

    Attributes:
        observed: float64[2, G, W], sums of transactions and of amounts since the first day.
        expected: float64[3, G, W], the same as expected, and what the payments seen would have come to at the mean
            ticket expected of their day: the amount seen by it is the change of the mean ticket.
        spread: float64[3, G, W], variance of the log effect before over-dispersion, times the square of what was
            expected.
        days: int64[W], days heard since the first day.
        dispersion: float64[3, G, W], over-dispersion of the effect.
        effect, sd: float64[3, G, W], log effect by MEASURES and its standard deviation.
        alone: float64[3, G, W], log effect of the first day alone; 0 where nothing is known.
        special: bool[G, W], whether the calendar lets the node say little on the first day.
        today: float64[2, G, W], what each baseline expects of today alone; NaN on a day that is not usable.
        usual_sd: float64[3, G], log standard deviation of an undisturbed day; NaN on a day that is not usable.
        fading: float64[2, G], what the oldest baseline, which is forgotten with this day, expects of a usual day by
            what the next one does.
        calm_days: int64[G], days since the node was last in a shock that was told; W + 1 at most.
    """

    observed: Floats
    expected: Floats
    spread: Floats
    days: Integers
    dispersion: Floats
    effect: Floats
    sd: Floats
    alone: Floats
    special: Flags
    today: Floats
    usual_sd: Floats
    fading: Floats
    calm_days: Integers


class Deviation(msgspec.Struct, frozen=True):
    """Today's value of one measure against its one-day-ahead prediction, for each of G nodes.

    Attributes:
        observed: float64[G], NaN where there is none (mean ticket without transactions, nothing heard, unusable day).
        expected: float64[G], median of the prediction; of a total the sum of its heard cells' expected. NaN where
            nothing was heard of the node on a usable day.
        lower, upper: float64[G], ends of the central interval of `DetectorParameters.interval_probability`.
        z: float64[G], log deviation in predictive standard deviations; 0 where nothing was observed.
    """

    observed: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    z: Floats


class DayScores(msgspec.Struct, frozen=True):
    """The scores of one closed day.

    Attributes:
        day: the local day scored.
        usable: False if nothing was learned or scored today (coverage break): evidence is then yesterday's,
            one day older, and `observed` is NaN.
        nodes: the G nodes.
        ready: bool[G], whether the node's warm-up is over; before that, do not alarm on it.
        usable_days: int64[G], usable days behind the node (of a total: of its median cell).
        holiday: bool[G], whether most of the node's cells are in regions that keep a public holiday.
        down, up: evidence for a fall and for a rise.
        transactions, amount, mean_ticket: today against its prediction of yesterday, which learns every shock.
        effects: the change since each possible first day, against the baseline before it.
        reach: half width of the usual range of a day, in standard deviations.
        contributions: by node float64[K], each cell's part of the linear evidence of the node's stronger direction
            (log-likelihood units, positive supports it); 0 outside of the node.
        mix_regions: regions with a sector mix to judge.
        mix_rank: float64[len(mix_regions)], conformal p-value of today's mix among the region's own past
            (small = unusual); NaN until there is a past.
        drifting: (series, measure) pairs whose model was found to drift today and now re-learns its level.
        muted: bool[G], nodes all of whose cells a known event mutes today: nothing was heard of them either.
    """

    day: date
    usable: bool
    nodes: tuple[Node, ...]
    ready: Flags
    usable_days: Integers
    holiday: Flags
    down: Evidence
    up: Evidence
    transactions: Deviation
    amount: Deviation
    mean_ticket: Deviation
    effects: Effects
    reach: float
    contributions: Contributions
    mix_regions: tuple[str, ...]
    mix_rank: Floats
    drifting: tuple[tuple[SeriesKey, Measure], ...]
    muted: Flags

    @property
    def heard(self) -> Flags:
        """Return bool[G], nodes of which anything was heard today."""
        heard: Flags = np.isfinite(self.transactions.observed)
        return heard
