"""What the models say of one closed day of a panel: scores without thresholds.

Everything is an array over the G nodes of the tree, in the canonical order of `hierarchy.NodeTree`
(cells first). Natural scales: transactions are counts, amounts and tickets are minor units of the
panel's currency. Effects are steps of the logarithm: `expm1(effect)` is the change as a share.
"""

from datetime import date
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.hierarchy import Node, SeriesKey

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Measure = Literal["transactions", "amount", "mean_ticket"]
MEASURES: tuple[Measure, ...] = ("transactions", "amount", "mean_ticket")


class Evidence(msgspec.Struct, frozen=True):
    """The evidence for a step in one direction, for each of G nodes.

    Attributes:
        score: float64[G], generalised log-likelihood ratio of the best onset hypothesis, divided by the
            pooled over-dispersion. 0 = no evidence; not divided by any threshold.
        effect: float64[G], its maximum-likelihood step (log units), within the minimum and maximum effect.
        effect_sd: float64[G], standard error of the unconstrained step, over-dispersion included.
        onset_age_days: int64[G], how many days before `day` the best hypothesis starts (0 = today).
        measure: int64[G], index into MEASURES of what carries the deviation.
    """

    score: Floats
    effect: Floats
    effect_sd: Floats
    onset_age_days: Integers
    measure: Integers


class Deviation(msgspec.Struct, frozen=True):
    """Today's value of one measure against its one-day-ahead prediction, for each of G nodes.

    Attributes:
        observed: float64[G], NaN where there is none (mean ticket without transactions, unusable day).
        expected: float64[G], median of the prediction; of a total the sum of its cells' expected.
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
        down, up: evidence for a fall and for a rise.
        transactions, amount, mean_ticket: today against the prediction.
        absorbed: float64[2, G] (down, up): share of the best hypothesis's step that the baseline has taken in
            by today: the baseline without the step is `expected * exp(-absorbed * effect)`.
        contributions: float64[G, K], each cell's part of the linear evidence of the node's stronger direction
            (log-likelihood units, positive supports it); 0 outside of the node.
        mix_regions: regions with a sector mix to judge.
        mix_rank: float64[len(mix_regions)], conformal p-value of today's mix among the region's own past
            (small = unusual); NaN until there is a past.
        drifting: (series, measure) pairs whose model was found to drift today and now re-learns its level.
    """

    day: date
    usable: bool
    nodes: tuple[Node, ...]
    ready: Flags
    usable_days: Integers
    down: Evidence
    up: Evidence
    transactions: Deviation
    amount: Deviation
    mean_ticket: Deviation
    absorbed: Floats
    contributions: Floats
    mix_regions: tuple[str, ...]
    mix_rank: Floats
    drifting: tuple[tuple[SeriesKey, Measure], ...]
