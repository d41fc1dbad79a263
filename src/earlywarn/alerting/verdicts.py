"""What a day says of an episode: whether anything is published of it, and with which figures."""

from typing import NamedTuple

from earlywarn.alerting.book import EpisodeBook
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode, Told
from earlywarn.alerting.evidence import Reading
from earlywarn.alerting.grouping import Floats
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.revision import Verdict
from earlywarn.alerting.severity import probability, severity
from earlywarn.alerting.weighing import Weighing
from earlywarn.domain.alert import SEVERITIES, Evidence, Severity


class Look(NamedTuple):
    """A day's reading of an episode, its score, what would be told of it, and how grave that is; None: not enough."""

    reading: Reading
    score: float
    told: Told
    grade: Severity | None


def look_at(episode: Episode, node: int, weighing: Weighing, other: Floats, baselines: CellBaselines) -> Look:
    """Return what would be told of an episode today.

    Args:
        episode: today is added to it.
        node: its place among the nodes.
        weighing: the day's, in its direction.
        other: float64[G], the scores in the other direction: the higher one counts.
        baselines: of the day.
    """
    parameters, scores = weighing.parameters, weighing.scores
    reading = Reading(episode, scores, baselines, node, interval=parameters.effect_interval)
    is_alarm = weighing.ratio[node] >= other[node] and not episode.days_back
    score = float(weighing.ratio[node]) if is_alarm else 0.0
    confidence = reading.estimate.confidence(episode.direction)
    told = reading.told(probability(max(score, episode.score), confidence, parameters))
    return Look(reading, score, told, severity(told.probability, told.effect_pct, reading.weight, parameters))


def verdict(
    episode: Episode, look: Look, book: EpisodeBook, parameters: AlertParameters, *, panel: str, is_new: bool
) -> Verdict | None:
    """Return what a revision of today says; None if there is none.

    Args:
        episode: the day is noted in it.
        look: today's.
        book: the episodes around it, and what is on record of its node.
        parameters: thresholds.
        panel: whose cells are named.
        is_new: whether the episode opens today.
    """
    reading, score, told, grade = look
    if episode.quiet_days >= parameters.quiet_days:
        outcome = reading.outcome
        # A part's level is new when that of the whole is, and fades with it: until then one shock goes on.
        if outcome is None or (outcome != "recovered" and book.parent(episode) is not None):
            return None
        # The end repeats the size that was published last: what people know it by.
        return Verdict("resolved", episode.gravest, episode.told, score, reading.ending(outcome, panel), outcome)
    # News wait for a day on which the effect is there: an alert never tells of one that is not, or too unsurely.
    if grade is None or episode.days_back or not (is_new or reading.estimate.distance(episode.direction) > 0):
        return None
    graver = SEVERITIES.index(grade) > SEVERITIES.index(episode.severity)
    due = (reading.day - episode.last_revised_on).days >= parameters.revise_days and score > 1
    if not (is_new or (told.effect_pct != 0 and (graver or due or episode.has_news))):
        return None
    # How unusual the episode is, and not the day: on a quiet one nearly every other day was as extreme.
    last_day = book.records.last_as_extreme(
        episode.region, episode.sector, episode.direction, episode.score, episode.opened_on
    )
    figures = reading.evidence(told, panel, last_as_extreme=last_day)
    return Verdict("open" if is_new else "updated", grade, told, score, figures)


def out_of_sight(episode: Episode, look: Look, unheard_days: int, *, panel: str) -> Verdict:
    """Return the end of an episode of a node of which nothing has come for so many days: nobody can say more."""
    days = Evidence(name="days_unheard", value=float(unheard_days), unit="days")
    figures = (*look.reading.ending("faded", panel), days)
    return Verdict("resolved", episode.gravest, episode.told, 0.0, figures, "faded")
