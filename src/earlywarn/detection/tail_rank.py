"""How rare is a statistic among its own past: a rank, extended beyond the past by a tail.

With the n last values s_1..s_n in a window, the p-value of s is the conformal rank

    p = (1 + #{i : s_i >= s}) / (n + 1)            up to the threshold u, the value with k larger ones,
    p = (k + 1) / (n + 1) exp(-(s - u) / b)        beyond it,  k = max(tail_min, tail_share n),

where b = (s_(n - k/2) - u) / log 2 is the scale of an exponential tail by its median excess: outliers of the
past, up to half of the k, do not move it. For statistics on a log scale the tail is that of a power law.
The window starts with some values of the law that a fitting model would give, which time outnumbers.

So that an episode does not make itself usual, of values in a row beyond u only every third is remembered, and none as
larger than u + 4 b. What keeps coming back still moves u and b, and becomes usual.

References: Laxhammar and Falkman (2014), Annals of Mathematics and Artificial Intelligence 74 (conformal ranks);
Siffer et al. (2017), Anomaly detection in streams with extreme value theory, KDD (tail beyond a quantile).

Example:
    >>> rank = TailRank([], window=500, scale_min=0.05)
    >>> for step in range(400):
    ...     rank.learn((7 * step) % 100 / 100)
    >>> round(rank.p(0.5), 2), round(rank.p(0.98), 2), rank.p(2.0) < 1e-6
    (0.5, 0.02, True)
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from typing import Any

TAIL_SHARE = 0.02
TAIL_MIN = 8
"""The largest values that make the tail: a share of the past, and at least so many."""
CAP_SCALES = 4.0
"""Scales beyond u that a value is remembered as at most."""
SPACING = 3
"""Of so many values in a row beyond u one is remembered."""
MANY = 10
"""The past is so many times k before values are held back: a short one has no other way to learn what is usual."""


class TailRank:
    """Tail probabilities of one statistic (any unit) against its last values.

    Args:
        start: values to begin with.
        window: how many values are remembered.
        scale_min: smallest scale b of the tail (unit of the statistic), for pasts with hardly any spread.
    """

    def __init__(self, start: Iterable[float], *, window: int, scale_min: float) -> None:
        self.window, self.scale_min = window, scale_min
        self._past = deque(start)
        self._sorted = sorted(self._past)
        self._since = 0
        self._tail = self._fitted()

    def _fitted(self) -> tuple[int, float, float] | None:
        """Return k, u and b; None while the past is too short for a tail."""
        past, n = self._sorted, len(self._sorted)
        k = max(TAIL_MIN, int(TAIL_SHARE * n))
        if n <= 2 * k:
            return None
        threshold = past[n - k - 1]
        return k, threshold, max((past[n - k // 2 - 1] - threshold) / math.log(2), self.scale_min)

    def p(self, value: float) -> float:
        """Return the p-value of `value` in (0, 1]; 1.0 without a past."""
        n, tail = len(self._sorted), self._tail
        if tail is None or value <= tail[1]:
            return (1 + n - bisect_left(self._sorted, value)) / (n + 1)
        k, threshold, scale = tail
        return (k + 1) / (n + 1) * math.exp(-min((value - threshold) / scale, 600.0))

    def learn(self, value: float) -> None:
        """Remember `value`, and forget the oldest one when the window is full."""
        tail = self._tail
        if tail is not None and value > tail[1] and len(self._sorted) >= MANY * tail[0]:
            self._since = (self._since + 1) % SPACING
            if self._since != 1:
                return
            value = min(value, tail[1] + CAP_SCALES * tail[2])
        else:
            self._since = 0
        past = self._sorted
        if len(past) >= self.window:
            del past[bisect_left(past, self._past.popleft())]
        self._past.append(value)
        insort(past, value)
        self._tail = self._fitted()

    def state(self) -> dict[str, Any]:
        """Return the past, oldest first, and where in a run of large values it stands."""
        return {"past": list(self._past), "since": self._since}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        self._past = deque(state["past"])
        self._sorted = sorted(self._past)
        self._since = int(state["since"])
        self._tail = self._fitted()
