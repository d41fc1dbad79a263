"""Parameters of the robust scale. Apart from the estimator, so that settings are read without it."""

import msgspec

from earlywarn.domain.ranges import UNBOUNDED, Range, check_ranges, up_to


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
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "memory": Range(0, 1, most_in=False),
                "memory_start": Range(0, 1, most_in=False),
                "clip": Range(1, UNBOUNDED, least_in=False),
                "consistency": up_to(100),
            },
            (
                not self.memory_start > self.memory,
                f"memory_start ({self.memory_start}) may not exceed memory ({self.memory})",
            ),
        )
