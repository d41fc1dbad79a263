"""Why a node has no alert, in words, from the very scores that decide on alarms (`weighing`)."""

import math
from collections.abc import Mapping
from datetime import date

from earlywarn.alerting.estimate import Estimate
from earlywarn.alerting.narrative import MEASURE_WORDS
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.weighing import Weighing
from earlywarn.detection.day_scores import MEASURES, DayScores
from earlywarn.detection.onset_bank import OnsetParameters
from earlywarn.domain.alert import Direction

_THIN = "\u202f"
_WORDS: Mapping[Direction, str] = {"down": "fall", "up": "rise"}


class Silence:
    """Reasons of one day.

    Args:
        scores: the day's.
        parameters: of the desk.
        onset: of the evidence, which says what steps are looked for.
    """

    def __init__(self, scores: DayScores, parameters: AlertParameters, onset: OnsetParameters) -> None:
        self._scores, self._parameters, self._onset = scores, parameters, onset
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
        scores = self._scores
        if not scores.usable or not scores.heard[at]:
            return "too little of the last day was heard to judge it"
        if not scores.ready[at]:
            return f"its models have learned only {int(scores.usable_days[at])} days"
        return self._short_of_an_alarm(at, direction)

    def _short_of_an_alarm(self, at: int, direction: Direction) -> str:
        weighing, word = self._weighed[direction], _WORDS[direction]
        evidence, certainty = float(weighing.evidence[at]), float(weighing.certainty(weighing.distance[at]))
        if min(evidence, certainty) > 1:
            return f"graver alerts explain the {word}, or it is the end of one of the other direction"
        side = weighing.side
        estimate = Estimate(float(side.effect[at]), float(side.effect_sd[at]), 100 * math.expm1(side.effect[at]))
        since = date.fromordinal(self._scores.day.toordinal() - int(side.onset_age_days[at]))
        when = f"since {since.day} {since:%b %Y}"
        if evidence > certainty:
            low, high = estimate.interval_pct(self._parameters.effect_interval)
            between = f"between {low:+.0f}{_THIN}% and {high:+.0f}{_THIN}%".replace("-", "\u2212")
            return f"its change {when}, {between}, is not told apart from chance"
        share, smallest = math.floor(100 * evidence), self._smallest_pct(at, direction)
        given = f"given its past and its neighbours, is {share}{_THIN}% of an alarm's"
        toward = estimate.change_pct * (-1 if direction == "down" else 1)
        if not 0 < toward < smallest:
            return f"the evidence of a lasting {word} of {smallest:.0f}{_THIN}% or more, {given}"
        found = f"{MEASURE_WORDS[MEASURES[int(side.measure[at])]]} {direction} {toward:.0f}{_THIN}% {when}"
        return f"{found}; alerts look for {smallest:.0f}{_THIN}% or more, of which the evidence, {given}"

    def _smallest_pct(self, at: int, direction: Direction) -> float:
        """Return the least size of a step of interest in what tells the effect, in per cent."""
        onset = self._onset
        least = onset.effect_min_down if direction == "down" else onset.effect_min_up
        if MEASURES[int(self._weighed[direction].side.measure[at])] == "mean_ticket":
            least = max(least, onset.effect_min_ticket)
        return 100 * abs(math.expm1(-least if direction == "down" else least))
