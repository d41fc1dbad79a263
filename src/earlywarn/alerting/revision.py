"""One revision of an economic alert: an episode, the day's reading of it and what was decided, as it is published."""

from datetime import date

import msgspec

from earlywarn.alerting.episode import Episode, Told
from earlywarn.alerting.evidence import Reading
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.domain.alert import Alert, Evidence, Outcome, Severity, Status
from earlywarn.domain.series import Series


class Verdict(msgspec.Struct, frozen=True):
    """What a revision says: its status and severity, the estimate that is told, and the figures behind it."""

    status: Status
    severity: Severity
    told: Told
    score: float
    evidence: tuple[Evidence, ...]
    outcome: Outcome | None = None


def revision(
    episode: Episode, reading: Reading, verdict: Verdict, *, panel: str, day: date, letterhead: Letterhead
) -> Alert:
    """Return the revision as an alert, without sequence number and text, and note in the episode that it is told."""
    episode.publish(day, verdict.severity, verdict.told)
    series = Series(panel, episode.region, episode.sector)
    return Alert(
        id=episode.id,
        revision=episode.revision,
        sequence=0,
        run=letterhead.run,
        kind="economic",
        status=verdict.status,
        panel=panel,
        level=series.level,
        series_id=series.series_id,
        region=episode.region,
        sector=episode.sector,
        measure=episode.measure,
        direction=episode.direction,
        severity=verdict.severity,
        probability=verdict.told.probability,
        opened_on=episode.opened_on.isoformat(),
        detected_on=episode.detected_on.isoformat(),
        resolved_on=episode.last_alarm_on.isoformat() if verdict.status == "resolved" else None,
        outcome=verdict.outcome,
        as_of=day.isoformat(),
        observed=reading.today.observed,
        expected=reading.today.expected,
        lower=reading.today.lower,
        upper=reading.today.upper,
        change_pct=reading.today.change_pct,
        score=_rounded(verdict.score),
        evidence=verdict.evidence,
        parent=episode.parent,
        children=tuple(episode.children),
        supersedes=None,
        provisional=False,
        exercise=letterhead.exercise,
        text="",
        model_version=letterhead.model_version,
        config_hash=letterhead.config_hash,
    )


def _rounded(score: float) -> float:
    """Return a score with three digits; rounding does not move it to the other side of the alarm.

    >>> _rounded(1.00002), _rounded(1.23449), _rounded(0.99999)
    (1.001, 1.234, 0.999)
    """
    return max(round(score, 3), 1.001) if score > 1 else min(round(score, 3), 0.999)
