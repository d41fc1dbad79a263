"""Parameters of the mix anomaly. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.domain.ranges import SOME_DAYS, Range, check_ranges


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
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "trees": Range(1, 1_000),
                "height": Range(1, 12),
                "window_days": SOME_DAYS,
                "history_days": SOME_DAYS,
                "history_min_days": SOME_DAYS,
                "seed": Range(0, (1 << 32) - 1),
            },
            (
                self.history_days >= self.history_min_days,
                f"history_days ({self.history_days}) must be at least history_min_days ({self.history_min_days})",
            ),
        )
