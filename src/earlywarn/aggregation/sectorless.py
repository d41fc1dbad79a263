"""What came of a region and does not say of which sector: of which cells it may be.

A provider that gives a sector another name sends what it sent before, and what it sends counts in that sector no more.
So where much more of a region comes without a sector that can be read than in the week before, it may be what cells of
the region lack from that day on: each takes of it what it lacks, the largest first, and that much of it was not read
(`unread`). That goes on while the cell lacks something and it still comes, and ends with the days after which what
cannot be read is usual. A cell that falls on any other day has fallen. Days are judged, not hours.

One unusual day ends nothing. On a holiday the cell may lack nothing, as it is less slow than the others. When what was
without a sector comes no more, the cell has fallen or a file is missing: it is not heard for two days, and then judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import median
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.feed_cells import Counts
from earlywarn.aggregation.rows import Flags, Floats, Integers
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

NO_SECTOR = ""
"""In place of the sector of what does not say of which it is."""
_WEEK_DAYS = 7
_LACKS_SHARE = 0.2
"""Of what is usual of a cell, which it must lack to begin with."""
_EXPLAINED_SHARE = 0.5
"""Of what cells lack, which must come without a sector to begin with."""
_GOES_ON_SHARE = 0.2
"""Of what explained cells lack: where the rest has fallen as well nobody knows what it was, and zero it is not."""
_SPEAKING_DAYS = 3
"""On so many days an explained cell must lack nothing to be explained no more."""
_PACE_TO_SPEAK = 0.8
"""Of what is usual of all cells: on a slower day one that lacks nothing may only be less slow than the others."""
_AWAITED_DAYS = 2
"""On so many days what explained a cell for more than that is awaited, before what the cell lacks is a fall."""
_WITHOUT_DAYS = 7
"""After so many days without what explained it a cell is explained no more."""
_NEWS_SHARE = 0.5
"""Of what came without a sector before, by which there must be more of it."""
_LEAST = 5
"""Where less is usual of a cell on a day, nothing can be told of it on that day."""
_REGIONS_LIMIT = 2_000


class SectorlessBuckets:
    """Collects what came of each region without a sector, in transactions, until its base bucket and day are closed.

    Of so many regions that only a flood of names has them, the first by name are kept, in whatever order they came.
    """

    def __init__(self) -> None:
        self._open: dict[int, dict[str, int]] = {}
        self._today: dict[str, int] = {}

    def add(self, bucket: int, region: str, transactions: int) -> None:
        """Add transactions of a region to an open base bucket (epoch seconds)."""
        regions = self._open.setdefault(bucket, {})
        regions[region] = regions.get(region, 0) + transactions
        _limit(regions, 2 * _REGIONS_LIMIT)

    def close_base(self, bucket: int) -> dict[str, int]:
        """Take a base bucket into its day; return what came of it, by region."""
        regions = self._open.pop(bucket, {})
        _limit(regions, _REGIONS_LIMIT)
        for region, transactions in regions.items():
            self._today[region] = self._today.get(region, 0) + transactions
        _limit(self._today, _REGIONS_LIMIT)
        return regions

    def close_day(self) -> dict[str, int]:
        """Return what came of the day whose base buckets are closed, by region."""
        today, self._today = self._today, {}
        return today

    def forget_before(self, bucket: int) -> None:
        """Forget base buckets that are passed over."""
        self._open = {each: regions for each, regions in self._open.items() if each >= bucket}

    def state(self) -> State:
        """Return the state as plain values."""
        opened = [[bucket, [*regions.items()]] for bucket, regions in self._open.items()]
        return {"open": opened, "today": [*self._today.items()]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._open = {bucket: dict(regions) for bucket, regions in saved["open"]}
        self._today = dict(saved["today"])


class OfNoSector(NamedTuple):
    """What may have come of cells without their sector, by their number.

    Attributes:
        unread: in transactions.
        awaited: of cells of which more is awaited, the share that came.
        undecided: cells of which more usually comes without its sector, and today did not.
    """

    unread: Counts
    awaited: dict[int, float]
    undecided: list[int]


class Sectorless:
    """Knows how much came of each region without a sector in the last week, and which cells it may be.

    Example: most of a region's fuel is sent under another name.
        >>> sectorless, cells = Sectorless(), [CellKey("east", "food"), CellKey("east", "fuel")]
        >>> usual = np.array([900.0, 400.0])
        >>> sectorless.close_day({"east": 390}, cells, np.array([900, 20]), usual, sizeable_transactions=50)
        OfNoSector(unread={1: 380}, awaited={}, undecided=[])
    """

    def __init__(self) -> None:
        self._past: dict[str, list[int]] = {}
        self._explained: dict[int, _Explained] = {}

    def close_day(
        self,
        came: Mapping[str, int],
        cells: Sequence[CellKey],
        brought: Integers,
        usual: Floats,
        *,
        sizeable_transactions: int,
    ) -> OfNoSector:
        """Return what may have come of cells without their sector, in transactions; learn the day.

        Args:
            came: transactions of regions without a sector.
            cells: K keys, by number.
            brought: int64[K], what came of the cells.
            usual: float64[K], what usually does on such a weekday; 0 while not known.
            sizeable_transactions: so many more than before must come of all regions together.
        """
        known: dict[str, list[int]] = {}
        for at in self._explained:
            known.setdefault(cells[at].region, []).append(at)
        regions = sorted({*came, *self._past, *known})
        if not regions:
            return OfNoSector({}, {}, [])
        before = {region: float(median(self._past.get(region, [0]))) for region in regions}
        more = {region: came.get(region, 0) - each for region, each in before.items()}
        is_sizeable = sum(each for each in more.values() if each > 0) >= sizeable_transactions
        besides: dict[str, float] = {}
        for region in regions:
            usually = min((self._explained[at].before for at in known.get(region, ())), default=before[region])
            more_than_usual = came.get(region, 0) - usually
            besides[region] = more_than_usual if more_than_usual > _NEWS_SHARE / 2 * usually else 0.0
        day = _Day(cells, brought, usual, sum(besides.values()))
        found = OfNoSector({}, {}, [])
        for region in regions:
            taken = self._go_on(known.get(region, ()), day, besides[region], found.awaited)
            if is_sizeable and more[region] > _NEWS_SHARE * before[region]:
                left = more[region] - sum(taken.values())
                taken |= self._begin(region, day, before[region], left, taken)
            found.unread.update(taken)
            self._learn(region, came.get(region, 0))
        return found._replace(undecided=[at for at in self._explained if at not in found.unread])

    def _go_on(self, known: Sequence[int], day: "_Day", besides: float, awaited: dict[int, float]) -> Counts:
        """Return what explained cells lack today, and add what is awaited; some are explained no more.

        Where nothing is expected of a cell, as it had been closed, it has what comes beside what the others lack.
        """
        told = [at for at in known if day.expected[at] >= _LEAST]
        lacking = {at: day.lacks(at) for at in told if day.lacks(at) > _LACKS_SHARE / 4 * day.expected[at]}
        whole = sum(lacking.values())
        comes = besides > 0 and besides >= _GOES_ON_SHARE * whole
        for at in told:
            explained, share = self._explained[at], day.lacks(at) / float(day.expected[at])
            if at not in lacking:
                explained.speak(clearly=day.pace >= _PACE_TO_SPEAK)
            elif comes:
                explained.go_on(clearly=share > _LACKS_SHARE / 2)
            elif explained.is_awaited() and share >= _LACKS_SHARE:
                awaited[at] = round(1 - share, 3)
            if explained.is_over:
                del self._explained[at]
        if not comes:
            return {}
        found = {at: max(round(min(1.0, besides / whole) * each), 1) for at, each in lacking.items()}
        closed = [at for at in known if at not in told]
        left = round(max(besides - whole, 0.0) / len(closed)) if closed else 0
        return found | dict.fromkeys(closed if left else (), left)

    def _begin(self, region: str, day: "_Day", before: float, left: float, taken: Mapping[int, int]) -> Counts:
        """Let more cells be explained by what is left of what came more than `before`; return what they lack."""
        found: Counts = {}
        places = [at for at in day.known if day.cells[at].region == region and at not in taken]
        for at in sorted(places, key=lambda at: (-day.lacks(at), day.cells[at].sector)):
            lacks = day.lacks(at)
            enough = day.expected[at] >= _LEAST and lacks >= _LACKS_SHARE * day.expected[at]
            if enough and at not in self._explained and left >= _EXPLAINED_SHARE * lacks:
                self._explained[at] = _Explained(before)
                found[at] = max(round(min(left, lacks)), 1)
                left -= min(left, lacks)
        return found

    def _learn(self, region: str, count: int) -> None:
        past = [*self._past.get(region, []), count][-_WEEK_DAYS:]
        if any(past):
            self._past[region] = past
        else:
            self._past.pop(region, None)

    def forget(self, changed: Flags) -> None:
        """Explain no more what some cells [K] lack: their level is another one."""
        self._explained = {at: explained for at, explained in self._explained.items() if not changed[at]}

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "past": [[region, [*past]] for region, past in sorted(self._past.items())],
            "explained": [[at, *astuple(explained)] for at, explained in self._explained.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._past = {region: list(past) for region, past in saved["past"]}
        self._explained = {at: _Explained(*explained) for at, *explained in saved["explained"]}


@dataclass(slots=True)
class _Explained:
    """A cell that lacks what comes without its sector.

    Attributes:
        before: what came of its region without a sector before that.
        days: on how many it was explained.
        spoken_days, without_days: since it last was, days on which it lacked nothing, and on which it did but nothing
            came that may be it.
    """

    before: float
    days: int = 1
    spoken_days: int = 0
    without_days: int = 0

    def go_on(self, *, clearly: bool) -> None:
        """Take in a day on which it is explained what the cell lacks; a little it may lack by chance."""
        self.days += 1
        if clearly:
            self.spoken_days = self.without_days = 0

    def speak(self, *, clearly: bool) -> None:
        """Take in a day on which the cell lacks nothing."""
        self.spoken_days += clearly

    def is_awaited(self) -> bool:
        """Take in a day without what explains the cell; return whether it may come again."""
        self.without_days += 1
        return self.without_days <= _AWAITED_DAYS < self.days

    @property
    def is_over(self) -> bool:
        return self.spoken_days >= _SPEAKING_DAYS or self.without_days >= _WITHOUT_DAYS


class _Day:
    """What cells lack of what is usual at the day's pace: a holiday's is slow, and what came besides is part of it."""

    def __init__(self, cells: Sequence[CellKey], brought: Integers, usual: Floats, besides: float) -> None:
        self.cells, self._brought = cells, np.maximum(brought, 0)
        self.known: list[int] = np.flatnonzero(usual > 0).tolist()
        whole = float(usual.sum())  # of halves: the same in any order of the cells
        self.pace = (float(self._brought[self.known].sum()) + besides) / whole if whole else 1.0
        self.expected = min(1.0, self.pace) * usual

    def lacks(self, at: int) -> float:
        return max(float(self.expected[at]) - float(self._brought[at]), 0.0)


def _limit(regions: dict[str, int], most: int) -> None:
    if len(regions) > most:
        for region in sorted(regions)[_REGIONS_LIMIT:]:
            del regions[region]
