"""Parameters of the drift monitor. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.errors import ConfigError


class DriftParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the monitor (values are in standard deviations).

    Attributes:
        delta: drift per day that is tolerated.
        threshold: lambda, accumulated drift that alarms.
        memory: a, weight of the past in the sums (0..1).
        min_days: values of a series before it can alarm.
        level_sd: what the level's sd gains (log units) when a series drifts; the composition adds it.
    """

    delta: float = 0.25
    threshold: float = 25.0
    memory: float = 0.9999
    min_days: int = 60
    level_sd: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if self.delta < 0 or self.threshold <= 0 or not 0 < self.memory <= 1 or self.min_days < 1 or self.level_sd < 0:
            raise ConfigError(f"delta and level_sd must not be negative, the others positive, memory at most 1: {self}")
