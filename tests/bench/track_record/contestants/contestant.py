"""What every detector of the track record can do, and the loop that all of them run in.

Evidence is any number that grows with the evidence, one for each direction (0 down, 1 up) and node; nothing else is
known of its unit. One threshold for all nodes makes alarms of it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

import numpy as np

from earlywarn.detection.hierarchy import SeriesKey
from track_record.sample import Flags, Floats, Integers, Sample

State = dict[str, Any]
HOLD_DAYS = 10
"""Alarm days in a row after which a level is accepted as the new one."""


class Contestant(Protocol):
    """A detector of one panel: a fold `state, day -> evidence`."""

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the evidence of a day, float64[2, G], 0 before anything is known; then learn the day."""

    def accept(self, nodes: Flags) -> None:
        """Take the level of the flagged nodes [G] as the new one, so that what follows can be seen."""

    def state(self) -> State:
        """Return what was learned; later steps leave it alone."""

    def restore(self, saved: State) -> None:
        """Take over a state, any number of times."""


class ArrayState:
    """State of a contestant whose attributes in `learned` are everything that it has learned."""

    learned: tuple[str, ...] = ()

    def state(self) -> State:
        """Return copies."""
        return {name: _copied(getattr(self, name)) for name in self.learned}

    def restore(self, saved: State) -> None:
        """Take over copies."""
        for name in self.learned:
            setattr(self, name, _copied(saved[name]))


def _copied(value: Any) -> Any:  # noqa: ANN401 -- arrays and numbers
    return value.copy() if isinstance(value, np.ndarray) else value


class Loop:
    """A contestant with the rule of acceptance, the same for all.

    Args:
        contestant: the detector.
        level: evidence above which a day is one of alarm for the rule.
        nodes: G.
    """

    def __init__(self, contestant: Contestant, level: float, nodes: int) -> None:
        self.contestant, self.level = contestant, level
        self._alarm_days = np.zeros(nodes, dtype=np.int64)

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the evidence of a day, and let the contestant accept what has lasted."""
        evidence = self.contestant.step(day, counts, amounts)
        self._alarm_days = np.where(evidence.max(axis=0) > self.level, self._alarm_days + 1, 0)
        held = self._alarm_days >= HOLD_DAYS
        if held.any():
            self.contestant.accept(held)
            self._alarm_days[held] = 0
        return evidence

    def state(self) -> State:
        """Return the state before the next day."""
        return {"contestant": self.contestant.state(), "alarm_days": self._alarm_days.copy()}

    def restore(self, saved: State) -> None:
        """Take over a state."""
        self.contestant.restore(saved["contestant"])
        self._alarm_days = saved["alarm_days"].copy()


class Totals:
    """Sums over the nodes, and their calendars: of a total the mean of its regions', each by its cells."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._members = sample.members.astype(np.float64)
        self._cells = self._members.sum(axis=1)

    def sums(self, values: Integers) -> Floats:
        """Return float64[G]."""
        return self._members @ values

    def calendar(self, day: date) -> tuple[Floats, Floats]:
        """Return features float64[G, P] and variance factors float64[G] of a day."""
        values, inflation = region_rows(self._sample, self._sample.series, day)
        return (self._members @ values) / self._cells[:, None], (self._members @ inflation) / self._cells


def region_rows(sample: Sample, series: Sequence[SeriesKey], day: date) -> tuple[Floats, Floats]:
    """Return the calendar of each series' region: features float64[K, P] and variance factors float64[K]."""
    rows = {region: sample.features.row(region, day) for region in dict.fromkeys(region for region, _ in series)}
    values = np.array([rows[region].values for region, _ in series], dtype=np.float64)
    return values, np.array([rows[region].inflation for region, _ in series], dtype=np.float64)
