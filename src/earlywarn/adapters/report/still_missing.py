"""What open alerts do not say of the end of the input: that it is still missing what they are about.

While nothing changes a notice of missing data is revised once in a while, so its text may be some days old. A run's
input ends on any day, and the page tells of that day.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from earlywarn.adapters.report.collector import AlertRecord, PanelRecord
from earlywarn.adapters.report.wording import counted, percent, short_day
from earlywarn.aggregation.rows import Coverage
from earlywarn.alerting.words import figure
from earlywarn.domain.alert import SILENT_REGIONS, UNREAD, UNREAD_DAYS, UNREAD_PLACES, Alert
from earlywarn.domain.series import Series


def still_missing(record: PanelRecord, alerts: Iterable[AlertRecord], least_share: float) -> dict[str, str]:
    """Return what was missing up to the end of the input, as sentences by the id of the open alert that they belong to.

    Of coverage notices how they have gone on since their last revisions, of economic alerts that nothing more could be
    judged of their series.

    Args:
        record: of the panel.
        alerts: of the panel.
        least_share: of the expected volume, below which nothing is judged.
    """
    told = {}
    for alert in (each.latest for each in alerts if each.is_open):
        if alert.kind == "coverage":
            told[alert.id] = _gone_on(alert, record, least_share)
        elif alert.kind == "economic":
            told[alert.id] = _unheard(alert, record)
    return {name: words for name, words in told.items() if words}


def _gone_on(notice: Alert, record: PanelRecord, least_share: float) -> str:
    as_of, days_before = date.fromisoformat(notice.as_of), figure(notice, "days_missing")
    after = [(day, coverage) for day, coverage in record.coverage if day > as_of]
    if after and figure(notice, UNREAD) is not None:
        return _still_unread(notice, after, least_share)
    if not after or days_before is None:  # a lost partition has no days: it never comes back
        return ""
    is_of_regions = notice.region is not None or figure(notice, SILENT_REGIONS) is not None
    regions = {notice.region} if notice.region is not None else regions_of(notice)
    missing = [_is_missing(coverage, regions if is_of_regions else None, least_share) for _, coverage in after]
    last, coverage = after[-1]
    when = f"{short_day(last)}, the last day of the input"
    if not missing[-1]:
        # A region that rests on some days is not missed on these, and not heard again either.
        return f"To {when}: missing on {sum(missing)} of {counted(len(after), 'further day')}, and not yet heard again."
    is_whole = is_of_regions or coverage.delivered <= 0
    share = "" if is_whole else f", {percent(1 - coverage.delivered)} of the expected volume on that one"
    return f"Still missing on {when}: {counted(round(days_before) + sum(missing), 'day')} in all{share}."


def regions_of(notice: Alert) -> set[str]:
    """Return the regions that a notice of missing data names as a whole."""
    named = (Series.of(each.series_id) for each in notice.evidence if each.series_id is not None)
    return {each.region for each in named if each.region is not None and each.sector is None}


def _still_unread(notice: Alert, after: Sequence[tuple[date, Coverage]], least_share: float) -> str:
    """Return the same of what could not be read; of single records that says on how many more days there were some."""
    last, coverage = after[-1]
    unread = [any(each.share < least_share for each in gone_on.gap.unread) for _, gone_on in after]
    if unread[-1] and figure(notice, UNREAD_PLACES) is None:
        days = counted(round(figure(notice, UNREAD_DAYS) or 0) + sum(unread), "day")
        share = percent(1 - coverage.gap.read)
        return f"Still so on {short_day(last)}, the last day of the input: {days} in all, {share} on that one."
    return f"To {short_day(last)}: on {sum(unread)} of {counted(len(after), 'further day')}." if any(unread) else ""


def _is_missing(coverage: Coverage, regions: set[str] | None, least_share: float) -> bool:
    """Return whether what a notice is about (None: feeds) was missing on a day; where nothing is judged all was."""
    if coverage.mutes(least_share):
        return True
    if regions is not None:
        return not regions.isdisjoint(coverage.gap.regions)
    return bool(coverage.silent or coverage.branches or coverage.forgotten or coverage.gap.in_part(least_share))


def _unheard(alert: Alert, record: PanelRecord) -> str:
    now = record.following.now(alert)
    if now is None or not record.coverage or now.day >= record.coverage[-1][0]:
        return ""
    return f"Nothing of it could be judged after {short_day(now.day)}, to {short_day(record.coverage[-1][0])}."
