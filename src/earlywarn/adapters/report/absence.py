"""Regions of which nothing or too little came in the last week: what is said wherever a figure is without them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.collector import AlertRecord, PanelRecord
from earlywarn.adapters.report.wording import counted, listed, short_day
from earlywarn.alerting.words import Names, joined

_WEEK_DAYS = 7
_NAMED = 3
_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class Absence:
    """A silent region: on how many days of the last week, whether on all of them, and since when it still is.

    `in_part` says that something came of it, of which too much is missing to be judged.
    """

    code: str
    name: str
    days: int
    is_whole: bool
    since: date | None
    in_part: bool = False

    @property
    def words(self) -> str:
        """Return it as a sentence without its full stop."""
        what = "Not enough to be judged" if self.in_part else "Nothing"
        if self.since is not None:
            return f"{what} has been reported of {self.name} since {short_day(self.since)}"
        return f"{what} was reported of {self.name} on {counted(self.days, 'day')} of the last week"


def absences(
    record: PanelRecord, alerts: Iterable[AlertRecord], last_day: date | None, least_share: float, names: Names
) -> tuple[Absence, ...]:
    """Return the regions that were silent on days of the week to `last_day`, those of most days first.

    Likewise those of which less than `least_share` was heard, because a source was silent or records could not be read.
    """
    if last_day is None:
        return ()
    week = [coverage for day, coverage in record.coverage if timedelta() <= last_day - day < timedelta(_WEEK_DAYS)]
    silent = Counter(region for coverage in week for region in coverage.gap.regions)
    in_part = Counter(region for coverage in week for region, _, _ in coverage.gap.in_part(least_share) if region)
    days = silent + in_part
    since = {
        each.latest.region: date.fromisoformat(each.latest.opened_on)
        for each in alerts
        if each.is_open and each.latest.kind == "coverage"
    }
    return tuple(
        Absence(region, names.region(region), count, count == len(week), since.get(region), region not in silent)
        for region, count in sorted(days.items(), key=lambda item: (-item[1], item[0]))
    )


def without(absent: Sequence[Absence], regions: int) -> str:
    """Return what a total of so many regions is without in the last week; empty if of none or of all.

    >>> oberland, tal = Absence("1", "Oberland", 7, True, None), Absence("2", "Tal", 3, False, None)
    >>> without([oberland], 3), without([oberland, tal], 3), without([oberland, tal], 2)
    ('without Oberland', 'without Oberland and Tal (3 days)', '')
    """
    if not absent or len(absent) >= regions:
        return ""
    if len(absent) > _NAMED:
        return f"without {counted(len(absent), 'region')}"
    named = [(f"part of {each.name}" if each.in_part else each.name, each) for each in absent]
    told = [name if each.is_whole else f"{name} ({counted(each.days, 'day')})" for name, each in named]
    return f"without {joined(told)}"


def in_one_sentence(absent: Sequence[Absence]) -> str:
    """Return what came of regions and what that means, without the full stop; empty if all of all came.

    >>> tal = Absence("2", "Tal", 3, False, None)
    >>> in_one_sentence([tal])
    'Nothing was reported of Tal on 3 days of the last week: totals of that time are without it'
    >>> in_one_sentence([tal, tal, tal, tal, tal]).partition(":")[0]
    'Nothing, or not enough to be judged, was reported of Tal, Tal, Tal and 2 more regions on days of the last week'
    """
    if len(absent) < _TOGETHER:
        return "".join(f"{each.words}: totals of that time are without it" for each in absent)
    what = "Nothing, or not enough to be judged, was reported of"
    named = listed([each.name for each in absent], "region")
    return f"{what} {named} on days of the last week: totals of that time are without them"
