"""Parameters of the drift monitor. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.domain.ranges import SOME_DAYS, UNBOUNDED, Range, check_ranges, up_to


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
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "delta": Range(0, 100),
                "threshold": up_to(UNBOUNDED),
                "memory": up_to(1),
                "min_days": SOME_DAYS,
                "level_sd": Range(0, 10),
            },
        )
