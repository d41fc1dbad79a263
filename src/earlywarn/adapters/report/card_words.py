"""What a card says in sentences: an alert's own text below its heading, and where it stands by the last day heard."""

from earlywarn.adapters.report.following import Now
from earlywarn.adapters.report.wording import against_expected, short_day, signed
from earlywarn.alerting.words import LEAST_PAYMENTS, MEASURE_WORDS, TOO_LITTLE, day, quantity
from earlywarn.domain.alert import Alert


def sentence(alert: Alert, title: str) -> str:
    """Return the alert's text without the subject that its heading already gives."""
    text = alert.text.removeprefix(f"{title}: ")
    return text[:1].upper() + text[1:]


def since_then(alert: Alert, now: Now, currency: str) -> str:
    """Tell an open alert as of the last day heard."""
    today, when, what = now.reading, short_day(now.day), MEASURE_WORDS[alert.measure]
    if today.observed is None or today.expected is None or today.change_pct is None:
        return ""
    observed, expected = (quantity(value, alert.measure, currency) for value in (today.observed, today.expected))
    figures = f"on {when} itself {observed} against {expected} expected"
    if alert.measure == "transactions" and today.expected < LEAST_PAYMENTS:
        return f"Since then, to {when}: {what} with {TOO_LITTLE}; {figures}."
    if now.back_on is not None:
        back = f"{what} is back at what was expected from {short_day(now.back_on)} on"
        return f"Since then, to {when}: {back}; {figures} ({signed(today.change_pct / 100)})."
    all_days = f"{against_expected(now.since_pct / 100)} over all days since {day(now.level_on.isoformat())}"
    return f"Since then, to {when}: {what} {all_days}; {figures} ({signed(today.change_pct / 100)})."
