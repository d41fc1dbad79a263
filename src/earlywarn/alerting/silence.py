"""Why a node has no alert, in words, from the very scores that decide on alarms (`weighing`)."""

import math
from collections.abc import Mapping
from datetime import date

from earlywarn.alerting.estimate import Estimate
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.weighing import Weighing
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Direction

_THIN = "\u202f"
_WORDS: Mapping[Direction, str] = {"down": "fall", "up": "rise"}


class Silence:
    """Reasons of one day.

    Args:
        scores: the day's.
        parameters: of the desk.
    """

    def __init__(self, scores: DayScores, parameters: AlertParameters) -> None:
        self._scores, self._parameters = scores, parameters
        directions: tuple[Direction, ...] = ("down", "up")
        self._weighed = {direction: Weighing(scores, direction, parameters) for direction in directions}
        self._place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}

    def reason(self, region: str | None, sector: str | None, direction: Direction) -> str:
        """Return why there is no alert of a direction, as the end of a sentence; empty for a node that is not known.

        A series of the same cells as another one (the only region of a panel) is not known: its alert is the other's.
        """
        at = self._place.get((region, sector))
        if at is None:
            return ""
        scores, word = self._scores, _WORDS[direction]
        if not scores.usable or not scores.heard[at]:
            return "too little of the last day was heard to judge it"
        if not scores.ready[at]:
            return f"its models have learned only {int(scores.usable_days[at])} days"
        weighing = self._weighed[direction]
        evidence, certainty = float(weighing.evidence[at]), float(weighing.certainty(weighing.distance[at]))
        if min(evidence, certainty) > 1:
            return f"graver alerts explain the {word}, or it is the end of one of the other direction"
        if evidence <= certainty:
            share = math.floor(100 * evidence)
            return f"the evidence of a lasting {word}, given its past and its neighbours, is {share}{_THIN}% of an alarm's"
        low, high = self._estimate(at, direction).interval_pct(self._parameters.effect_interval)
        since = date.fromordinal(scores.day.toordinal() - int(weighing.side.onset_age_days[at]))
        between = f"between {low:+.0f}{_THIN}% and {high:+.0f}{_THIN}%".replace("-", "\u2212")
        return f"its change since {since.day} {since:%b %Y}, {between}, is not told apart from chance"

    def _estimate(self, at: int, direction: Direction) -> Estimate:
        side = self._weighed[direction].side
        effect, sd = float(side.effect[at]), float(side.effect_sd[at])
        return Estimate(effect, sd, 100 * math.expm1(effect))
