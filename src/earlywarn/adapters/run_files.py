"""A run from files to files: what `earlywarn run` and `earlywarn demo` do."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

import earlywarn
from earlywarn.adapters.exercise import assume_exercise, mark_exercise
from earlywarn.adapters.feeds import DecodedBatch, feeds_of
from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.adapters.inference import Assumption
from earlywarn.adapters.lost_records import LostRecords
from earlywarn.adapters.output.aggregates import AggregatesWriter
from earlywarn.adapters.output.divisions import DivisionsWriter
from earlywarn.adapters.output.forecast import write_forecast
from earlywarn.adapters.report import ReportCollector, write_report
from earlywarn.adapters.run_folder import RunFolder
from earlywarn.adapters.run_warnings import (
    cell_warnings,
    contradiction_warnings,
    end_warnings,
    file_warnings,
    fold_warnings,
    history_warnings,
    input_warnings,
    leaps,
    order_warnings,
    rounding_warnings,
    silence_warnings,
)
from earlywarn.adapters.time_order import TimeOrder
from earlywarn.adapters.ways_out import ways_out
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import JudgedDay, Output
from earlywarn.detection import MODEL_VERSION
from earlywarn.domain.alert import STATUSES_OPEN, Alert
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run gave: the alerts' latest revisions in order of detection, and the summary as written.

    `assumed` is what the run took for granted, before it and at its end; `warnings` are for people: what makes the
    results doubtful. `report` is None if none was wanted.
    """

    alerts: tuple[Alert, ...]
    summary: dict[str, object]
    assumed: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    out: Path
    report: Path | None


class _FileSink:
    """Writes what the run gives as it comes."""

    def __init__(
        self,
        run: Run,
        out: Path,
        aggregates: AggregatesWriter,
        divisions: DivisionsWriter,
        rejects: RejectsWriter,
        lost: LostRecords,
        progress: Callable[[int], None],
    ) -> None:
        self.report = ReportCollector(run)
        self.order = TimeOrder()
        self.elsewhere: Counter[str] = Counter()
        self.alerts: dict[str, Alert] = {}
        self.records = 0
        self.revised_rows = 0
        self.least_coverage = 1.0
        self.first_day, self.last_day = "", ""
        self._aggregates = aggregates
        self._divisions = divisions
        self._rejects = rejects
        self._router = run.router
        self._lost = lost
        self._progress = progress
        self._lines = (out / "alerts.jsonl").open("wb")
        self._encode = msgspec.json.Encoder().encode

    def publish(self, output: Output) -> None:
        """Write one output."""
        self.report.observe(output)
        if isinstance(output, AggregateRows):
            self._aggregates.add(output)
            self._divisions.add(output)
            self.revised_rows += int((output.vintage > 0).sum())
            if output.bucket == "day":
                self.first_day = min(self.first_day or output.start, output.start)
                self.last_day = max(self.last_day, output.start)
        elif isinstance(output, JudgedDay):
            self.least_coverage = min(self.least_coverage, output.closed.coverage.share)
        else:
            self.alerts[output.id] = output
            self._lines.write(self._encode(output) + b"\n")

    def reject(self, batch: DecodedBatch, index: int, reject: Reject) -> None:
        """Keep a rejected record's place and reason."""
        place, outcome = batch.place(index), batch.outcomes[index]
        self._rejects.add(place, batch.told(index, reject))
        self._lost.add(outcome, reject.reason)
        if reject.reason is RejectReason.PANEL_UNKNOWN and isinstance(outcome, Transaction):
            panel = self._router.panel_of(outcome.country, outcome.region) or self._router.panels[0]
            self.elsewhere[panel.regions.country_of(outcome.region, outcome.country) or "unknown"] += 1
        if reject.reason is RejectReason.TOO_LATE and isinstance(outcome, Transaction) and not batch.cells:
            self.order.add(place.file, outcome.ts)

    def advance(self, records: int) -> None:
        """Note progress."""
        self.records += records
        self._progress(records)

    def close(self) -> None:
        """Close the alerts file."""
        self._lines.close()


def run_files(
    run: Run,
    inputs: Sequence[InputFile],
    out: Path,
    *,
    received_ms: int | None = None,
    sort: bool = False,
    report: bool = True,
    assumed: Sequence[Assumption] = (),
    inferred: bool = False,
    past_days: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> RunResult:
    """Run `inputs` to their end and write what a run leaves behind to `out` (docs/outputs.md).

    `received_ms` is the time against which "in the future" is judged (default: now; it stands in the
    summary, so that a run can be repeated exactly). `sort` puts transactions in time order first. `assumed` is
    what the run takes for granted, for the summary and the report. `inferred` says that options, and no settings,
    describe its panel. With `past_days` nobody has said whether the run is an exercise: it is one if its last day lies
    more than so many days before that of receipt. Results of an earlier run are replaced when the input has been read
    to the end, and left alone if the run breaks off or fails.

    Raises:
        InputError: not one record was accepted (`summary.json` and `rejects.jsonl` say why; beside results of an
            earlier run `failed.summary.json` and `failed.rejects.jsonl`), an input is damaged, or the results cannot
            be written.
    """
    started = time.perf_counter()
    if received_ms is None:
        received_ms = time.time_ns() // 1_000_000
    with RunFolder(out, [each.path for each in inputs]) as folder:
        draft = folder.draft
        calendar = run.panels[0].panel.calendar
        feeds = feeds_of(inputs, calendar, sort_in=draft if sort else None)
        lost = LostRecords(run.router, calendar, received_ms)
        with (
            RejectsWriter(draft / "rejects.jsonl") as rejects,
            AggregatesWriter(draft / "aggregates.parquet") as aggregates,
            DivisionsWriter(run, draft / "divisions.parquet") as divisions,
        ):
            sink = _FileSink(run, draft, aggregates, divisions, rejects, lost, progress)
            try:
                fold = run_embedded(run, feeds, sink, received_ms=received_ms)
            finally:
                sink.close()
        sink.report.forecasts = fold.forecasts()
        forecast_rows = write_forecast(draft / "forecast.parquet", sink.report.forecasts)
        exercise = run.settings.exercise
        if past_days is not None and sink.last_day:
            today = calendar.day_of(received_ms // 1000)
            exercise, why = assume_exercise(date.fromisoformat(sink.last_day[:10]), today, past_days)
            assumed = (*assumed, why)
        if exercise and not run.settings.exercise:
            mark_exercise(draft / "alerts.jsonl")
            sink.alerts = {name: msgspec.structs.replace(each, exercise=True) for name, each in sink.alerts.items()}
        alerts = tuple(sorted(sink.alerts.values(), key=lambda alert: (alert.detected_on, alert.sequence)))
        seen = {panel: record.seen for panel, record in sink.report.panels.items()}
        read = {name: count for feed in feeds for name, count in feed.records.items()}
        unsorted = {} if sort else sink.order.unsorted(read, has_leapt=bool(leaps(run, fold)))
        for each in seen.values():
            each.lost_to_disorder = sum(unsorted.values())
        left_out = (
            *contradiction_warnings(rejects),
            *order_warnings(unsorted, run.settings.fold.revision_horizon_days),
            *input_warnings(
                inputs, sink.records, rejects, sink.elsewhere, inferred=inferred, sort=sort or bool(unsorted)
            ),
            *file_warnings(feeds, rejects),
            *end_warnings(lost, sink.last_day[:10]),
        )
        warnings = (
            *left_out,
            *rounding_warnings(feeds),
            *fold_warnings(run, fold, is_sorted=not unsorted),
            *cell_warnings(feeds),
            *history_warnings(run, seen),
            *silence_warnings(alerts),
        )
        summary: dict[str, object] = {
            "earlywarn": earlywarn.__version__,
            "failed": _failure(inputs, rejects) if sink.records <= rejects.total else "",
            "run": run.settings.run,
            "exercise": exercise,
            "model_version": MODEL_VERSION,
            "config_hash": run.fingerprint,
            "inputs": [each.name for each in inputs],
            "received_at": datetime.fromtimestamp(received_ms / 1000, UTC).isoformat(),
            "panels": [each.panel.id for each in run.panels],
            "assumed": [msgspec.to_builtins(each) for each in assumed],
            "warnings": list(warnings),
            "first_day": sink.first_day[:10],
            "last_day": sink.last_day[:10],
            "records": sink.records,
            "accepted_records": sink.records - rejects.total,
            "transactions": fold.transactions,
            "late_transactions": fold.late_transactions,
            "uncounted_transactions": fold.uncounted_transactions,
            "capped_sums": sum(each.sums for each in fold.capped()),
            "leaps": leaps(run, fold),
            "rejected": dict(rejects.by_reason),
            "rejected_first": dict(rejects.examples),
            "rejected_not_listed": rejects.left_out,
            "rejected_unplaced": lost.unplaced,
            "amounts_rounded": sum(feed.rounded.total() for feed in feeds),
            "aggregate_rows": aggregates.rows,
            "revised_rows": sink.revised_rows,
            "forecast_rows": forecast_rows,
            "one_sided_cells": sum(feed.one_sided for feed in feeds),
            "least_coverage": min(
                [sink.least_coverage, *(each.heard / each.closed for each in seen.values() if each.is_sparse)]
            ),
            "alerts": alert_counts(alerts),
            "seconds": round(time.perf_counter() - started, 1),
        }
        (draft / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        if sink.records <= rejects.total:
            out_of_it = tuple(ways_out(inputs, rejects, sink.elsewhere, rejects.total, inferred=inferred))
            raise InputError(_nothing(inputs, rejects, out_of_it, folder.tell_failure()))
        if report:
            write_report(draft / "report.html", sink.report, summary, left_out)
        folder.publish()
    return RunResult(alerts, summary, tuple(assumed), warnings, out, out / "report.html" if report else None)


def alert_counts(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return how many alerts there are in all, and of these those that no wider one holds, each by kind and severity.

    All figures of one of the two add up to its `episodes`.
    """
    return {
        **_counted(alerts),
        "within_wider": sum(alert.parent is not None for alert in alerts),
        "without_parent": _counted([alert for alert in alerts if alert.parent is None]),
    }


def _counted(alerts: Sequence[Alert]) -> dict[str, object]:
    return {
        "episodes": len(alerts),
        "open": sum(alert.status in STATUSES_OPEN for alert in alerts),
        "by_kind": dict(sorted(Counter(alert.kind for alert in alerts).items())),
        "by_severity": dict(sorted(Counter(alert.severity for alert in alerts).items())),
    }


def _failure(inputs: Sequence[InputFile], rejects: RejectsWriter) -> str:
    names = ", ".join(each.name for each in inputs)
    if not rejects.total:
        return f"{names}: there is no record in it; give files with rows after the header"
    return f"{names}: not one record could be used of {rejects.total:,}"


def _nothing(inputs: Sequence[InputFile], rejects: RejectsWriter, out_of_it: Sequence[str], listed: Path) -> str:
    told = _failure(inputs, rejects)
    if not rejects.total:
        return told
    told = f"{told}; see {listed}"
    return "\n".join([f"{told}; the first of each reason:", *rejects.examples.values(), *out_of_it])
