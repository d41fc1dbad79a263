"""Parameters of the forecast. Apart from the estimators, so that settings are read without them."""

import msgspec

from earlywarn.domain.ranges import INNER_SHARE, MOST_DAYS, SHARE, UNBOUNDED, Range, check_ranges, up_to

_WEEK_DAYS = 7


class ForecastParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the forecast of the next days.

    Attributes:
        horizon_days: H, days that are forecast.
        origin_every_days: one day in so many is kept as an origin, against whose forecasts the next H days are held;
            no multiple of 7, or every horizon would always end on the same weekday.
        memory: weight of the past per day in what is learned of past forecasts (0..1).
        start_days: days that the start (nothing to correct, errors as of one day) is worth.
        clip: largest error, in usual standard deviations, that counts in full.
        weekday_memory: weight of the past per week in what remains of a weekday (0..1).
    """

    horizon_days: int = 28
    origin_every_days: int = 8
    memory: float = 0.99
    start_days: float = 2.0
    clip: float = 3.0
    weekday_memory: float = 0.5

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "horizon_days": Range(1, 366),
                "origin_every_days": Range(1, 366),
                "memory": INNER_SHARE,
                "start_days": up_to(MOST_DAYS),
                "clip": up_to(UNBOUNDED),
                "weekday_memory": SHARE,
            },
            (
                self.origin_every_days % _WEEK_DAYS != 0,
                f"origin_every_days = {self.origin_every_days}: multiples of 7 would end every horizon on one weekday",
            ),
        )
