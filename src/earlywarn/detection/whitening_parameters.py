"""Parameters of the whitening. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.errors import ConfigError


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
            ConfigError: a value out of range.
        """
        if not 0 < self.memory < 1 or min(self.start_days, self.clip, self.ridge, self.shrinkage_days) <= 0:
            raise ConfigError(f"memory must lie in (0, 1), start, shrinkage, clip and ridge be positive: {self}")
        if self.full_up_to_series < 0:
            raise ConfigError(f"full_up_to_series must not be negative: {self}")
