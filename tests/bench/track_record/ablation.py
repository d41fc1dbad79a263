"""The product without one of its parts: what each part earns, on the same starts.

A part goes by a parameter where there is one, else by a small subclass.
"""

import math
from collections.abc import Callable, Sequence
from datetime import date

import msgspec
import numpy as np

from earlywarn.application.backtest.result import share_with_errors
from earlywarn.detection.day_scores import Floats
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.panel_day import DayFeatures, FeatureRow, PanelDay
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.detection.regression_bank import Innovation
from track_record.contestants import Contestant
from track_record.contestants.product import Product
from track_record.measured import WITHIN_DAYS
from track_record.sample import Sample
from track_record.trials import Trial

NEVER = 1e6
WEEK = ("const", *(f"d{weekday}" for weekday in range(6)))


class _Row(msgspec.Struct, frozen=True):
    """A row of a calendar that knows less."""

    values: Sequence[float] | Floats
    inflation: float
    holiday: bool


class _LessCalendar:
    """The panel's calendar with fewer features, or without the wider variance of special days."""

    def __init__(self, features: DayFeatures, names: Sequence[str], *, inflates: bool) -> None:
        self.names = tuple(names)
        self._features, self._inflates = features, inflates
        self._columns = [features.names.index(name) for name in self.names]

    def row(self, region: str, day: date) -> FeatureRow:
        """Return the row."""
        row = self._features.row(region, day)
        values = [row.values[column] for column in self._columns]
        return _Row(values, row.inflation if self._inflates else 1.0, row.holiday)


class _Forgetless(PanelDetector):
    """Takes a step to stay in the innovations for ever, as if the regression did not learn it."""

    def _learn_levels(self, seen: PanelDay) -> Innovation:
        found = super()._learn_levels(seen)
        return msgspec.structs.replace(found, footprint=np.where(found.footprint > 0, 1.0, 0.0))


def _with(**changes: dict[str, object]) -> Callable[[Sample], Contestant]:
    """Return the product with other parameters, by estimator; those of the detector itself under `detector`."""
    parameters = DetectorParameters()
    own = changes.pop("detector", {})
    estimators = {
        name: msgspec.structs.replace(getattr(parameters, name), **values) for name, values in changes.items()
    }
    changed = msgspec.structs.replace(parameters, **estimators, **own)
    return lambda sample: Product(sample, changed)


ABLATIONS: dict[str, Callable[[Sample], Contestant]] = {
    "blocks and factors in place of the full matrix": _with(whitening={"full_up_to_series": 0}),
    "no whitening (each series by itself)": _with(whitening={"use_after_days": 36_500}),
    "target of the shrinkage alone": _with(whitening={"shrinkage_days": 36_500.0}),
    "no steps of count or amount alone": _with(onset={"single_handicap": NEVER}),
    "each node's own over-dispersion": _with(onset={"dispersion_pooling": 0.0}),
    "one over-dispersion for all nodes": _with(onset={"dispersion_pooling": 1.0}),
    "no smallest step of interest": _with(
        onset={"effect_min_down": 0.01, "effect_min_up": 0.01, "effect_min_single": 0.01}
    ),
    "what a day may say not bounded": _with(
        detector={"innovation_clip": NEVER}, onset={"clip": NEVER, "clip_special": NEVER}
    ),
    "onsets of one week": _with(onset={"window_days": 7}, regression={"window_days": 7}, detector={"accept_days": 7}),
    "footprint not known": lambda sample: Product(sample, kind=_Forgetless),
    "special days as wide as others": lambda sample: Product(
        sample, features=_LessCalendar(sample.features, sample.features.names, inflates=False)
    ),
    "a calendar of weekdays alone": lambda sample: Product(
        sample, features=_LessCalendar(sample.features, WEEK, inflates=False)
    ),
    "drift of a model not answered (no PageHinkley)": _with(drift={"threshold": NEVER}),
}


class Difference(msgspec.Struct, frozen=True):
    """How many more trials (a share) one contestant finds than another, of those that both ran, and its error."""

    share: float
    standard_error: float
    trials: int


def difference(
    mine: Sequence[Trial], threshold: float, others: Sequence[Trial], other_threshold: float, shock: str
) -> Difference | None:
    """Return the difference within a week, its error clustered by series as the trials are pairs."""
    by_start = {(each.target, each.start): each for each in others if each.shock == shock}
    pairs = [
        (each, by_start[each.target, each.start])
        for each in mine
        if each.shock == shock and each.before <= threshold and (each.target, each.start) in by_start
    ]
    pairs = [(one, other) for one, other in pairs if other.before <= other_threshold]
    if not pairs:
        return None
    found = np.array([_soon(one.delay(threshold)) - _soon(other.delay(other_threshold)) for one, other in pairs])
    targets = np.array([one.target for one, _ in pairs])
    sums = np.array([(found[targets == each] - found.mean()).sum() for each in np.unique(targets)])
    groups = len(sums)
    error = math.sqrt(groups / (groups - 1) * float(np.sum(sums**2))) / len(found) if groups > 1 else 0.0
    _, _, least = share_with_errors((found != 0).tolist(), targets.tolist())
    return Difference(round(float(found.mean()), 4), round(max(error, least), 4), len(found))


def _soon(delay: int | None) -> int:
    return int(delay is not None and delay < WITHIN_DAYS[0])
