"""The fold behind one partition of the partials log: partials in, everything to publish out.

For each of its panels: ledger (buckets), detector (scores), desk (alerts). Its state is a function of
the log alone, so a snapshot is valid whoever wrote it, and what it publishes is numbered by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from earlywarn import aggregation, alerting, detection
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.ledger import PanelLedger
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows, ClosedDay, Loss
from earlywarn.alerting.desk import AlertDesk
from earlywarn.application.scoring import scored
from earlywarn.application.succession import Change, Succession
from earlywarn.detection import MODEL_VERSION
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.domain.alert import Alert
from earlywarn.domain.panel import Panel, called
from earlywarn.domain.state import State, decode_state, encode_state
from earlywarn.errors import LogError, SnapshotError

STATE_VERSION = 1
"""Changes whenever what is kept here of a run and its succession is laid out or meant otherwise."""

_LAYOUT = {
    "aggregation": aggregation.STATE_VERSION,
    "alerting": alerting.STATE_VERSION,
    "application": STATE_VERSION,
    "detection": detection.STATE_VERSION,
}
_MISFITS = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What a state raises that is laid out otherwise than its reader thinks."""


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """A closed day with what the models said of it; it is for reports, and no part of the contract."""

    closed: ClosedDay
    scores: DayScores


Output = AggregateRows | JudgedDay | Alert


@dataclass(frozen=True, slots=True)
class Leap:
    """A panel's longest silence beyond the revision horizon, between base buckets (epoch seconds), and their number.

    It was an outage, or one wrong time stamp: then most of what comes after it is rejected as too late.
    """

    panel: str
    silences: int
    from_seconds: int
    to_seconds: int


@dataclass(frozen=True, slots=True)
class Capped:
    """How many sums of a panel are published as their cap, and series and local start of the bucket of the first."""

    panel: str
    sums: int
    series_id: str
    start: str

    def __str__(self) -> str:
        are = "1 sum is" if self.sums == 1 else f"{self.sums:,} sums are"
        return (
            f"{called(self.panel)}: {are} beyond what is kept and published as the cap, the first of {self.series_id} "
            f"at {self.start}: look there for amounts that stand for something else, such as 999999999999 for an "
            "unknown one (docs/delivery.md, Sums that are capped)"
        )


class PanelParts(msgspec.Struct, frozen=True):
    """The three stages of a panel."""

    panel: Panel
    ledger: PanelLedger
    detector: PanelDetector
    desk: AlertDesk


class RunFold:
    """Folds the partials of all source partitions, for the panels of one partition q.

    Attributes:
        transactions, late_transactions: accepted, and of these late by their partition's log.
        uncounted_transactions: accepted, but come to a bucket that is forgotten: their partition was idle for longer
            than rows are waited for. They stand in no aggregate.
        rejected: records that were not accepted, by reason.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        fold: PartialsFold,
        *,
        revision_horizon_days: int,
        coverage: CoverageParameters,
        detector_of: Callable[[Panel], PanelDetector],
        desk_of: Callable[[Panel], AlertDesk],
        fingerprint: str,
        change: int = 0,
    ) -> None:
        self.fold = fold
        self.fingerprint = fingerprint
        self.succession = Succession(change)
        self.sequence = 0
        self.rejected: dict[str, int] = {}
        self._losses: list[Loss] = []
        self.transactions = 0
        self.late_transactions = 0
        self.uncounted_transactions = 0
        self._parts = {
            panel.id: PanelParts(
                panel,
                PanelLedger(panel, revision_horizon_days=revision_horizon_days, coverage=coverage),
                detector_of(panel),
                desk_of(panel),
            )
            for panel in sorted(panels, key=lambda panel: panel.id)
        }

    def apply(self, partial: Partial) -> Iterator[Output]:
        """Apply one partial and give what it makes publishable, in order. Exhaust it before the next."""
        applied = self.fold.apply(partial)
        if applied.loss is not None:
            self._losses.append(applied.loss)
        for reason, count in applied.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for difference in applied.differences:
            self.transactions += difference.transactions
            self.late_transactions += difference.transactions if difference.late else 0
            counted = self._parts[difference.panel].ledger.add(difference, partial.partition)
            self.uncounted_transactions += 0 if counted else difference.transactions
        for delivered in applied.delivered:
            self._parts[delivered.panel].ledger.deliver(delivered, partial.partition)
        for missed in applied.unread:
            self._parts[missed.panel].ledger.miss(missed, partial.partition)
        yield from self._tell_losses()
        for parts in self._parts.values():
            for closed in parts.ledger.close(self.fold):
                if isinstance(closed, AggregateRows):
                    yield closed
                else:
                    yield from self._judge(parts, closed)

    def change(self, change: Change) -> Iterator[Alert]:
        """Take a control record: a later one than ours ends the fold, ours puts it in force, others were before us.

        Raises:
            LogError: the run has gone on to another configuration.
        """
        if change.number > self.succession.number:
            raise LogError(
                f"the run has changed to configuration {change.fingerprint} (change {change.number}), this is "
                f"{self.fingerprint}; start the detector with the new settings"
            )
        if change.number == self.succession.number:
            taken = self.succession.take_over(change)
            self.sequence = change.sequence
            for alert in taken:
                self.sequence += 1
                yield msgspec.structs.replace(alert, sequence=self.sequence)

    def leaps(self) -> list[Leap]:
        """Return for each panel that was silent for more than the revision horizon its longest such silence."""
        return [
            Leap(panel, parts.ledger.leaps, *parts.ledger.longest_leap)
            for panel, parts in self._parts.items()
            if parts.ledger.longest_leap is not None
        ]

    def capped(self) -> list[Capped]:
        """Return for each panel with sums that are published as their cap how many, and the first of them."""
        return [
            Capped(parts.panel.id, sums, first[0], parts.panel.calendar.offset_iso(first[1]))
            for parts, (sums, first) in ((parts, parts.ledger.capped) for parts in self._parts.values())
            if first is not None
        ]

    def cells(self) -> dict[str, int]:
        """Return for each panel how many cells it tells apart so far."""
        return {panel: parts.ledger.cells for panel, parts in self._parts.items()}

    def forecasts(self) -> dict[str, PanelForecast]:
        """Return for each panel with a judged day what is expected of the days after its last one."""
        found = {panel: parts.detector.forecast() for panel, parts in self._parts.items()}
        return {panel: forecast for panel, forecast in found.items() if forecast is not None}

    def _judge(self, parts: PanelParts, closed: ClosedDay) -> Iterator[Output]:
        if not closed.complete or not closed.cells:
            return
        scores = scored(closed, parts.detector, parts.desk)
        yield JudgedDay(closed, scores)
        yield from self._numbered(parts.desk.step(scores, closed, parts.detector))

    def _tell_losses(self) -> Iterator[Alert]:
        """Tell every panel of partitions that are lost, as soon as an event says what day it is."""
        newest = self.fold.newest_event_seconds
        if newest is None or not self._losses:
            return
        losses, self._losses = self._losses, []
        for loss in losses:
            for parts in self._parts.values():
                day_of = parts.panel.calendar.day_of
                last = newest if loss.event_time_ms is None else loss.event_time_ms // 1000
                yield from self._numbered([parts.desk.lose(loss, since=day_of(last), day=day_of(newest))])

    def _numbered(self, alerts: Iterable[Alert]) -> Iterator[Alert]:
        for alert in alerts:
            published = self.succession.follow(alert)
            if published is not None:
                self.sequence += 1
                yield msgspec.structs.replace(published, sequence=self.sequence)

    # --- snapshot

    def snapshot(self) -> bytes:
        """Return the state as bytes: no pickle, deterministic, restorable by the same code and configuration."""
        return encode_state(
            {
                "models": MODEL_VERSION,
                "layout": _LAYOUT,
                "fingerprint": self.fingerprint,
                "sequence": self.sequence,
                "succession": self.succession.state(),
                "transactions": self.transactions,
                "late_transactions": self.late_transactions,
                "uncounted_transactions": self.uncounted_transactions,
                "rejected": dict(sorted(self.rejected.items())),
                "losses": [list(loss) for loss in self._losses],
                "fold": self.fold.state(),
                "panels": {
                    name: {
                        "ledger": parts.ledger.state(),
                        "detector": parts.detector.state(),
                        "desk": parts.desk.state(),
                    }
                    for name, parts in self._parts.items()
                },
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Take over a snapshot; it must come from the same models, layout of state and configuration.

        Raises:
            SnapshotError: it does not, or it is none. The fold is then of no use any more.
        """
        saved: State = decode_state(snapshot)
        try:
            self._restore(saved)
        except _MISFITS as error:
            raise SnapshotError(
                f"the snapshot does not hold what this program keeps ({type(error).__name__}: {error}), though it "
                f"names the same layout {saved.get('layout')}; fold the log from its start instead"
            ) from error

    def _restore(self, saved: State) -> None:
        if saved.get("models") != MODEL_VERSION:
            raise SnapshotError(
                f"the snapshot holds models of version {saved.get('models', 'before 2')}, this program has version "
                f"{MODEL_VERSION} and would misread it; fold the log from its start instead"
            )
        if saved.get("layout") != _LAYOUT:
            raise SnapshotError(
                f"the snapshot lays its state out by {saved.get('layout', 'no version')}, this program by {_LAYOUT}, "
                "and would misread it; fold the log from its start instead"
            )
        if saved["fingerprint"] != self.fingerprint:
            raise SnapshotError(
                f"the snapshot was written under configuration {saved['fingerprint']}, this run has "
                f"{self.fingerprint}; fold the log from its start instead"
            )
        if saved["succession"]["number"] != self.succession.number:
            raise SnapshotError(
                f"the snapshot is of change {saved['succession']['number']} of the run, this is change "
                f"{self.succession.number}; fold the log from its start instead"
            )
        self.succession.restore(saved["succession"])
        self.sequence, self.rejected = saved["sequence"], dict(saved["rejected"])
        self.transactions, self.late_transactions = saved["transactions"], saved["late_transactions"]
        self.uncounted_transactions = saved["uncounted_transactions"]
        self._losses = [Loss(*each) for each in saved["losses"]]
        self.fold.restore(saved["fold"])
        for name, parts in self._parts.items():
            parts.ledger.restore(saved["panels"][name]["ledger"])
            parts.detector.restore(saved["panels"][name]["detector"])
            parts.desk.restore(saved["panels"][name]["desk"])
