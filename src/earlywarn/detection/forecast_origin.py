"""What is known of a panel's series at the end of a day, kept to be held against the days that follow.

From the regression's coefficients b of that day (its level moved by the step of a shock that is told: `shock_level`),
with the season's part of a day s(x) = x'b of the season's features alone, and the usual sd r of one observation, h days
later

    log mean = x'b - r f3 + r (a1[h] f1 + a2[h] f2 + k f3),    f3 = (s(x) - s(x of the origin)) / r,

f1 the last innovation, f2 what remained of the weekday, a and k as they were learned until then
(`horizon_projection`). Of rare kinds of days, as holidays, more is known h days later:
what was doubted of their effects at the origin beyond that, the variances of their coefficients, belongs to the
forecast.

Example:
    >>> origin = ForecastOrigin(
    ...     day=date(2024, 1, 1), coefficients=np.array([[5.0, 0.1]]), season=np.array([False, True]),
    ...     season_part=np.array([0.05]), sd=np.array([0.2]), last=np.array([1.0]), weekdays=np.zeros((1, 7)),
    ...     doubt=np.zeros((1, 2)), ratio=np.ones(1), active=np.ones(1, dtype=bool),
    ...     telling=np.ones(1, dtype=bool),
    ...     near=np.array([[0.5, 0.0], [0.25, 0.0]]), share=0.0)
    >>> plain, features = origin.parts(np.array([[1.0, 0.8]]), weekday=2, used=np.arange(2))
    >>> plain.round(2).tolist(), features.round(2).tolist(), origin.mean(plain, features, 2).round(2).tolist()
    ([5.05], [[1.0, 0.0, 0.15]], [5.1])
"""

from datetime import date
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.day_scores import Flags, Floats, Integers

_HALF_MEMORY = ("coefficients", "weekdays", "doubt")
_SERIES = ("coefficients", "season_part", "sd", "last", "weekdays", "doubt", "ratio", "active", "telling")


class ForecastOrigin(msgspec.Struct):
    """What is known of M series after a day.

    Attributes:
        day: the last day that was learned.
        coefficients: float[M, P], b. season: bool[P], features of the season.
        season_part: float64[M], s of the day itself. sd: float64[M], r.
        last: float64[M], f1. weekdays: float[M, 7], f2 by weekday (0 = Monday).
        doubt: float[M, P], variances of the coefficients of rare kinds of days, 0 of others.
        ratio: float64[M], of means to medians (`mean_ratio`).
        active: bool[M], series of which something is expected. telling: bool[M], series that tell what forecasts miss;
            others have moved to another level since.
        near: float64[H, 2], a. share: k.
    """

    day: date
    coefficients: Floats | npt.NDArray[np.float32]
    season: Flags
    season_part: Floats
    sd: Floats
    last: Floats
    weekdays: Floats | npt.NDArray[np.float32]
    doubt: Floats | npt.NDArray[np.float32]
    ratio: Floats
    active: Flags
    telling: Flags
    near: Floats
    share: float

    def parts(self, design: Floats, weekday: int, used: Integers) -> tuple[Floats, Floats]:
        """Return the log means without corrections [M] and f [M, 3] of a day of features `design` [M, P].

        `used` are the places of its features that are not 0 everywhere: of most days most are.
        """
        season, rest = used[self.season[used]], used[~self.season[used]]
        moved = np.einsum("mp,mp->m", design[:, season], self.coefficients[:, season]) - self.season_part
        plain = np.einsum("mp,mp->m", design[:, rest], self.coefficients[:, rest]) + self.season_part
        return plain, np.stack([self.last, self.weekdays[:, weekday], moved / self.sd], axis=1)

    def doubted(self, squares: Floats, variances: Floats, rare: Integers) -> Floats:
        """Return float64[M], by how much more the effects of a day were doubted than now.

        Args:
            squares: float64[M, R], of the day's features at the places `rare` [R], those of rare kinds of days.
            variances: float64[M, R], those of their coefficients now.
            rare: int64[R].
        """
        beyond: Floats = np.einsum("mp,mp->m", squares, self.doubt[:, rare] - variances)
        return np.maximum(beyond, 0.0)

    def mean(self, plain: Floats, features: Floats, age_days: int) -> Floats:
        """Return the log means [M] of the day `age_days` (1 .. H) after this one, of what `parts` returned."""
        mean: Floats = plain + self.sd * (features @ np.append(self.near[age_days - 1], self.share))
        return mean

    def halved(self) -> "ForecastOrigin":
        """Return the same with large arrays in half the memory: a forecast need not be known to eight digits."""
        return msgspec.structs.replace(self, **{name: getattr(self, name).astype(np.float32) for name in _HALF_MEMORY})

    def embedded(self, places: Integers, size: int) -> "ForecastOrigin":
        """Return the series laid out anew: series i stands at `places[i]` of `size`; of others nothing is expected."""
        grown = {}
        for name in _SERIES:
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[places] = old
            grown[name] = new
        grown["sd"][~np.isin(np.arange(size), places)] = 1.0
        return msgspec.structs.replace(self, **grown)

    def state(self) -> dict[str, Any]:
        """Return it as plain values and arrays."""
        named = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in named.items()} | {
            "day": self.day.isoformat()
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> "ForecastOrigin":
        """Return what `state` was of."""
        return cls(**state | {"day": date.fromisoformat(state["day"])})
