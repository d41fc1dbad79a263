"""Parameters of the whitening. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.domain.ranges import DAYS, INNER_SHARE, MOST_DAYS, UNBOUNDED, Range, check_ranges, up_to


class WhiteningParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How correlations are learned.

    Attributes:
        memory: l, weight of the past per day (0..1).
        start_days: days that the starting matrix (the identity) is worth.
        delay_days: days of a series before its innovations are used.
        use_after_days: days of learned correlation before they are used for whitening.
        shrinkage_days: A, days of learning at which target and estimate weigh the same.
        clip: largest innovation that counts in full (standard deviations).
        ridge: added to the diagonal, and the smallest eigenvalue when the matrix has to be repaired.
        full_up_to_series: log series up to which all pairs are kept; beyond, blocks and factors
            (`factor_correlation`), which cost less and, of so many pairs, know more.
    """

    memory: float = 0.997
    start_days: float = 30.0
    delay_days: int = 35
    use_after_days: int = 21
    shrinkage_days: float = 40.0
    clip: float = 3.0
    ridge: float = 1e-3
    full_up_to_series: int = 300

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "memory": INNER_SHARE,
                "start_days": up_to(MOST_DAYS),
                "delay_days": DAYS,
                "use_after_days": DAYS,
                "shrinkage_days": up_to(MOST_DAYS),
                "clip": up_to(UNBOUNDED),
                "ridge": up_to(1),
                "full_up_to_series": Range(0, UNBOUNDED),
            },
        )
