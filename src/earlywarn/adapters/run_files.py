"""A run from files to files: what `earlywarn run` and `earlywarn demo` do."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import earlywarn
from earlywarn.adapters.feeds import DecodedBatch, feeds_of
from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.adapters.output.aggregates import AggregatesWriter
from earlywarn.adapters.output.divisions import DivisionsWriter
from earlywarn.adapters.report import ReportCollector, write_report
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import JudgedDay, Output
from earlywarn.detection import MODEL_VERSION
from earlywarn.domain.alert import Alert
from earlywarn.domain.reject import Reject
from earlywarn.errors import InputError


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run gave: the alerts' latest revisions in order of detection, and the summary as written."""

    alerts: tuple[Alert, ...]
    summary: dict[str, object]
    out: Path

    def rejected_share(self, reason: str) -> float:
        """Return which share of all records was rejected for a reason."""
        rejected, records = self.summary["rejected"], self.summary["records"]
        if not isinstance(rejected, dict) or not isinstance(records, int) or not records:
            return 0.0
        return int(rejected.get(reason, 0)) / records


class _FileSink:
    """Writes what the run gives as it comes."""

    def __init__(
        self,
        run: Run,
        out: Path,
        aggregates: AggregatesWriter,
        divisions: DivisionsWriter,
        rejects: RejectsWriter,
        progress: Callable[[int], None],
    ) -> None:
        self.report = ReportCollector(run)
        self.alerts: dict[str, Alert] = {}
        self.records = 0
        self.revised_rows = 0
        self.least_coverage = 1.0
        self.first_day, self.last_day = "", ""
        self._aggregates = aggregates
        self._divisions = divisions
        self._rejects = rejects
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
        self._rejects.add(batch.place(index), reject)

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
    progress: Callable[[int], None] = lambda _: None,
) -> RunResult:
    """Run `inputs` to their end and write alerts, aggregates, divisions, rejects, summary and report to `out`.

    `received_ms` is the time against which "in the future" is judged (default: now; it stands in the
    summary, so that a run can be repeated exactly). `sort` puts transactions in time order first.

    Raises:
        InputError: not one record was accepted.
    """
    started = time.perf_counter()
    if received_ms is None:
        received_ms = time.time_ns() // 1_000_000
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror}; choose another folder for the results") from error
    feeds = feeds_of(inputs, run.panels[0].panel.calendar, sort_in=out if sort else None)
    with (
        RejectsWriter(out / "rejects.jsonl") as rejects,
        AggregatesWriter(out / "aggregates.parquet") as aggregates,
        DivisionsWriter(run, out / "divisions.parquet") as divisions,
    ):
        sink = _FileSink(run, out, aggregates, divisions, rejects, progress)
        try:
            fold = run_embedded(run, feeds, sink, received_ms=received_ms)
        finally:
            sink.close()
    alerts = tuple(sorted(sink.alerts.values(), key=lambda alert: (alert.detected_on, alert.sequence)))
    summary: dict[str, object] = {
        "earlywarn": earlywarn.__version__,
        "run": run.settings.run,
        "model_version": MODEL_VERSION,
        "config_hash": run.fingerprint,
        "inputs": [each.name for each in inputs],
        "received_at": datetime.fromtimestamp(received_ms / 1000, UTC).isoformat(),
        "panels": [each.panel.id for each in run.panels],
        "first_day": sink.first_day[:10],
        "last_day": sink.last_day[:10],
        "records": sink.records,
        "accepted_records": sink.records - rejects.total,
        "transactions": fold.transactions,
        "late_transactions": fold.late_transactions,
        "rejected": dict(rejects.by_reason),
        "rejected_not_listed": rejects.left_out,
        "amounts_rounded": sum(feed.rounded for feed in feeds),
        "aggregate_rows": aggregates.rows,
        "revised_rows": sink.revised_rows,
        "least_coverage": sink.least_coverage,
        "alerts": _counts(alerts),
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    if sink.records == rejects.total:
        raise InputError(_nothing(inputs, rejects, out))
    if report:
        write_report(out / "report.html", sink.report, summary)
    return RunResult(alerts, summary, out)


def _counts(alerts: Sequence[Alert]) -> dict[str, object]:
    tops = [alert for alert in alerts if alert.parent is None]
    return {
        "episodes": len(alerts),
        "without_parent": len(tops),
        "open": sum(alert.status in {"open", "updated"} for alert in tops),
        "by_kind": dict(sorted(Counter(alert.kind for alert in tops).items())),
        "by_severity": dict(sorted(Counter(alert.severity for alert in tops).items())),
    }


def _nothing(inputs: Sequence[InputFile], rejects: RejectsWriter, out: Path) -> str:
    names = ", ".join(each.name for each in inputs)
    reasons = ", ".join(f"{reason} {count}" for reason, count in rejects.by_reason.items()) or "they are empty"
    return f"{names}: not one record could be used ({reasons}); see {out / 'rejects.jsonl'}"
