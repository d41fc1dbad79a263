"""Notices that are no economic alerts: breaks of coverage of a panel or a region, new sources, models that drift."""

from collections.abc import Collection
from datetime import date

from earlywarn.aggregation.rows import ClosedDay, Loss
from earlywarn.alerting.drift_notice import DriftNotice
from earlywarn.alerting.feeds_notice import FeedsNotice
from earlywarn.alerting.laggards_notice import LaggardsNotice
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.newcomers_notice import NewcomersNotice
from earlywarn.alerting.notice import NoticeWriter
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.regions_notice import RegionsNotice
from earlywarn.alerting.scattered_notice import ScatteredNotice
from earlywarn.alerting.unread_notice import UnreadNotice
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import LOST, Alert, Evidence
from earlywarn.domain.state import State


class Notices:
    """The notices of one panel, each kind an episode of its own."""

    def __init__(self, panel: str, parameters: AlertParameters, letterhead: Letterhead) -> None:
        self.parameters = parameters
        self._writer = NoticeWriter(panel, parameters, letterhead)
        self._feeds = FeedsNotice(self._writer)
        self._unread = UnreadNotice(self._writer)
        self._scattered = ScatteredNotice(self._writer)
        self._newcomers = NewcomersNotice(self._writer)
        self._laggards = LaggardsNotice(self._writer)
        self._regions = RegionsNotice(self._writer)
        self._drift = DriftNotice(self._writer)

    def coverage(self, closed: ClosedDay, holiday: Collection[str | None] = ()) -> list[Alert]:
        """Return what is to be told of a day's coverage. Of silent regions that is on days on which the panel is heard.

        Args:
            closed: the day.
            holiday: regions that keep a public holiday; None for the panel.
        """
        notices = self._feeds.step(closed, is_holiday=None in holiday)
        for each in (self._unread, self._scattered, self._newcomers, self._laggards):
            notices += each.step(closed)
        if not closed.coverage.mutes(self.parameters.coverage_share):
            notices += self._regions.step(closed, holiday)
        return notices

    def drift(self, scores: DayScores) -> list[Alert]:
        """Return what is to be told of models that drift."""
        return self._drift.step(scores)

    def loss(self, loss: Loss, *, since: date, day: date) -> Alert:
        """Tell that nothing more is counted of a source partition; that does not end in this run."""
        episode = self._writer.episode("coverage", since, what=f"partition {loss.partition}")
        episode.detected_on = day
        evidence = (
            Evidence(name=f"{LOST}partition {loss.partition}", value=1.0, unit="feed"),
            Evidence(name="needed", value=float(loss.needed), unit="offset"),
            Evidence(name="log_begins", value=float(loss.begins), unit="offset"),
        )
        score = self._writer.missing_score(1.0)
        return self._writer.notice(episode, "coverage", "open", day, "severe", score, evidence)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "feeds": self._feeds.state(),
            "unread": self._unread.state(),
            "scattered": self._scattered.state(),
            "newcomers": self._newcomers.state(),
            "laggards": self._laggards.state(),
            "regions": self._regions.state(),
            "drift": self._drift.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._feeds.restore(saved["feeds"])
        self._unread.restore(saved["unread"])
        self._scattered.restore(saved["scattered"])
        self._newcomers.restore(saved["newcomers"])
        self._laggards.restore(saved["laggards"])
        self._regions.restore(saved["regions"])
        self._drift.restore(saved["drift"])
