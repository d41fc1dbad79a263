"""What all notices have in common: their episodes, and how a revision of one is written down."""

from datetime import date, timedelta

from earlywarn.aggregation.rows import Branch
from earlywarn.alerting.episode import Episode, alert_id
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.domain.alert import SEVERITIES, Alert, Direction, Evidence, Kind, Severity, Status
from earlywarn.domain.series import Series

PLACES_TOLD = 12
"""So many places are told of what is missing, those of which most is."""
_SEVERE_MISSING, _HIGH_MISSING = 0.5, 0.2


class NoticeWriter:
    """Begins the episodes of a panel's notices, and writes their revisions."""

    def __init__(self, panel: str, parameters: AlertParameters, letterhead: Letterhead) -> None:
        self.panel = panel
        self.parameters = parameters
        self.letterhead = letterhead

    def episode(
        self, kind: Kind, day: date, region: str | None = None, *, what: str = "", direction: Direction = "down"
    ) -> Episode:
        """Return an episode that begins on a day; `what` tells it from others of the same kind, series and day."""
        series = Series(self.panel, region, None)
        opening = f"{day.isoformat()} {what}".rstrip()
        return Episode(
            id=alert_id(self.letterhead.run, series.series_id, kind, direction, opening),
            region=region,
            sector=None,
            direction=direction,
            detected_on=day,
            opened_on=day,
            last_alarm_on=day,
            last_revised_on=day,
            children=[],
        )

    def silence(self, began: date, day: date, region: str | None = None, *, what: str = "") -> Episode:
        """Return an episode of silence that is told of on a day, and began on it or with the holidays before it."""
        episode = self.episode("coverage", began, region, what=what)
        episode.detected_on = day
        for rested in range((day - began).days):
            episode.miss(began + timedelta(days=rested), is_all=False)
        return episode

    def is_due(self, episode: Episode, day: date) -> bool:
        """Return whether an episode is to be told of again, though nothing else is new."""
        return (day - episode.last_revised_on).days >= self.parameters.revise_days

    def missing_score(self, missing: float) -> float:
        """Return how much is missing (a share) by what may be before economic alerts are held back."""
        tolerated = 1 - self.parameters.coverage_share
        return missing / tolerated if tolerated > 0 else missing

    def feeds(self, prefix: str, feeds: tuple[str, ...], branches: tuple[Branch, ...] = ()) -> tuple[Evidence, ...]:
        """Return what is told of feeds, and of feeds in single regions, as evidence."""
        told = [Evidence(name=prefix + feed, value=1.0, unit="feed") for feed in feeds]
        for feed, region in branches:
            series_id = Series(self.panel, region, None).series_id
            told.append(Evidence(name=prefix + feed, value=1.0, unit="feed", series_id=series_id))
        return tuple(told)

    def notice(
        self,
        episode: Episode,
        kind: Kind,
        status: Status,
        day: date,
        grade: Severity,
        score: float,
        evidence: tuple[Evidence, ...],
    ) -> Alert:
        """Return the next revision of an episode, which is as grave as its gravest."""
        if SEVERITIES.index(grade) > SEVERITIES.index(episode.severity):
            episode.severity = grade
        episode.revision += 1
        episode.last_revised_on = day
        series = Series(self.panel, episode.region, None)
        return Alert(
            id=episode.id,
            revision=episode.revision,
            sequence=0,
            run=self.letterhead.run,
            kind=kind,
            status=status,
            panel=self.panel,
            level=series.level,
            series_id=series.series_id,
            region=episode.region,
            sector=None,
            measure="transactions",
            direction=episode.direction,
            severity=episode.severity,
            probability=1.0,
            opened_on=episode.opened_on.isoformat(),
            detected_on=episode.detected_on.isoformat(),
            resolved_on=episode.last_alarm_on.isoformat() if status == "resolved" else None,
            as_of=day.isoformat(),
            observed=None,
            expected=None,
            lower=None,
            upper=None,
            change_pct=None,
            score=round(score, 3),
            evidence=evidence,
            parent=None,
            children=(),
            supersedes=None,
            provisional=False,
            exercise=self.letterhead.exercise,
            text="",
            model_version=self.letterhead.model_version,
            config_hash=self.letterhead.config_hash,
        )


def duration(episode: Episode) -> tuple[Evidence, Evidence]:
    """Return for how many days something was missing, and all of it."""
    return (
        Evidence(name="days_missing", value=float(episode.missing_days), unit="days"),
        Evidence(name="days_of_nothing", value=float(episode.empty_days), unit="days"),
    )


def graded(missing: float, most: float) -> Severity:
    """Return the severity of a notice by the shares that are missing, of the panel and where it is most."""
    return "severe" if missing >= _SEVERE_MISSING else "high" if most >= _HIGH_MISSING else "medium"
