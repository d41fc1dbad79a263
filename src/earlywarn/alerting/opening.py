"""The first day of an episode: what it is about, since when, against which baseline."""

from collections.abc import Iterable
from datetime import date

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode, alert_id
from earlywarn.alerting.estimate import since
from earlywarn.alerting.phases import Phase
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.domain.series import Series


def opened(
    candidate: Candidate,
    weighing: Weighing,
    others: Iterable[Episode],
    baselines: CellBaselines,
    *,
    run: str,
    panel: str,
    last: date | None,
) -> Episode:
    """Return a new episode; its first day is its family's, where its evidence allows that.

    Args:
        candidate: what alarms.
        weighing: the day's; takes the score of the aligned candidate.
        others: open episodes.
        baselines: of the day.
        run: of the alert's id.
        panel: likewise.
        last: last day of the node's last episode of the direction, which this one does not reach back to.
    """
    scores, at, direction = weighing.scores, candidate.node, weighing.direction
    node = scores.nodes[at]
    series_id = Series(panel, node.region, node.sector).series_id
    episode = Episode(
        id=alert_id(run, series_id, "economic", direction, scores.day.isoformat()),
        region=node.region,
        sector=node.sector,
        direction=direction,
        detected_on=scores.day,
        opened_on=scores.day,
        last_alarm_on=scores.day,
        last_revised_on=scores.day,
        children=[],
        heard_on=scores.day,
        measure=candidate.measure,
    )
    family = [each for each in others if each.contains(episode) or episode.contains(each)]
    family = sorted((each for each in family if each.direction == direction), key=lambda each: (-each.score, each.id))
    not_before = 0 if last is None else last.toordinal() + 1
    aligned = candidate
    if candidate.usual_until is None:
        first_days = [each.first_day for each in family if each.first_day >= not_before]
        aligned = weighing.aligned(weighing.over_holidays(candidate, not_before=not_before), first_days)
    first_day = scores.day.toordinal() - aligned.age_days
    baseline_day = candidate.usual_until or first_day
    step = baselines.apart(baseline_day, first_day, at)
    episode.opened_on, episode.usual_until = date.fromordinal(first_day), date.fromordinal(baseline_day)
    today = baselines.sums(episode.baseline_day, at)
    episode.phase = Phase(episode.opened_on, since(scores.effects, at, aligned.age_days, step), [today], [scores.day])
    weighing.ratio[at] = aligned.score
    return episode
