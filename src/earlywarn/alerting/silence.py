"""Why a node has no alert, in words, from the very scores that decide on alarms (`weighing`)."""

import math
from collections.abc import Mapping

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.weighing import Weighing
from earlywarn.alerting.words import percent
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.onset_bank import OnsetParameters
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

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

    def reason(
        self, region: str | None, sector: str | None, measure: Measure, change: float, payments: float | None = None
    ) -> str:
        """Return why there is no alert of a change, as the end of a sentence; empty for a node that is not known.

        A series of the same cells as another one (the only region of a panel) is not known: its alert is the other's.

        Args:
            region: of the node; None for all.
            sector: likewise.
            measure: what has changed.
            change: over the last week, as a share; its sign is the direction.
            payments: the same of their number, where `measure` is the amount; None if there is no percentage of it.
        """
        at = self._place.get((region, sector))
        if at is None:
            return ""
        scores = self._scores
        if scores.muted[at]:
            return "a known event mutes it"
        if not scores.usable or not scores.heard[at]:
            return "too little of the last day was heard to judge it"
        if not scores.ready[at]:
            days = int(scores.usable_days[at])
            return f"its models have learned only {days} {'day' if days == 1 else 'days'}"
        return self._short_of_an_alarm(at, change, payments if measure == "amount" else None)

    def _short_of_an_alarm(self, at: int, change: float, payments: float | None) -> str:
        direction: Direction = "down" if change < 0 else "up"
        weighing, word = self._weighed[direction], _WORDS[direction]
        evidence, certainty = float(weighing.evidence[at]), float(weighing.certainty(weighing.distance[at]))
        if min(evidence, certainty) > 1:
            return f"graver alerts explain the {word}, or it is the end of one of the other direction"
        if evidence > certainty:
            return f"a {word} that swings of this series explain as well: it is not told apart from chance"
        # No size of a step is named: models look for it against their own expectation, and readers see plain sums.
        share = math.floor(100 * evidence)
        given = "given its past and its neighbours"
        if share >= 1:
            return f"{given}, what speaks for a lasting {word} is {share}{_THIN}% of what an alert needs"
        parts = "" if payments is None else self._parts(direction, change, payments)
        return parts or f"{given}, nothing speaks for a lasting {word} that is large enough for an alert"

    def _parts(self, direction: Direction, change: float, payments: float) -> str:
        """Say that neither the number of payments nor the mean payment moved enough; empty if one of them did.

        The two are those of the sums that `change` is of, so that they come to it.
        """
        sign = -1 if direction == "down" else 1
        counts, ticket = 100 * payments, 100 * ((1 + change) / (1 + payments) - 1) if payments > -1 else 0.0
        least_pct, least_ticket_pct = (self._smallest_pct(direction, of_ticket=each) for each in (False, True))
        if not (sign * counts < least_pct and 0 < sign * ticket < least_ticket_pct):
            return ""
        return (
            f"neither the number of payments ({percent(counts)}) nor the mean payment ({percent(ticket)}) has moved "
            "enough for an alert, given its past and its neighbours"
        )

    def _smallest_pct(self, direction: Direction, *, of_ticket: bool = False) -> float:
        """Return the least size of a step of interest, in per cent."""
        onset = self._onset
        least = onset.effect_min_down if direction == "down" else onset.effect_min_up
        if of_ticket:
            least = max(least, onset.effect_min_single)
        return 100 * abs(math.expm1(-least if direction == "down" else least))
