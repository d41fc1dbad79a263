"""How sure and how grave: probability from evidence and effect, severity from probability, size and weight."""

import math

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.domain.alert import SEVERITIES, Severity


def probability(score: float, confidence: float, parameters: AlertParameters) -> float:
    """Return the probability of a true shock of the direction and size that is told.

    Evidence is a log-likelihood ratio, so odds grow by e for each unit of it beyond the threshold, where they are those
    of `probability_at_alarm`:  logit p = logit p_alarm + (score - 1) x alarm_evidence. It is never surer than the
    estimate itself: at most the probability of the widest interval around the effect that excludes zero. So whoever
    reads "95 %" finds zero outside of the 95 % interval. Rounded down to four digits; it never says certainty.

    Args:
        score: highest score of the episode (1 = at the alarm threshold).
        confidence: `Estimate.confidence` of the effect that is told.
        parameters: thresholds.

    >>> probability(1.0, 1.0, AlertParameters()), probability(1.5, 1.0, AlertParameters())
    (0.9, 0.9987)
    >>> probability(1.5, 0.96, AlertParameters())
    0.96
    """
    at_alarm = parameters.probability_at_alarm
    logit = math.log(at_alarm / (1 - at_alarm)) + (score - 1) * parameters.alarm_evidence
    likelihood = 1 / (1 + math.exp(-max(min(logit, 30.0), -30.0)))
    return math.floor(min(likelihood, confidence, 0.9999) * 10_000 + 1e-9) / 10_000


def severity(likelihood: float, change_pct: float, weight: float, parameters: AlertParameters) -> Severity | None:
    """Return the severest level of which all three are reached; None where not even the first one is.

    Args:
        likelihood: that it is true (0..1).
        change_pct: the effect (per cent).
        weight: what is usually spent in the series, by that in the mean series of its level.
        parameters: thresholds.

    >>> severity(0.999, -9.0, 1.0, AlertParameters()), severity(0.999, -50.0, 0.01, AlertParameters())
    ('high', 'medium')
    >>> severity(0.85, -9.0, 1.0, AlertParameters())
    """
    found = None
    for level, least, size, spending in zip(
        SEVERITIES,
        parameters.severity_probabilities,
        parameters.severity_change_pct,
        parameters.severity_spending_pct,
        strict=True,
    ):
        if likelihood >= least and abs(change_pct) >= size and abs(change_pct) * weight >= spending:
            found = level
    return found
