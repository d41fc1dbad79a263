"""The figures behind the page's charts: which series have one, and their numbers, packed.

A series' numbers travel as base64 of 16-bit integers between its smallest and greatest value (2.7
characters a number, exact to 1/65,534 of the range: finer than a screen), which keeps the page light.
"""

import base64
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.report.drawing import Sketch, sketch
from earlywarn.adapters.report.history import EXPECTED, MEASURES, OBSERVED, Key, PanelHistory, Values, weekly
from earlywarn.adapters.report.week_words import in_short
from earlywarn.alerting.words import Names
from earlywarn.domain.money import MINOR_UNITS

VALUES_SENT = 1_000_000
"""Numbers of charts that one panel may send, about 2.7 MB; the series that matter least are left out."""

GLANCES = 24
_GLANCE_STEP_DAYS = 3
_MISSING = 65_535


class ChartBook:
    """The series of one panel that have a chart: the panel, regions, sectors, then cells with an alert.

    Regions and sectors come by size. `index` says where a series stands; a total that sums the same cells as
    one before it (the panel and its only region) has the chart of that one.
    """

    def __init__(self, history: PanelHistory, names: Names, panel: str, alerted: Iterable[Key]) -> None:
        self.history = history
        self._names = names
        self._panel = panel
        room = max(VALUES_SENT // max(history.days * len(MEASURES) * 4, 1), 1)
        self.regions: list[Key] = _by_size(history, ((region, None) for region in history.regions))
        self.sectors: list[Key] = _by_size(history, ((None, sector) for sector in history.sectors))
        cells = [key for key in dict.fromkeys(alerted) if None not in key]
        places: dict[int, Key] = {}
        aliases: dict[Key, Key] = {}
        for key in ((None, None), *self.regions, *self.sectors, *cells):
            place = history.place(key)
            if place is not None:
                aliases[key] = places.setdefault(place, key)
        wanted = list(places.values())
        self.keys: list[Key] = wanted[:room]
        self.left_out = len(wanted) - len(self.keys)
        position = {key: at for at, key in enumerate(self.keys)}
        self.index = {key: position[same] for key, same in aliases.items() if same in position}

    def title(self, key: Key) -> str:
        """Return what a series is called."""
        region, sector = key
        if region is None and sector is None:
            what = "all sectors" if self._names.is_part(self._panel) else "all regions and sectors"
            return f"{self._names.panel(self._panel)}: {what}"
        if region is None:
            return f"{self._names.sector(sector or '')}, all regions"
        if sector is None:
            return f"{self._names.region(region)}, all sectors"
        return f"{self._names.sector(sector)} in {self._names.region(region)}"

    def groups(self) -> list[tuple[str, list[tuple[int, str]]]]:
        """Return the series for a selector: name of the group, and (position, title) of each."""
        found: list[tuple[str, list[tuple[int, str]]]] = []
        for label, level in (("Total", (True, True)), ("Regions", (False, True)), ("Sectors", (True, False))):
            at = [
                (place, self.title(key))
                for place, key in enumerate(self.keys)
                if (key[0] is None, key[1] is None) == level
            ]
            found.append((label, at))
        cells = [(place, self.title(key)) for place, key in enumerate(self.keys) if None not in key]
        found.append(("Sectors of a region, with alerts", sorted(cells, key=lambda item: item[1])))
        return [(label, at) for label, at in found if at]

    def payload(self, currency: str) -> list[dict[str, object]]:
        """Return the series as plain values; amounts in units of the currency, not in minor units."""
        minor = 10.0 ** -MINOR_UNITS[currency]
        sent: list[dict[str, object]] = []
        for key in self.keys:
            values = self.history.values(key)
            if values is not None:
                usual = [self.history.usual_factors(key, measure) for measure in range(len(MEASURES))]
                sent.append(
                    {
                        "name": self.title(key),
                        "measures": [
                            [packed(line, scale) for line in measure]
                            for measure, scale in zip(values, (1.0, minor, minor), strict=True)
                        ],
                        "usual": [None if ends is None else [round(end, 4) for end in ends] for ends in usual],
                    }
                )
        return sent

    def glances(self, measure: int) -> list[tuple[int, str, str, Sketch]]:
        """Return small charts of the total, regions and sectors: place, title, last week, 7-day means."""
        shown = [(None, None), *self.regions[:GLANCES], *self.sectors[:GLANCES]]
        found = []
        for key in shown:
            values = self.history.values(key)
            drawn = None if values is None or key not in self.keys else self._glance(key, values, measure)
            if drawn is not None:
                week = self.history.week(key, measure)
                found.append((self.index[key], self.title(key), "" if week is None else in_short(week), drawn))
        return found

    def _glance(self, key: Key, values: Values, measure: int) -> Sketch | None:
        observed, expected, _ = weekly(values[measure])
        observed = np.where(np.isfinite(observed), observed, _mean_of_week(values[measure, OBSERVED]))
        ends = self.history.usual_factors(key, measure) or (np.nan, np.nan)
        step = slice((len(observed) - 1) % _GLANCE_STEP_DAYS, None, _GLANCE_STEP_DAYS)
        observed, expected = observed[step], expected[step]
        return sketch(observed, expected, expected * ends[0], expected * ends[1], width=240, height=64, from_zero=False)

    def close_up(self, key: Key, measure: int, first: int, last: int, spans: list[tuple[int, int]]) -> Sketch | None:
        """Return a small chart of the days `first`..`last` (indices, both included), day by day."""
        values = self.history.values(key)
        if values is None:
            return None
        lines = values[measure, :, first : last + 1].astype(np.float64)
        inside = [(max(start - first, 0), min(end - first, last - first)) for start, end in spans]
        return sketch(lines[OBSERVED], lines[EXPECTED], lines[2], lines[3], width=300, height=84, spans=inside)


def packed(values: npt.NDArray[np.float32], scale: float = 1.0) -> list[object]:
    """Return `[lowest, step, text]`: value i is lowest + step * integer i; the integer 65535 is "unknown"."""
    numbers = values.astype(np.float64) * scale
    known = np.isfinite(numbers)
    low = float(numbers[known].min()) if known.any() else 0.0
    high = float(numbers[known].max()) if known.any() else 0.0
    step = (high - low) / (_MISSING - 1) if high > low else 1.0
    whole = np.full(len(numbers), _MISSING, dtype="<u2")
    whole[known] = np.rint((numbers[known] - low) / step).astype("<u2")
    return [float(f"{low:.9g}"), float(f"{step:.9g}"), base64.b64encode(whole.tobytes()).decode("ascii")]


def _by_size(history: PanelHistory, keys: Iterable[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: (-history.size(key), key[0] or "", key[1] or ""))


def _mean_of_week(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return trailing 7-day means of a line without unknown days."""
    means = np.full(len(values), np.nan)
    for at in range(6, len(values)):
        means[at] = values[at - 6 : at + 1].astype(np.float64).mean()
    return means
