"""Parameters of a calendar regression, and how much each kind of day is expected to differ before it was ever seen."""

import msgspec

from earlywarn.detection.scale_parameters import ScaleParameters
from earlywarn.domain.ranges import DAYS, SHARE, UNBOUNDED, Range, check_ranges, up_to

LEVEL_FEATURE = "const"
WEEKDAY_FEATURES = tuple(f"d{weekday}" for weekday in range(6))
SEASON_FEATURES = ("c1", "s1", "c2", "s2")
PRIOR_SD: dict[str, float] = {
    LEVEL_FEATURE: 0.5**0.5,
    **dict.fromkeys(WEEKDAY_FEATURES, 1.0),
    **dict.fromkeys(("hol_wd", "hol_sat"), 0.6),
    **dict.fromkeys(("hol_sun", "dec24", "dec31", "bf", "advsun", "eastsun"), 0.4),
    "ramp": 0.3,
    **dict.fromkeys(("pre", "post"), 0.25),
    **dict.fromkeys(("bridge", "between"), 0.2),
    **dict.fromkeys(("c1", "s1"), 0.12),
    **dict.fromkeys(("post2", "school"), 0.1),
    **dict.fromkeys(("payday", "mstart", "paysince"), 0.05),
    **dict.fromkeys(("c2", "s2"), 0.04),
}
"""Prior standard deviation of a feature's effect (log units): how much such days differ in card data at large.
The constant's is that of the first level, which starts at the first value seen."""


class RegressionParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of a calendar regression (variances in units of R per day where named so).

    Attributes:
        level_drift: q, daily variance of the level's random walk, in units of R.
        weekday_drift: q_w, the same of each weekday effect.
        variance_start: R before anything is known (squared log units).
        variance_min: smallest R (squared log units).
        huber: H, innovation from which a day counts less (standard deviations).
        huber_start: the same in the first `start_days` days, when the scale is a guess.
        start_days: observations after which `huber` holds.
        outlier: innovation from which a day says nothing of its kind of day, but of level and weekday alone (standard
            deviations): a row that is missing on the one day of a year would be expected to be missing on the next.
        closure_inflation: variance factor of days for which that does not hold, since many close on them.
        scale_delay_days: observations before R and the weekday factors are learned.
        weekday_rate: weight of a new day in its weekday's factor.
        weekday_shrink: share of the weekday factor's target that is one.
        weekday_min, weekday_max: bounds of the weekday factor.
        prior_sd_unknown: prior sd of a feature whose name is not in PRIOR_SD.
        window_days: W, number of onset ages whose footprint is kept.
        scale: forgetting and clipping of R.
    """

    level_drift: float = 0.003
    weekday_drift: float = 0.0005
    variance_start: float = 0.02
    variance_min: float = 1e-4
    huber: float = 3.0
    huber_start: float = 8.0
    start_days: int = 28
    outlier: float = 12.0
    closure_inflation: float = 5.0
    scale_delay_days: int = 21
    weekday_rate: float = 0.08
    weekday_shrink: float = 0.25
    weekday_min: float = 0.5
    weekday_max: float = 6.0
    prior_sd_unknown: float = 0.2
    window_days: int = 21
    scale: ScaleParameters = ScaleParameters()

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "level_drift": SHARE,
                "weekday_drift": SHARE,
                "variance_start": up_to(100),
                "variance_min": up_to(100),
                "huber": up_to(UNBOUNDED),
                "huber_start": up_to(UNBOUNDED),
                "start_days": DAYS,
                "outlier": up_to(UNBOUNDED),
                "closure_inflation": up_to(UNBOUNDED),
                "scale_delay_days": DAYS,
                "weekday_rate": Range(0, 1, most_in=False),
                "weekday_shrink": SHARE,
                "weekday_min": up_to(1),
                "weekday_max": Range(1, 1_000),
                "prior_sd_unknown": up_to(100),
                "window_days": Range(1, 366),
            },
        )
