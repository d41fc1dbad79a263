"""The data-quality section: how complete the days were, what was rejected, what came late."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from earlywarn.adapters.report.collector import PanelRecord
from earlywarn.adapters.report.drawing import Sketch, sketch
from earlywarn.adapters.report.overview import number, rejects
from earlywarn.adapters.report.wording import counted, grouped, percent, short_day
from earlywarn.alerting.narrative import feed_name

_DAYS_LISTED = 12


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one panel's data. `breaks` lists the newest days with too little coverage."""

    sentence: str
    strip: Sketch | None
    first_day: str
    last_day: str
    breaks: tuple[tuple[str, str, str], ...]
    breaks_left_out: int
    revised: str


def quality(record: PanelRecord, least_share: float) -> Quality:
    """Return the coverage over time and the revisions; `least_share` mutes alerts below it."""
    days = [day for day, _ in record.coverage]
    shares = np.array([coverage.share for _, coverage in record.coverage])
    broken = [(day, coverage) for day, coverage in record.coverage if coverage.share < least_share]
    if not days:
        sentence = "No closed day is on record."
    elif record.seen.is_sparse:
        sentence = f"The input has {record.seen.what_is_sparse()}."
    elif not broken:
        sentence = f"On all {grouped(len(days))} days at least {percent(least_share)} of the expected volume was heard."
    else:
        sentence = (
            f"On {grouped(len(broken))} of {grouped(len(days))} days less than {percent(least_share)} of the expected "
            "volume was heard. Those days are not judged, so that an outage never looks like a fall of spending."
        )
    strip = None
    if days:
        nothing = np.full(len(days), np.nan)
        level = np.full(len(days), least_share)
        strip = sketch(shares, level, nothing, nothing, width=720, height=56)
    revised_days = len(record.revised_days)
    return Quality(
        sentence=sentence,
        strip=strip,
        first_day=short_day(days[0]) if days else "",
        last_day=short_day(days[-1]) if days else "",
        breaks=tuple(
            (short_day(day), percent(coverage.share), ", ".join(map(feed_name, coverage.silent)) or "some sources")
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


def intake(summary: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the counts of the whole run, as label and number."""
    rows = (
        ("Records read", "records"),
        ("Accepted", "accepted_records"),
        ("Transactions counted", "transactions"),
        ("Transactions that came late", "late_transactions"),
        ("Amounts rounded to whole minor units", "amounts_rounded"),
        ("Published figures revised", "revised_rows"),
    )
    return [(label, grouped(number(summary, name))) for label, name in rows if name in summary]


def reject_rows(summary: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the rejected records by reason, in words."""
    return [(reason.replace("_", " "), grouped(count)) for reason, count in rejects(summary).items()]
