"""Parameters of the nowcast. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.detection.diurnal_profile import DiurnalParameters
from earlywarn.domain.ranges import UNBOUNDED, Range, check_ranges

DAYS_OF_A_YEAR = 365


class NowcastParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the nowcast.

    Attributes:
        false_days_year: B, days a year on which a provisional alert of the panel may be false.
        ready_days: days learned before anything is said: the courses of all weekdays are known then.
        maxima_days: how many closed days' maxima are kept.
        least_payments: expected payments by an hour below which nothing is said of a node.
        effect_min, effect_max: of a step, log units.
        clip: h: a day's early deviation says at most what so many standard deviations do.
        clip_special: the same on days of which the calendar knows little.
        dispersion_memory: weight of the past per day in phi (0..1).
        reach: half width of the day's interval, standard deviations.
        profile: of the usual course of days.
    """

    false_days_year: float = 6.0
    ready_days: int = 28
    maxima_days: int = 730
    least_payments: float = 20.0
    effect_min: float = 0.1
    effect_max: float = 1.5
    clip: float = 8.0
    clip_special: float = 1.5
    dispersion_memory: float = 0.98
    reach: float = 1.96
    profile: DiurnalParameters = DiurnalParameters()

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        above_zero = Range(0, UNBOUNDED, least_in=False)
        check_ranges(
            self,
            {
                "false_days_year": Range(0, DAYS_OF_A_YEAR, least_in=False),
                "ready_days": Range(0, UNBOUNDED),
                "maxima_days": Range(30, 3650),
                "least_payments": above_zero,
                "effect_min": above_zero,
                "effect_max": above_zero,
                "clip": Range(1, UNBOUNDED),
                "clip_special": above_zero,
                "dispersion_memory": Range(0, 1, most_in=False),
                "reach": above_zero,
            },
            (not self.effect_min > self.effect_max, "effect_min may not exceed effect_max"),
        )
