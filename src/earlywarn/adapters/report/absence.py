"""Regions of which nothing or too little came in the last week: what is said wherever a figure is without them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.collector import AlertRecord, PanelRecord
from earlywarn.adapters.report.still_missing import regions_of
from earlywarn.adapters.report.wording import counted, listed, short_day
from earlywarn.alerting.unread_places import unread_places
from earlywarn.alerting.words import Names, figure, joined
from earlywarn.domain.alert import SILENT_REGIONS, Alert

_WEEK_DAYS = 7
_NAMED = 3
_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class Absence:
    """A silent region: on how many days of the last week, whether on all of them, and since when it still is.

    `in_part` says that something came of it, of which too much is missing to be judged. With `is_cell` it is no region
    but a sector of one, of which too little could be read.
    """

    code: str
    name: str
    days: int
    is_whole: bool
    since: date | None
    in_part: bool = False
    is_cell: bool = False

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

    Likewise those of which less than `least_share` was heard, because a source was silent or records could not be read;
    where these are single rows, the sectors in regions that they are about.
    """
    if last_day is None:
        return ()
    week = [coverage for day, coverage in record.coverage if timedelta() <= last_day - day < timedelta(_WEEK_DAYS)]
    silent = Counter(region for coverage in week for region in coverage.gap.regions)
    in_part: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    for coverage in week:
        single = [each for each in unread_places(coverage.gap.unread, least_share).single if each.judged < least_share]
        cells.update((each.region, each.sector) for each in single if each.region and each.sector)
        inside = {each.region for each in single if each.sector}
        in_part.update(region for region, _, _ in coverage.gap.in_part(least_share) if region and region not in inside)
    since = {
        region: date.fromisoformat(each.latest.opened_on)
        for each in alerts
        if each.is_open and each.latest.kind == "coverage"
        for region in ([each.latest.region] if each.latest.region is not None else _together(each.latest))
    }
    found = [
        Absence(region, names.region(region), count, count == len(week), since.get(region), region not in silent)
        for region, count in (silent + in_part).items()
    ]
    found += [
        Absence(
            region,
            f"{names.sector(sector)} in {names.region(region)}",
            count,
            count == len(week),
            None,
            in_part=True,
            is_cell=True,
        )
        for (region, sector), count in cells.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.days, each.is_cell, each.code, each.name)))


def _together(notice: Alert) -> set[str]:
    return regions_of(notice) if figure(notice, SILENT_REGIONS) is not None else set()


def without(absent: Sequence[Absence], regions: int) -> str:
    """Return what a total of so many regions is without in the last week; empty if of none or of all.

    >>> oberland, tal = Absence("1", "Oberland", 7, True, None), Absence("2", "Tal", 3, False, None)
    >>> without([oberland], 3), without([oberland, tal], 3), without([oberland, tal], 2)
    ('without Oberland', 'without Oberland and Tal (3 days)', '')
    >>> without([tal] * 4, 5), without([oberland, *[tal] * 3], 5)
    ('without 4 regions (3 days)', 'without 4 regions (some days)')
    """
    whole = [each for each in absent if not each.is_cell]
    if not absent or len(whole) >= regions:
        return ""
    if len(absent) > _NAMED:
        cells = len(absent) - len(whole)
        told = [counted(len(whole), "region")] if whole else []
        told += [counted(cells, "sector in a region", "sectors in regions")] if cells else []
        days = {each.days for each in absent}
        when = "some days" if len(days) > 1 else counted(days.pop(), "day")
        return f"without {joined(told)}{'' if all(each.is_whole for each in absent) else f' ({when})'}"
    named = [(f"part of {each.name}" if each.in_part and not each.is_cell else each.name, each) for each in absent]
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
    named = listed([each.name for each in absent], "place" if any(each.is_cell for each in absent) else "region")
    return f"{what} {named} on days of the last week: totals of that time are without them"
