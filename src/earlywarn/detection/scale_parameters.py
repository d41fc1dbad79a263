"""Parameters of the robust scale. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.errors import ConfigError


class ScaleParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How a scale forgets and clips.

    Attributes:
        memory: final weight of the past, l_max (0..1; 0.99 remembers about 100 observations).
        memory_start: smallest weight of the past, l_min (0..1).
        clip: largest residual that counts in full, c (standard deviations).
        consistency: k, factor on the clipped square.
    """

    memory: float = 0.99
    memory_start: float = 0.9
    clip: float = 3.0
    consistency: float = 1.08

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if not 0 <= self.memory_start <= self.memory < 1:
            raise ConfigError(f"0 <= memory_start ({self.memory_start}) <= memory ({self.memory}) < 1 must hold")
        if self.clip <= 1 or self.consistency <= 0:
            raise ConfigError(f"clip ({self.clip}) must exceed 1 and consistency ({self.consistency}) 0")
