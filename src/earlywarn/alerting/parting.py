"""Which regions and sectors part ways with an open total around them: another shock, days after that of the total.

All that lies inside an open total is its child, whenever it alarmed: shocks reach their parts on different days. But a
region that collapses a week into a national fall has a shock of its own, and is to be told as one. It has if, since a
first day of its own that is clearly later than the total's, it has surely moved further than the total has. Both are
measured against what the models expected before that later day, by when they have learned as much of the total's shock
in the one as in the other. (The evidence is not asked: it begins anew when the total's level is taken as usual, about
when the other shock may begin.) Cells are not asked: in a large shock they deepen by the dozen.
"""

from collections.abc import Mapping

from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import interval_reach
from earlywarn.alerting.weighing import SAME_ONSET_DAYS, Weighing
from earlywarn.detection.day_scores import MEASURES

_LEAST = 0.2
"""Log change beyond the total's that is another shock, and no part of it that is hit somewhat harder."""


def part_ways(episodes: Mapping[int, Episode], weighing: Weighing) -> None:
    """Make the open episodes their own that have parted ways with a total around them; both have news.

    Args:
        episodes: the open ones of a direction, by node.
        weighing: the day's.
    """
    for at, episode in episodes.items():
        if episode.level in {"region", "sector"} and not episode.is_own:
            for other, whole in episodes.items():
                if whole.contains(episode) and _has_parted(at, other, whole, weighing):
                    episode.is_own, episode.parent, episode.has_news = True, None, True
                    if episode.id in whole.children:
                        whole.children.remove(episode.id)
                        whole.has_news = True
                    break


def _has_parted(at: int, other: int, whole: Episode, weighing: Weighing) -> bool:
    """Return whether a node has surely moved further than the total `other` since a clearly later first day."""
    scores, age = weighing.scores, int(weighing.side.onset_age_days[at])
    if scores.day.toordinal() - age - whole.first_day <= SAME_ONSET_DAYS:
        return False
    place, sign = MEASURES.index(whole.measure), -1.0 if weighing.direction == "down" else 1.0
    beyond = sign * float(scores.effects.effect[place, at, age] - scores.effects.effect[place, other, age])
    reach = interval_reach(weighing.parameters.spillover_confidence)
    return beyond >= max(_LEAST, reach * float(scores.effects.sd[place, at, age]))
