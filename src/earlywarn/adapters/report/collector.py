"""Keeps of a run's outputs what its report shows, in bounded memory.

Kept are the last `DAYS_KEPT` judged days (float32: 12 values and a flag for each node and day, so about
40 MB for 1,000 nodes), the scores of the last one, one pair of totals for each day, and the newest
`ALERTS_KEPT` alerts with at most `REVISIONS_KEPT` revisions each.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.report.following import Following
from earlywarn.aggregation.rows import AggregateRows, Coverage
from earlywarn.application.compose import Run
from earlywarn.application.fold import JudgedDay, Output
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.hierarchy import Node
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.domain.alert import STATUSES_OPEN, Alert

DAYS_KEPT = 800
ALERTS_KEPT = 1000
REVISIONS_KEPT = 8


@dataclass(frozen=True, slots=True)
class DayRecord:
    """One judged day: float32[3 measures, 4 (observed, expected, lower, upper), G nodes], and readiness."""

    ordinal: int
    nodes: tuple[Node, ...]
    values: npt.NDArray[np.float32]
    ready: npt.NDArray[np.bool_]


@dataclass(slots=True)
class PanelRecord:
    """What is kept of one panel."""

    days: deque[DayRecord] = field(default_factory=lambda: deque(maxlen=DAYS_KEPT))
    coverage: deque[tuple[date, Coverage]] = field(default_factory=lambda: deque(maxlen=DAYS_KEPT))
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)
    revised_days: set[str] = field(default_factory=set)
    revised_rows: int = 0
    last_scores: DayScores | None = None
    following: Following = field(default_factory=Following)
    seen: HistoryDays = field(default_factory=HistoryDays)


@dataclass(slots=True)
class AlertRecord:
    """An alert: its revisions, the first and the last ones."""

    revisions: list[Alert]

    @property
    def latest(self) -> Alert:
        """Return the latest revision."""
        return self.revisions[-1]

    @property
    def is_open(self) -> bool:
        """Return whether the alert stands."""
        return self.latest.status in STATUSES_OPEN


class ReportCollector:
    """Takes every output of a run, and the `forecasts` at its end by panel; `write_report` makes the page of it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.panels = {each.panel.id: PanelRecord() for each in run.panels}
        self.alerts: dict[str, AlertRecord] = {}
        self.alerts_left_out = 0
        self.forecasts: dict[str, PanelForecast] = {}

    def observe(self, output: Output) -> None:
        """Take one output, in the order of the run."""
        if isinstance(output, AggregateRows):
            self._rows(output)
        elif isinstance(output, JudgedDay):
            self._judged(output)
        else:
            self._alert(output)

    def _rows(self, rows: AggregateRows) -> None:
        record = self.panels[rows.panel]
        revised = int((rows.vintage > 0).sum())
        record.revised_rows += revised
        if rows.bucket != "day":
            return
        if revised:
            record.revised_days.add(rows.start)
        else:
            record.coverage.append((date.fromisoformat(rows.start[:10]), rows.coverage))
            record.seen.closed += 1
            record.seen.last = date.fromisoformat(rows.start[:10])
            record.seen.heard += bool(rows.transactions.any() or rows.amount_minor.any())
        for at in range(len(rows.series) - 1, -1, -1):  # the panel's own row is the last
            if rows.series[at].level == "panel":
                record.totals[rows.start] = (int(rows.transactions[at]), int(rows.amount_minor[at]))
                break

    def _judged(self, judged: JudgedDay) -> None:
        scores = judged.scores
        values = np.array(
            [
                (deviation.observed, deviation.expected, deviation.lower, deviation.upper)
                for deviation in (scores.transactions, scores.amount, scores.mean_ticket)
            ],
            dtype=np.float32,
        )
        record = DayRecord(scores.day.toordinal(), scores.nodes, values, scores.ready.copy())
        panel = self.panels[judged.closed.panel]
        panel.days.append(record)
        panel.last_scores = scores
        panel.seen.last_judged = scores.day
        panel.seen.learned += scores.usable
        panel.seen.ready |= bool(scores.ready.any())
        panel.following.step(scores)

    def _alert(self, alert: Alert) -> None:
        panel = self.panels[alert.panel]
        panel.following.tell(alert, panel.last_scores)
        record = self.alerts.get(alert.id)
        if record is None:
            self.alerts[alert.id] = AlertRecord([alert])
            self._evict()
            return
        record.revisions.append(alert)
        if len(record.revisions) > REVISIONS_KEPT:
            del record.revisions[1]

    def _evict(self) -> None:
        """Forget the oldest alert that is over, or the oldest, when there are too many."""
        if len(self.alerts) <= ALERTS_KEPT:
            return
        over = next((name for name, record in self.alerts.items() if not record.is_open), next(iter(self.alerts)))
        self.panels[self.alerts.pop(over).latest.panel].following.forget(over)
        self.alerts_left_out += 1
