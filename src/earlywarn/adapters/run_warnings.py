"""What a reader must know before trusting a run's results, as sentences for the terminal and summary.json."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.application.compose import Run
from earlywarn.application.fold import RunFold
from earlywarn.domain.alert import Alert
from earlywarn.reference.classifications import available

_REJECTED_SHARE = 0.5
"""From which share of rejected records on a run says so: its results stand on less than half of the input."""
_DISORDER_SHARE = 0.01


def input_warnings(inputs: Sequence[InputFile], records: int, rejects: RejectsWriter, *, sort: bool) -> Iterator[str]:
    """Yield what is doubtful about the input."""
    if rejects.total > _REJECTED_SHARE * records:
        per_cent = math.floor(1000 * rejects.total / records) / 10  # rounded down: 100 % means all
        yield f"{rejects.total:,} of {records:,} records were rejected ({per_cent:g} %); the first of each reason:"
        yield from rejects.examples.values()
        yield from ways_out(rejects)
        if len({each.kind for each in inputs}) > 1:
            yield "the inputs are of two kinds, cells and transactions: run them apart, or with settings for both"
    too_late = rejects.by_reason.get("too_late", 0)
    if too_late > _DISORDER_SHARE * records and not sort:
        yield f"{too_late:,} records were too late: if the input is not in time order, run it with --sort"


def fold_warnings(run: Run, fold: RunFold) -> Iterator[str]:
    """Yield what the fold noticed: sources whose clock may have leapt, and what stands in no aggregate."""
    too_late = fold.rejected.get("too_late", 0)
    for leap in leaps(run, fold):
        others = f", the longest of {leap['silences']} such silences" if leap["silences"] != 1 else ""
        behind = (
            f", and behind it {too_late:,} records were too late: mend it, or give the time of receipt (--received-at)"
            if too_late
            else ""
        )
        yield (
            f"panel {leap['panel']}: nothing between {leap['from']} and {leap['to']}{others}: "
            f"an outage, or one wrong time stamp{behind}"
        )
    if fold.uncounted_transactions:
        yield (
            f"{fold.uncounted_transactions:,} accepted transactions stand in no aggregate: their partition had been "
            "idle for longer than rows are waited for; see docs/delivery.md"
        )


def learning_warnings(run: Run, judged_days: Mapping[str, int], ready: Collection[str]) -> Iterator[str]:
    """Yield the panels whose history is too short for any alert: those with days, and none that was ready."""
    for panel, days in sorted(judged_days.items()):
        if panel not in ready:
            yield (
                f"panel {panel}: the models are still learning what is usual ({days} {'day' if days == 1 else 'days'} "
                f"seen); alerts are raised from about day {run.settings.detection.ready_days} on, none can be before"
            )


def silence_warnings(alerts: Iterable[Alert]) -> Iterator[str]:
    """Yield what is still missing at the end of the input: the coverage alerts (latest revisions) that are open."""
    for alert in alerts:
        if alert.kind != "coverage" or alert.status in {"resolved", "superseded"}:
            continue
        until = f"from {alert.opened_on} to the end of the input"
        if alert.region is None:
            yield f"panel {alert.panel}: too little was reported {until}; these days are not judged"
        else:
            yield (
                f"panel {alert.panel}: nothing was reported of region {alert.region} {until}; totals are without "
                "it, with a coverage below 1"
            )


def ways_out(rejects: RejectsWriter) -> Iterator[str]:
    """Yield what helps against rejects that a setting decides."""
    if rejects.by_reason.get("sector_unknown"):
        yield (
            "sector_unknown: give the panel the classification of these codes "
            f'({", ".join(available())}, or a folder), or classification = "open" to take codes as they are'
        )


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
