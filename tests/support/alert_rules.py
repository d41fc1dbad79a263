"""What must be true of every revision of every economic alert, whatever the data: figures, words and families agree."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.severity import severity
from earlywarn.alerting.words import times
from earlywarn.domain.alert import GOES_ON, SEVERITIES, Alert
from earlywarn.domain.series import Series, contains

PARAMETERS = AlertParameters()
_THIN = "\u202f"
_ROUNDING = 0.01


def figure(alert: Alert, name: str) -> float | None:
    """Return the figure of that name behind an alert."""
    return next((each.value for each in alert.evidence if each.name == name), None)


def broken_rules(alerts: Iterable[Alert]) -> list[str]:
    """Return what does not hold, one line for each revision and rule; nothing if all is well."""
    economic = [alert for alert in alerts if alert.kind == "economic"]
    found = [f"{alert.as_of} {alert.series_id} {alert.status}: {rule}" for alert in economic for rule in _alone(alert)]
    histories: dict[str, list[Alert]] = defaultdict(list)
    for alert in economic:
        histories[alert.id].append(alert)
    for history in histories.values():
        found += [f"{history[0].detected_on} {history[0].series_id}: {rule}" for rule in _history(history)]
    return [*found, *_successions(histories.values()), *_families(economic, histories), *_neighbours(economic)]


def _alone(alert: Alert) -> Iterable[str]:
    effect, low, high = (figure(alert, name) for name in ("effect", "effect_lower", "effect_upper"))
    assert effect is not None
    assert low is not None
    assert high is not None
    sign = -1 if alert.direction == "down" else 1
    excludes_zero = low > 0 if sign > 0 else high < 0
    if not low <= effect <= high:
        yield f"effect {effect} outside of its interval {low} to {high}"
    if effect * sign <= 0:
        yield f"effect {effect} is not {alert.direction}"
    if alert.probability >= 0.95 and not excludes_zero:
        yield f"probability {alert.probability}, but the interval {low} to {high} includes zero"
    if alert.status == "open" and alert.severity != "medium" and not excludes_zero:
        yield f"opens {alert.severity} on an interval {low} to {high}"
    if alert.status == "open" and not (alert.score > 1 and alert.probability >= PARAMETERS.severity_probabilities[0]):
        yield f"opens with score {alert.score} and probability {alert.probability}"
    weight = figure(alert, "spending_by_mean")
    if alert.status != "resolved" and alert.severity != severity(alert.probability, effect, weight or 0.0, PARAMETERS):
        yield f"is {alert.severity} with probability {alert.probability}, effect {effect} and weight {weight}"
    yield from _day(alert, sign)
    yield from _words(alert, effect)
    unheard = figure(alert, "days_unheard")
    if unheard is not None:  # nobody knows how it ended
        if alert.outcome != "faded" or alert.observed is not None or f"for {unheard:.0f} days" not in alert.text:
            yield f"is unheard for {unheard} days, ends as {alert.outcome} at {alert.observed}: {alert.text}"
    elif alert.status == "resolved":
        goes_on = any(each.name == GOES_ON for each in alert.evidence)
        yield from _end_elsewhere(alert) if goes_on else _end(alert, sign)


def _day(alert: Alert, sign: int) -> Iterable[str]:
    if alert.observed == 0 and alert.change_pct not in (-100.0, None):
        yield f"nothing was seen, but the day reads {alert.change_pct} %"
    if alert.change_pct is None or alert.observed is None or not alert.expected:
        return
    if abs(alert.change_pct - 100 * (alert.observed / alert.expected - 1)) > 0.06:
        yield f"change {alert.change_pct} is not {alert.observed} against {alert.expected}"
    if alert.lower is None or alert.upper is None or not alert.lower <= alert.expected <= alert.upper:
        yield f"expected {alert.expected} outside of its range {alert.lower} to {alert.upper}"
    against = alert.change_pct * sign < 0 and alert.status != "resolved"
    if against != (" itself was " in alert.text):
        yield f"the day's {alert.change_pct} % of a {alert.direction} is not told as what it is"


def _words(alert: Alert, effect: float) -> Iterable[str]:
    plain = re.sub(r"(?<=\d)\u202f(?=\d)", "", alert.text).replace(_THIN, " ")
    if re.search(r"[-\u2212+]0 %|[-\u2212]0\.0 %", plain):
        yield f"writes a signed zero: {plain}"
    if any(str(each.value) == "-0.0" for each in alert.evidence) or str(alert.change_pct) == "-0.0":
        yield "holds a negative zero"
    said = [abs(effect)] if alert.status != "resolved" else [abs(effect), abs(figure(alert, "last_days_effect") or 0.0)]
    for value in said:
        if times(value) and times(value) in plain:
            continue
        if f"{value:.0f} %" not in plain and f"{value:.1f} %" not in plain:
            yield f"does not say {value} %: {plain}"


def _end(alert: Alert, sign: int) -> Iterable[str]:
    low, high = figure(alert, "last_days_effect_lower"), figure(alert, "last_days_effect_upper")
    assert low is not None
    assert high is not None
    gone = high >= 0 if sign < 0 else low <= 0
    values = (alert.observed, alert.lower, alert.upper)
    if None not in values:
        observed, lower, upper = values
        beyond = observed < lower if sign < 0 else observed > upper  # type: ignore[operator]  # none is None
        if alert.outcome in {"recovered", "faded"} and beyond:
            yield f"has {alert.outcome} at {observed}, outside of {lower} to {upper}"
    if alert.outcome in {"recovered", "faded"} and not gone:
        yield f"has {alert.outcome} with an effect of {low} to {high} in the last days"
    if alert.outcome == "accepted" and (gone or figure(alert, "new_baseline") is None):
        yield f"is accepted with an effect of {low} to {high} in the last days"
    if alert.outcome == "accepted" and (alert.change_pct or 0.0) * sign <= 0:
        yield f"is accepted on a day of {alert.change_pct} %"
    published, last = (figure(alert, name) or 0.0 for name in ("effect", "last_days_effect"))
    left = math.log1p(max(last, -99.9) / 100) / math.log1p(max(published, -99.9) / 100)
    is_sure = abs(left - 0.5) > _ROUNDING  # figures are told to a tenth of a per cent
    if is_sure and alert.outcome in {"recovered", "faded"} and (left < 0.5) != (alert.outcome == "recovered"):
        yield f"has {alert.outcome} at {last} % after {published} %"
    day = math.log1p(max(alert.change_pct or 0.0, -99.9) / 100) / math.log1p(max(published, -99.9) / 100)
    if alert.outcome == "recovered" and day > 0.51:
        yield f"has recovered on a day of {alert.change_pct} % after {published} %"
    within = low <= 0 <= high
    if alert.outcome in {"recovered", "faded"} and within != (
        f", between {_signed(low)} and {_signed(high)}" in alert.text
    ):
        yield f"does not say that its last days lie between {low} and {high} %: {alert.text}"
    words = {"recovered": " is over.", "faded": " can no longer be told from chance.", "accepted": " the new level."}
    if [outcome for outcome, said in words.items() if said in alert.text] != [alert.outcome]:
        yield f"ends as {alert.outcome} and says: {alert.text}"


def _end_elsewhere(alert: Alert) -> Iterable[str]:
    if alert.level == "cell" or alert.outcome != "recovered" or " is over, but goes on in " not in alert.text:
        yield f"ends as {alert.outcome} and says: {alert.text}"
    for part in (each for each in alert.evidence if each.name == GOES_ON):
        if part.value * (-1 if alert.direction == "down" else 1) <= 0:
            yield f"goes on in {part.series_id} at {part.value} %"
        if part.series_id is None or not contains((alert.region, alert.sector), Series.of(part.series_id)[1:]):
            yield f"goes on in {part.series_id}, which is no part of {alert.series_id}"


def _history(history: Sequence[Alert]) -> Iterable[str]:
    if history[0].status != "open" or any(alert.status == "open" for alert in history[1:]):
        yield "does not open once"
    if [alert.revision for alert in history] != list(range(1, len(history) + 1)):
        yield "revisions are not numbered"
    if len({(alert.opened_on, alert.measure, alert.direction) for alert in history}) > 1:
        yield "first day, measure or direction differ between revisions"
    if len({days for alert in history if (days := figure(alert, "days_on_record")) is not None}) > 1:
        yield "the days on record before its first one differ between revisions"
    last = history[-1]
    if last.status == "resolved":
        names = ("effect", "effect_lower", "effect_upper", "days_of_evidence")
        if [figure(last, name) for name in names] != [figure(history[-2], name) for name in names]:
            yield f"ends with an effect of {figure(last, 'effect')}, published last was {figure(history[-2], 'effect')}"
        gravest = max((alert.severity for alert in history[:-1]), key=SEVERITIES.index)
        if last.severity != gravest:
            yield f"ends {last.severity}, was {gravest}"
        largest = max((figure(alert, "effect") or 0.0 for alert in history), key=abs)
        if figure(last, "largest_effect") != largest:
            yield f"ends with a largest effect of {figure(last, 'largest_effect')}, published was {largest}"


def _signed(value: float) -> str:
    digits = 0 if round(abs(value)) or not value else 1
    sign = "\u2212" if round(value, 1) < 0 else "+" if round(value, 1) > 0 else ""
    return f"{sign}{abs(value):,.{digits}f}{_THIN}%".replace(",", _THIN)


def _successions(histories: Iterable[Sequence[Alert]]) -> Iterable[str]:
    """Hold each episode against the one before it of the same series and direction: it begins after that one's end."""
    ended: dict[tuple[str, str], Alert] = {}
    for history in histories:  # in order of their opening
        key = (history[0].series_id, history[0].direction)
        before = ended.get(key)
        if before is not None and history[0].opened_on <= before.as_of:
            opened = history[0].opened_on
            yield f"{history[0].detected_on} {key[0]}: began on {opened}, the last ended on {before.as_of}"
        if history[-1].status == "resolved":
            ended[key] = history[-1]


def _families(alerts: Sequence[Alert], histories: dict[str, list[Alert]]) -> Iterable[str]:
    for alert in alerts:
        if alert.parent is not None:
            parent = histories[alert.parent][0]
            if not _contains(parent, alert) or parent.direction != alert.direction:
                yield f"{alert.as_of} {alert.series_id}: parent {parent.series_id} does not contain it"
            ends = [each.as_of for each in histories[alert.parent] if each.status == "resolved"]
            if alert.outcome == "accepted" and alert.as_of < min(ends, default="9999"):
                yield f"{alert.as_of} {alert.series_id}: a new level within {parent.series_id}, which is open"
            if not any(alert.id in each.children for each in histories[alert.parent]):
                yield f"{alert.as_of} {alert.series_id}: parent {parent.series_id} does not name it"
    # From the day on which a total opens, nothing inside it that is open has no parent, but regions and sectors that
    # part ways with it: they had a parent, or open later.
    had = {alert.id for alert in alerts if alert.parent is not None}
    for history in histories.values():
        total = history[0]
        until = history[-1].as_of if history[-1].status == "resolved" else "9999"
        for alert in alerts:
            inside = _contains(total, alert) and alert.direction == total.direction
            may_part = alert.level in {"region", "sector"}
            is_own = may_part and (alert.id in had or histories[alert.id][0].as_of > total.as_of)
            if inside and total.as_of <= alert.as_of < until and alert.parent is None and not is_own:
                yield f"{alert.as_of} {alert.series_id} {alert.status}: has no parent, {total.series_id} is open"


def _contains(outer: Alert, inner: Alert) -> bool:
    inside = outer.region in (None, inner.region) and outer.sector in (None, inner.sector)
    return inside and (outer.region, outer.sector) != (inner.region, inner.sector)


def _neighbours(alerts: Sequence[Alert]) -> Iterable[str]:
    """Hold what a cell's alert says of its neighbours against the total's of the same day, first day and baseline."""
    names = {"region": "other_sectors_here", "sector": "same_sector_elsewhere"}
    by_day: dict[tuple[str, str, float | None, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        usual_days = figure(alert, "days_since_usual")
        by_day[alert.as_of, alert.opened_on, usual_days, alert.measure].append(alert)
    for beside in by_day.values():
        for total in beside:
            for cell in beside:
                value = figure(cell, names.get(total.level, ""))
                if value is None or cell.level != "cell" or total.measure == "mean_ticket":
                    continue
                if not _contains(total, cell):
                    continue
                observed = (total.observed or 0.0) - (cell.observed or 0.0)
                expected = (total.expected or 0.0) - (cell.expected or 0.0)
                published = 0.02 / abs(expected)  # what is expected is published to a hundredth, of both
                if abs(value - 100 * (observed / expected - 1)) > 0.06 + 100 * observed / expected * published:
                    yield f"{cell.as_of} {cell.series_id}: neighbours {value} %, but {observed} against {expected}"
