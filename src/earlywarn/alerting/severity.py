"""How sure and how grave: probability from the evidence, severity from probability and size."""

import math

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.domain.alert import SEVERITIES, Severity


def probability(score: float, parameters: AlertParameters) -> float:
    """Return the probability of a true shock for a score (1 = at the alarm threshold).

    Evidence is a log-likelihood ratio, so odds grow by e for each unit of it beyond the threshold,
    where they are those of `probability_at_alarm`:  logit p = logit p_alarm + (score - 1) x alarm_evidence.
    The figure is rounded to four digits and never says certainty.

    >>> probability(1.0, AlertParameters()), probability(1.5, AlertParameters())
    (0.9, 0.9988)
    """
    at_alarm = parameters.probability_at_alarm
    logit = math.log(at_alarm / (1 - at_alarm)) + (score - 1) * parameters.alarm_evidence
    return round(min(1 / (1 + math.exp(-max(min(logit, 30.0), -30.0))), 0.9999), 4)


def severity(likelihood: float, change_pct: float, parameters: AlertParameters) -> Severity:
    """Return the severest level whose probability and size are both reached; at least medium.

    >>> severity(0.999, -9.0, AlertParameters())
    'high'
    """
    grade = 0
    for level, (least, size) in enumerate(
        zip(parameters.severity_probabilities, parameters.severity_change_pct, strict=True)
    ):
        if likelihood >= least and abs(change_pct) >= size:
            grade = level
    return SEVERITIES[grade]
