"""Parameters of the mix anomaly. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.errors import ConfigError


class MixParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the mix anomaly.

    Attributes:
        trees: number of half-space trees; height: their depth (2^(height + 1) - 1 nodes each).
        window_days: days after which the trees' masses are renewed.
        history_days: past scores that a new one is ranked among.
        history_min_days: past scores before there is a rank.
        seed: of the trees' random splits.
    """

    trees: int = 15
    height: int = 6
    window_days: int = 60
    history_days: int = 365
    history_min_days: int = 60
    seed: int = 20200224

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if min(self.trees, self.height, self.window_days, self.history_min_days) < 1 or self.height > 12:
            raise ConfigError(f"trees, height (at most 12), window and history must be positive: {self}")
        if self.history_days < self.history_min_days:
            raise ConfigError(f"history_days must be at least history_min_days: {self}")
