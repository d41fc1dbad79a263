"""Every parameter of the detection layer: those of the composition, and each estimator's own."""

import msgspec

from earlywarn.detection.drift_parameters import DriftParameters
from earlywarn.detection.effect_bank import EffectParameters
from earlywarn.detection.forecast_parameters import ForecastParameters
from earlywarn.detection.mix_parameters import MixParameters
from earlywarn.detection.onset_bank import OnsetParameters
from earlywarn.detection.regression_parameters import RegressionParameters
from earlywarn.detection.whitening_parameters import WhiteningParameters
from earlywarn.domain.ranges import DAYS, INNER_SHARE, SOME_DAYS, UNBOUNDED, Range, check_ranges, up_to


class DetectorParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `PanelDetector`.

    Attributes:
        regression, whitening, onset, effect, drift, mix, forecast: the estimators' own; both windows of days must
            agree.
        innovation_clip: largest standardised innovation that enters whitening and evidence (sd).
        clip_multiple: what one may say at most on a day on which one in four series is beyond `innovation_clip`, as a
            multiple of what one in four reaches: then they are no outliers.
        evidence_after_days: observations of a series before it gives evidence.
        ready_days: usable days after which a node's warm-up is over (of a total: its median cell's).
        zero_evidence_transactions: a cell without transactions counts as half a transaction (evidence of a
            collapse) where at least so many are expected; where fewer are, the day is missing for that cell. One that
            has so many on a usual day and never, or next to never, any on a weekday is closed on that weekday.
        dormant_days: usable days in a row without transactions after which a cell is dormant: no expectation, no
            evidence. With its next transaction its level starts anew.
        new_level_days: days with payments by which the new level of a cell is found to which a source came, or of
            which one went; until then nothing is expected of it.
        ticket_dispersion: 1 + squared coefficient of variation of a ticket, for the Poisson floor of amounts.
        accept_days: days whose mean becomes the level when an episode's level is accepted.
        accept_level_sd: what the level's sd gains (log units) when an episode's level is accepted.
        interval_probability: of the published interval around the expected value.
    """

    regression: RegressionParameters = RegressionParameters()
    whitening: WhiteningParameters = WhiteningParameters()
    onset: OnsetParameters = OnsetParameters()
    effect: EffectParameters = EffectParameters()
    drift: DriftParameters = DriftParameters()
    mix: MixParameters = MixParameters()
    forecast: ForecastParameters = ForecastParameters()
    innovation_clip: float = 4.0
    clip_multiple: float = 3.5
    evidence_after_days: int = 64
    ready_days: int = 90
    zero_evidence_transactions: float = 20.0
    dormant_days: int = 28
    new_level_days: int = 7
    ticket_dispersion: float = 2.0
    accept_days: int = 7
    accept_level_sd: float = 0.1
    interval_probability: float = 0.95

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        window = self.onset.window_days
        check_ranges(
            self,
            {
                "innovation_clip": up_to(UNBOUNDED),
                "clip_multiple": Range(1, UNBOUNDED),
                "evidence_after_days": DAYS,
                "ready_days": DAYS,
                "zero_evidence_transactions": up_to(1_000_000_000),
                "dormant_days": SOME_DAYS,
                "new_level_days": SOME_DAYS,
                "ticket_dispersion": up_to(1_000_000),
                "accept_level_sd": Range(0, 10),
                "interval_probability": INNER_SHARE,
            },
            (
                self.regression.window_days == window,
                f"regression.window_days ({self.regression.window_days}) and onset.window_days ({window}) must agree",
            ),
            (
                1 <= self.accept_days <= window,
                f"accept_days = {self.accept_days}: give from 1 to {window}, the onset.window_days",
            ),
        )
