"""What a reader must know before trusting a run's results, as sentences for the terminal and summary.json."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from earlywarn.adapters.feeds import FileFeed
from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.lost_records import LostRecords
from earlywarn.adapters.ways_out import ways_out
from earlywarn.alerting.words import figure
from earlywarn.application.compose import Run
from earlywarn.application.fold import RunFold
from earlywarn.domain.alert import AS_USUAL, SILENT_REGIONS, UNREAD, UNREAD_DAYS, UNREAD_PLACES, Alert
from earlywarn.domain.panel import called
from earlywarn.domain.reject import RejectReason

REJECTED_SHARE = 0.01
"""Beyond which share of rejected records a run says so: a region or a sector may be missing by a mistake."""
REJECTED_SHARE_OF_FILE = 0.05
"""Beyond which share of one file's records: days that come as files of their own lack as much, however long the run."""
_ROUNDED_SHARE = 0.5
_DISORDER_SHARE = 0.01
_FILES_NAMED = 3
_COPIES = frozenset({RejectReason.DUPLICATE.value, RejectReason.DUPLICATE_CELL.value})


def input_warnings(
    inputs: Sequence[InputFile],
    records: int,
    rejects: RejectsWriter,
    elsewhere: Mapping[str, int],
    *,
    inferred: bool,
    sort: bool,
) -> Iterator[str]:
    """Yield what is doubtful about the input; `elsewhere` and `inferred` as of `ways_out`."""
    if rejects.total > REJECTED_SHARE * records:
        told = _rejected(rejects.by_reason, rejects.total, records)
        lacked = sum(lacking(rejects.by_reason).values()) + rejects.contradictions
        which = "them" if lacked == rejects.total else f"{lacked:,} of them (the others are copies)"
        lack = f". Figures lack {which}, so a fall may be no more than that" if lacked else ""
        yield f"{told}{lack}; the first of each reason:"
        yield from rejects.examples.values()
        yield from ways_out(inputs, rejects, elsewhere, records, inferred=inferred)
        if len({each.kind for each in inputs}) > 1:
            yield "the inputs are of two kinds, cells and transactions: run them apart, or with settings for both"
    too_late = rejects.by_reason.get("too_late", 0)
    if too_late > _DISORDER_SHARE * records and not sort:
        yield f"{too_late:,} records were too late: if the input is not in time order, run it with --sort"


def contradiction_warnings(rejects: RejectsWriter) -> Iterator[str]:
    """Yield how many rows say something else of a cell than an earlier one, however many copies stand before them."""
    if rejects.first_contradiction is not None:
        count, first = rejects.contradictions, rejects.first_contradiction
        yield (
            f"{count:,} {'row has' if count == 1 else 'rows have'} other figures than an earlier one of the same date, "
            "region and sector, which alone counts: sum the parts of a cell before, or leave out what is wrong; the "
            f"first is {first.file}:{first.line}"
        )


def order_warnings(unsorted: Mapping[str, int], horizon_days: int) -> Iterator[str]:
    """Yield that files are not in the order of time, and what helps; `unsorted` says what that cost, by file."""
    for at, (file, count) in enumerate(unsorted.items()):
        if at == _FILES_NAMED:
            yield f"so are {len(unsorted) - at} more files: not in the order of time"
            return
        yield (
            f"{file} is not in the order of time: {count:,} of its records came after others that are more than "
            f"{horizon_days} days newer, and were left out (too_late). Run it again with --sort, which puts records in "
            "order first"
        )


def file_warnings(feeds: Sequence[FileFeed], rejects: RejectsWriter) -> Iterator[str]:
    """Yield the file that lacks most of its records, where that is little of the run; else those of which most lack."""
    read = {name: count for feed in feeds for name, count in feed.records.items()}
    if rejects.total > REJECTED_SHARE * sum(read.values()):
        yield from _mostly_rejected(read, rejects)  # how many they are is told of the run as a whole
        return
    without = {name: lacking(found) for name, found in rejects.by_file.items()}
    shares = {name: sum(found.values()) / read[name] for name, found in without.items()}
    much = sorted((name for name in shares if shares[name] > REJECTED_SHARE_OF_FILE), key=lambda name: -shares[name])
    if much:
        found = without[much[0]]
        told = _rejected(found, sum(found.values()), read[much[0]])
        more = f" (and many of {len(much) - 1} more {'file' if len(much) == 2 else 'files'})" if much[1:] else ""
        yield f"{much[0]}: {told}{more}. Figures of its days lack them, so a fall of these may be no more than that"


def rounding_warnings(feeds: Sequence[FileFeed]) -> Iterator[str]:
    """Yield the file most of whose amounts had more decimals than their currency: they may mean something else."""
    rounded = {name: (count, feed.records[name]) for feed in feeds for name, count in feed.rounded.items()}
    much = sorted(name for name, (count, records) in rounded.items() if count > _ROUNDED_SHARE * records)
    if much:
        count, records = rounded[much[0]]
        more = f" (and most of {len(much) - 1} more {'file' if len(much) == 2 else 'files'})" if much[1:] else ""
        yield (
            f"{much[0]}: {count:,} of {records:,} amounts have more decimals than their currency and were rounded"
            f"{more}. That is often a wrong decimal sign, with amounts a thousandth of what they are (decimal and "
            "thousands in the mapping's format); or they are in thousands or millions (amount: { column: "
            "..., scale: thousands } in the mapping), or of another currency"
        )


def end_warnings(lost: LostRecords, last_day: str) -> Iterator[str]:
    """Yield that the input goes on behind the last day that is published (ISO 8601, empty if none is)."""
    found = lost.after(date.fromisoformat(last_day)) if last_day else None
    if found is not None:
        count, newest = found
        yield (
            f"the input goes on after {last_day}, to {newest}, and nothing of these days could be read: "
            f"{count:,} {'record' if count == 1 else 'records'} (see rejects.jsonl; a row of cells without a date that "
            "can be read is of the day that its place in the file suggests). These days are missing in all results"
        )


def _mostly_rejected(read: Mapping[str, int], rejects: RejectsWriter) -> Iterator[str]:
    """Yield the files of which most records were rejected: what is left is no picture of them."""
    lacked = {name: sum(lacking(found).values()) for name, found in rejects.by_file.items()}
    mostly = [name for name in read if 2 * lacked.get(name, 0) > read[name]]
    for name in mostly[:_FILES_NAMED]:
        yield (
            f"{name}: most of it could not be read, {lacked[name]:,} of {read[name]:,} records. What is published of "
            "it is not what was spent, and days of which so little was read are not judged: mend the file, or name its "
            "columns and units in a mapping (docs/inputs.md)"
        )
    if mostly[_FILES_NAMED:]:
        yield f"most of {len(mostly) - _FILES_NAMED} more files could not be read either"


def lacking(by_reason: Mapping[str, int]) -> dict[str, int]:
    """Return the rejects that figures lack, by reason: of copies the first one counts."""
    return {reason: count for reason, count in by_reason.items() if reason not in _COPIES}


def _rejected(by_reason: Mapping[str, int], rejected: int, records: int) -> str:
    per_cent = math.floor(1000 * rejected / records) / 10  # rounded down: 100 % means all
    reason, count = max(sorted(by_reason.items()), key=lambda each: each[1])
    most = f", {f'{count:,} of them' if len(by_reason) > 1 else 'all'} as {reason}"
    return f"{rejected:,} of {records:,} records were rejected ({per_cent:g} %){most}"


def fold_warnings(run: Run, fold: RunFold, *, is_sorted: bool = True) -> Iterator[str]:
    """Yield what the fold noticed: sources whose clock may have leapt, and what stands in no aggregate.

    Of an input that is not in the order of time (`is_sorted` says so) clocks tell nothing.
    """
    too_late = fold.rejected.get("too_late", 0)
    for leap in leaps(run, fold) if is_sorted else ():
        others = f", the longest of {leap['silences']} such silences" if leap["silences"] != 1 else ""
        behind = (
            f", and behind it {too_late:,} records were too late: mend it, or give the time of receipt (--received-at)"
            if too_late
            else ""
        )
        yield (
            f"{called(str(leap['panel']))}: nothing between {leap['from']} and {leap['to']}{others}: "
            f"an outage, or one wrong time stamp{behind}"
        )
    if fold.uncounted_transactions:
        yield (
            f"{fold.uncounted_transactions:,} accepted transactions stand in no aggregate: their partition had been "
            "idle for longer than rows are waited for; see docs/delivery.md"
        )
    yield from map(str, fold.capped())


def cell_warnings(feeds: Sequence[FileFeed]) -> Iterator[str]:
    """Yield how many cells contradict themselves."""
    for feed in feeds:
        if feed.first_one_sided is not None:
            first = feed.first_one_sided
            yield (
                f"cells with transactions and no amount, or an amount and no transactions: {feed.one_sided:,}; they "
                f"count as they stand, the first is {first.file}:{first.line}"
            )


def history_warnings(run: Run, seen: Mapping[str, HistoryDays]) -> Iterator[str]:
    """Yield the panels whose history is none of days, too short for any alert, or cut short on its last day."""
    for panel, history in sorted(seen.items()):
        days = history.closed
        if history.is_sparse and history.lost_to_disorder:
            continue  # the order is told of, and the days that it cost are no sums of weeks
        if history.is_sparse:
            yield f"{called(panel)}: {history.what_is_sparse()}"
        elif days >= run.settings.detection.ready_days and history.is_hardly_learned:
            yield (
                f"{called(panel)}: on {history.learned} of {days} days enough was heard and could be read to be "
                "judged; no alert of spending is raised before the models have learned about "
                f"{run.settings.detection.ready_days} of them"
            )
        elif days and not history.ready:
            yield (
                f"{called(panel)}: the models are still learning what is usual "
                f"({days} {'day' if days == 1 else 'days'} seen); alerts are raised from about day "
                f"{run.settings.detection.ready_days} on, none can be before"
            )
        resolution = next(each.panel.resolution for each in run.panels if each.panel.id == panel)
        if history.ready and history.cut_short is not None and resolution != "day":
            yield (
                f"{called(panel)}: nothing came of the last two hours of the last day, {history.cut_short}: it is "
                "published and not judged"
            )


def silence_warnings(alerts: Iterable[Alert]) -> Iterator[str]:
    """Yield what is still missing at the end of the input: the coverage alerts (latest revisions) that are open."""
    for alert in alerts:
        if alert.kind != "coverage" or alert.status in {"resolved", "superseded"}:
            continue
        until = f"from {alert.opened_on} to the end of the input"
        held_back = any(item.name == "alerts_held_back" and item.value for item in alert.evidence)
        if any(item.name == UNREAD for item in alert.evidence):
            yield f"{called(alert.panel)}: {_unread(alert, until, held_back=held_back)}"
        elif (regions := figure(alert, SILENT_REGIONS)) is not None:
            yield (
                f"{called(alert.panel)}: nothing was reported of {regions:.0f} regions {until}; totals are without "
                "them, with a coverage below 1"
            )
        elif alert.region is None and held_back:
            yield f"{called(alert.panel)}: too little was reported {until}; these days are not judged"
        elif alert.region is None:
            yield f"{called(alert.panel)}: a source was silent {until}; what it delivers is not judged"
        else:
            yield (
                f"{called(alert.panel)}: nothing was reported of region {alert.region} {until}; totals are without "
                "it, with a coverage below 1"
            )


def _unread(alert: Alert, until: str, *, held_back: bool) -> str:
    """Return what an open notice of records that could not be read says of the figures."""
    share, days, places = (figure(alert, name) for name in (UNREAD, UNREAD_DAYS, UNREAD_PLACES))
    if places is not None:
        return (
            f"single records could not be read {until}, on {days:.0f} days to {alert.as_of} in {places:.0f} sectors of "
            "regions (see rejects.jsonl); what they are about is not judged on these days"
        )
    if figure(alert, AS_USUAL):
        return (
            f"records could not be read {until}, {share:g} % on {alert.as_of} (see rejects.jsonl): figures lack them, "
            "and changes are judged against what can usually be read"
        )
    what = "these days are" if held_back else "what they are about is"
    return f"records could not be read {until}, {share:g} % on {alert.as_of} (see rejects.jsonl); {what} not judged"


def leaps(run: Run, fold: RunFold) -> list[dict[str, object]]:
    """Return each panel's longest silence beyond the revision horizon, in its local time, and how many there were."""
    calendars = {each.panel.id: each.panel.calendar for each in run.panels}
    return [
        {
            "panel": leap.panel,
            "silences": leap.silences,
            "from": calendars[leap.panel].offset_iso(leap.from_seconds),
            "to": calendars[leap.panel].offset_iso(leap.to_seconds),
        }
        for leap in fold.leaps()
    ]
