"""The data-quality section: how complete the days were, what was rejected, what came late."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.report.collector import PanelRecord
from earlywarn.adapters.report.drawing import Sketch, sketch
from earlywarn.adapters.report.key_figures import number, rejects
from earlywarn.adapters.report.wording import counted, grouped, percent, short_day
from earlywarn.aggregation.rows import Coverage
from earlywarn.alerting.coverage_narrative import feed_name
from earlywarn.alerting.words import Names

_DAYS_LISTED = 12
_UNREAD = "records that could not be read"


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one panel's data. `breaks` lists the newest days on which something was missing."""

    sentence: str
    strip: Sketch | None
    first_day: str
    last_day: str
    breaks: tuple[tuple[str, str, str], ...]
    breaks_left_out: int
    revised: str


def quality(record: PanelRecord, least_share: float, names: Names) -> Quality:
    """Return the coverage over time and the revisions; `least_share` mutes alerts below it."""
    days = [day for day, _ in record.coverage]
    shares = np.array([coverage.share for _, coverage in record.coverage])
    muted = sum(coverage.mutes(least_share) for _, coverage in record.coverage)
    heard = [coverage for _, coverage in record.coverage if not coverage.mutes(least_share)]
    gaps = sum(bool(coverage.gap.regions) for coverage in heard)
    in_part = sum(bool(coverage.gap.in_part(least_share)) for coverage in heard)
    as_usual = sum(
        not coverage.gap.in_part(least_share) and any(each.share < least_share for each in coverage.gap.unread)
        for coverage in heard
    )
    broken = [
        (day, coverage)
        for day, coverage in record.coverage
        if coverage.share < least_share or coverage.gap.regions or coverage.gap.in_part(least_share)
    ]
    strip = None
    if days and not record.seen.is_sparse:
        nothing = np.full(len(days), np.nan)
        level = np.full(len(days), least_share)
        strip = sketch(shares, level, nothing, nothing, width=720, height=56)
    revised_days = len(record.revised_days)
    return Quality(
        sentence=_sentence(record.seen, len(days), (muted, gaps, in_part, as_usual), least_share),
        strip=strip,
        first_day=short_day(days[0]) if days else "",
        last_day=short_day(days[-1]) if days else "",
        breaks=tuple(
            (short_day(day), percent(coverage.share), _missing(coverage, least_share, names))
            for day, coverage in broken[: -_DAYS_LISTED - 1 : -1]
        ),
        breaks_left_out=max(len(broken) - _DAYS_LISTED, 0),
        revised=(
            f"{counted(record.revised_rows, 'published figure')} on {counted(revised_days, 'day')} were revised after "
            "late records came. The charts show each day as it was first judged."
            if record.revised_rows
            else "No published figure had to be revised."
        ),
    )


def _sentence(seen: HistoryDays, days: int, broken: tuple[int, int, int, int], least_share: float) -> str:
    if not days:
        return "No closed day is on record."
    if seen.is_sparse:
        return f"The input has {seen.what_is_sparse()}."
    muted, gaps, in_part, as_usual = broken
    told = []
    if muted:
        told.append(
            f"On {grouped(muted)} of {grouped(days)} days less than {percent(least_share)} of the expected volume was "
            "delivered or could be read, of all series. Those days are not judged: an outage must never look like a "
            "fall of spending."
        )
    if gaps:
        told.append(
            f"On {grouped(gaps)} of {grouped(days)} days nothing came of one region or more, in no sector. Their cells "
            "are missing and not zero, and totals are judged without them."
        )
    if in_part:
        told.append(
            f"On {grouped(in_part)} of {grouped(days)} days a source was silent, or records could not be read, without "
            f"which less than {percent(least_share)} of some series was heard. Those are missing on these days, and "
            "totals are judged without them."
        )
    if as_usual:
        told.append(
            f"On {grouped(as_usual)} of {grouped(days)} days less than {percent(least_share)} of some series could be "
            "read, and no less than usually can: they are judged against that, and figures lack what could not be read."
        )
    whole = f"On all {grouped(days)} days at least {percent(least_share)} of the expected volume was heard."
    return " ".join(told) or whole


def _missing(coverage: Coverage, least_share: float, names: Names) -> str:
    """Return what was missing, in words: who was silent, and whether something could not be read."""
    in_regions = [f"{feed_name(feed)} in {names.region(region)}" for feed, region in coverage.branches]
    unread = [_UNREAD] if any(each.share < least_share for each in coverage.gap.unread) else []
    told = [*map(feed_name, coverage.silent), *in_regions, *map(names.region, coverage.gap.regions), *unread]
    return ", ".join(told) or "some sources"


def intake(summary: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the counts of the whole run, as label and number."""
    rows = (
        ("Records read", "records"),
        ("Accepted", "accepted_records"),
        ("Rejected records that are in no coverage, since they do not say where they count", "rejected_unplaced"),
        ("Transactions counted", "transactions"),
        ("Transactions that came late", "late_transactions"),
        ("Amounts rounded to whole minor units", "amounts_rounded"),
        ("Published figures revised", "revised_rows"),
    )
    return [(label, grouped(number(summary, name))) for label, name in rows if name in summary]


def reject_rows(summary: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return the rejected records by reason, in words: the reason, how many, and the first of them if it is known."""
    first = summary.get("rejected_first")
    known = first if isinstance(first, Mapping) else {}
    return [
        (reason.replace("_", " "), grouped(count), str(known.get(reason, "")).removesuffix(f" ({reason})"))
        for reason, count in rejects(summary).items()
    ]
