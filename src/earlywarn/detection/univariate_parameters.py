"""Parameters of the univariate score."""

import msgspec

from earlywarn.errors import ConfigError


class UnivariateParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `UnivariateAnomaly`.

    Attributes:
        window: observations that a new one is ranked among.
        p_half: p-value at which the score is 0.5.
        steepness: k, how fast the score goes to 0 and 1 around it.
        level_gain: weight of an observation in a level without a period (0..1); half of it with one.
        forgetting: weight of the past per observation in the autoregression (0..1).
        scale_gain: weight of an observation in the scales (0..1).
        clip: residual, in scales, beyond which an observation counts as if it were that large.
        gap_steps: a step this many times the usual one is a gap, after which the autoregression starts anew.
        start_observations: observations that no later one is ranked among; over so many trust in the score grows.
    """

    window: int = 2000
    p_half: float = 0.001
    steepness: float = 1.0
    level_gain: float = 0.03
    forgetting: float = 0.998
    scale_gain: float = 0.01
    clip: float = 5.0
    gap_steps: float = 5.0
    start_observations: int = 20

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        shares = (self.p_half, self.level_gain, self.forgetting, self.scale_gain)
        if not all(0 < share < 1 for share in shares):
            raise ConfigError(f"p_half, level_gain, forgetting and scale_gain must lie in (0, 1): {self}")
        if self.window < 100 or self.clip <= 1 or self.gap_steps <= 1 or self.steepness <= 0:
            raise ConfigError(f"window must be 100 or more, clip and gap_steps exceed 1, steepness 0: {self}")
        if self.start_observations < 1:
            raise ConfigError(f"start_observations must be at least 1: {self.start_observations}")
