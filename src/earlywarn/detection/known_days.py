"""What known events do to a day of K cells: whose day is mute, and how far others may have moved.

An event that widens moves a cell's day by an unknown effect, normal with mean 0 and standard deviation
log(1 + spread_pct / 100), the same for counts and amounts; those of several events are independent. With V the variance
of one observation and w the weekday's factor, that is a day's variance factor of

    f + sum_e log(1 + spread_e / 100)^2 / (V w)

in place of the calendar's f. Reference: Harrison and Stevens (1976), Bayesian forecasting, J. R. Statist. Soc. B 38
(known interventions enter as uncertainty, and not as data left out).

Example:
    >>> from earlywarn.domain.known_event import KnownEvent
    >>> fair = KnownEvent(name="Fair", first_day=date(2024, 5, 1), last_day=date(2024, 5, 3), effect="widen",
    ...                   region="A", sector=None)
    >>> events = KnownEvents([fair])
    >>> found = known_day(events, date(2024, 5, 2), [("A", "x"), ("B", "x")])
    >>> found.variance.round(3).tolist(), found.muted.tolist(), known_day(events, date(2024, 5, 4), [("A", "x")])
    ([0.164, 0.0], [False, False], None)
"""

from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.hierarchy import SeriesKey
from earlywarn.domain.known_event import KnownEvents


class KnownDay(msgspec.Struct, frozen=True):
    """A day on which something is known of some of K cells.

    Attributes:
        variance: float64[K], of what events that widen do (squared log units); 0 without one.
        muted: bool[K], cells of which the day is no evidence.
    """

    variance: Floats
    muted: Flags

    @property
    def widened(self) -> Flags:
        """Return bool[K], cells whose day may say less."""
        widened: Flags = self.variance > 0
        return widened


def known_day(events: KnownEvents, day: date, series: Sequence[SeriesKey]) -> KnownDay | None:
    """Return what is known of a day of the cells `series`; None if nothing is known of any of them."""
    today = events.on(day)
    if not today:
        return None
    variance, muted = np.zeros(len(series)), np.zeros(len(series), dtype=bool)
    for event in today:
        touched = np.array([events.touches(event, region, sector) for region, sector in series], dtype=bool)
        if event.effect == "mute":
            muted |= touched
        else:
            variance[touched] += np.log1p(event.spread_pct / 100) ** 2
    return KnownDay(variance, muted) if muted.any() or variance.any() else None
