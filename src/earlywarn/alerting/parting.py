"""Which regions and sectors part ways with an open total around them: another shock, days after that of the total.

All that lies inside an open total is its child, whenever it alarmed: shocks reach their parts on different days. But a
region that collapses a week into a national fall has a shock of its own, and is to be told as one. It has if, from a
first day of its own on that is clearly later than the total's, it has surely gone on to move further than the total
has. (The evidence is not asked: it begins anew when the total's level is taken as usual, about when the other shock may
begin.) What the total's shock had not reached before must move further than other regions (or sectors) in it surely
have: one that reaches them one by one is one. Cells are not asked: in a large shock they deepen by the dozen.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import interval_reach, is_nearer
from earlywarn.alerting.weighing import SAME_ONSET_DAYS, Candidate, Weighing
from earlywarn.detection.day_scores import MEASURES, Effects
from earlywarn.detection.effect_bank import by_measure, log_effect
from earlywarn.domain.series import contains

_LEVELS = ("region", "sector")


def parting(episodes: Mapping[int, Episode], weighing: Weighing) -> Iterator[Candidate]:
    """Yield the regions and sectors without an episode that part ways with an open total around them.

    Their cells may all be parts of the total, none of which stands out from the others: the total's alarm is theirs.

    Args:
        episodes: the open ones of the direction, by node.
        weighing: the day's.
    """
    scores = weighing.scores
    own = _own(episodes)
    wholes = [(at, each) for at, each in sorted(episodes.items()) if each.level != "cell" and not each.days_back]
    for at, node in enumerate(scores.nodes if wholes else ()):
        if at in episodes or node.level not in _LEVELS or not (scores.ready[at] and scores.heard[at]):
            continue
        for other, whole in wholes:
            around = contains((whole.region, whole.sector), (node.region, node.sector))
            if around and _has_parted(at, other, whole, weighing, own):
                age = int(weighing.side.onset_age_days[at])
                candidate = weighing.at(at, whole.score, age, [whole.measure])
                if candidate is not None:
                    yield candidate
                    break


def part_ways(episodes: Mapping[int, Episode], weighing: Weighing) -> None:
    """Make the open episodes their own that have parted ways with a total around them; both have news.

    Args:
        episodes: the open ones of a direction, by node.
        weighing: the day's.
    """
    own = _own(episodes)  # once: the order of episodes decides nothing
    for at, episode in sorted(episodes.items()):
        if episode.level in _LEVELS and not episode.is_own:
            for other, whole in sorted(episodes.items()):
                is_open = not whole.days_back  # what goes on inside one that is back is told when that ends
                if is_open and whole.contains(episode) and _has_parted(at, other, whole, weighing, own):
                    episode.is_own, episode.parent, episode.has_news = True, None, True
                    if episode.id in whole.children:
                        whole.children.remove(episode.id)
                        whole.has_news = True
                    break


def _own(episodes: Mapping[int, Episode]) -> set[int]:
    return {at for at, episode in episodes.items() if episode.is_own}


def _has_parted(at: int, other: int, whole: Episode, weighing: Weighing, own: AbstractSet[int]) -> bool:
    """Return whether a node has surely gone on to move further than the total `other`, from a clearly later day on.

    Where the total's shock had not come before, it must be further than others in that which have no shock of their
    `own` have moved.
    """
    effects, sign = weighing.scores.effects, -1.0 if weighing.direction == "down" else 1.0
    later = int(weighing.side.onset_age_days[at])
    first = min(weighing.scores.day.toordinal() - whole.first_day, len(effects.days) - 1)
    if first - later <= SAME_ONSET_DAYS:
        return False
    place = MEASURES.index(whole.measure)
    (before, since), (whole_before, whole_since) = (
        _before_and_since(node, first, later, effects, place) for node in (at, other)
    )
    went = sign * (since - before)
    further = min(went, went - sign * (whole_since - whole_before))  # and not because the total has come back
    if not (is_nearer(before, whole_before) and sign * before >= weighing.parameters.parting_log_change / 2):
        moved = max(_moved(at, whole, first, later, place, weighing, own), default=0.0)
        further = min(further, sign * float(effects.effect[place, at, later]) - moved)
    sd = float(np.hypot(effects.sd[place, at, first], effects.sd[place, at, later]))
    reach = interval_reach(weighing.parameters.spillover_confidence)
    return further >= max(weighing.parameters.parting_log_change, reach * sd)


def _moved(
    at: int, whole: Episode, first: int, later: int, place: int, weighing: Weighing, own: AbstractSet[int]
) -> Iterator[float]:
    """Yield how far the others like a node in a total have surely moved that had before its day `later` (ages).

    In log units, in the direction of the alarms. What moves on its own day says nothing of a shock that comes to it.
    """
    scores, sign = weighing.scores, -1.0 if weighing.direction == "down" else 1.0
    reach = interval_reach(weighing.parameters.spillover_confidence)
    for node, other in enumerate(scores.nodes):
        is_like_it = other.level == scores.nodes[at].level and contains((whole.region, whole.sector), other.key)
        if node == at or node in own or not (is_like_it and scores.ready[node] and scores.heard[node]):
            continue
        for age in range(later + 1, first + 1):
            before, _ = _before_and_since(node, age, later, scores.effects, place)
            effect, sd = (float(each[place, node, age]) for each in (scores.effects.effect, scores.effects.sd))
            if is_nearer(before, effect):
                yield sign * effect - reach * sd


def went_on(node: int, first: int, later: int, effects: Effects, place: int) -> float:
    """Return the log effect since a later first day less that of the days before it; 0 where nothing came on these."""
    before, since = _before_and_since(node, first, later, effects, place)
    return since - before


def _before_and_since(node: int, first: int, later: int, effects: Effects, place: int) -> tuple[float, float]:
    """Return the log effects of the days before a later first day, and since; 0 where nothing came before it.

    Both are against the baseline before the first day, by its age. Of the days since the later one it is what that
    day's baseline expected, times what the two baselines expect of today by each other.
    """
    seen, usual = effects.observed[:, node], effects.expected[:, node]
    with np.errstate(divide="ignore", invalid="ignore"):
        since = usual[:, later] * by_measure(effects.today[:, node, first] / effects.today[:, node, later])
    before = usual[:, first] - since
    came = seen[:, first] - seen[:, later]
    asked = [0, 1, place]
    if not (np.isfinite(since).all() and (before[asked] > 0).all() and (came > 0).all()):
        return 0.0, 0.0
    return float(log_effect(came, before)[place]), float(log_effect(seen[:, later], since)[place])
