"""In words: what came and could not be read, where, and what that holds back."""

from earlywarn.alerting.coverage_narrative import held_back_in_part, is_all, places_of, told_places
from earlywarn.alerting.words import THIN, Names, day, days_of, figure, size_pct
from earlywarn.domain.alert import NO_SECTOR_KNOWN, UNREAD, Alert


def narrate_unread(alert: Alert, names: Names) -> str:
    """Say how much of what was expected came in records that could not be read, and how it ended."""
    panel, days = figure(alert, UNREAD) or 0.0, round(figure(alert, "days_unread") or 1)
    less = size_pct(panel) if round(panel, 1) else f"less than 0.1{THIN}%"
    where = told_places(places_of(alert, UNREAD), names)
    share = "all" if is_all(panel) else less
    of_places = f": {where}" if where and not is_all(panel) else ""
    last = alert.resolved_on if alert.status == "resolved" else alert.as_of
    if days == 1:
        what = f"{share} of the expected volume of {day(last)} came in records that could not be read{of_places}"
    else:
        until = "to" if alert.status == "resolved" else "and still on"
        what = (
            f"records could not be read from {day(alert.opened_on)} {until} {day(last)} (on {days_of(days)}), on the "
            f"last of them {share} of the expected volume{of_places}"
        )
    text = f"{names.panel(alert.panel)}: {what}."
    if alert.status == "resolved":
        return f"{text} After {day(last)} no more than usual could not be read."
    came = "It came, and is no fall of spending"
    if figure(alert, NO_SECTOR_KNOWN):
        came = (
            "Some of it came without a sector that is known, as much as is lacking here: that is no fall of spending, "
            "unless this fell on the day on which another sector was new"
        )
    if figure(alert, "alerts_held_back"):
        return f"{text} {came}; economic alerts are held back meanwhile."
    return f"{text} {came}; {held_back_in_part('read')}"
