"""What alerts stand around a series on the last day, and why it has none: from the alerts and the scores themselves."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import log1p

from earlywarn.adapters.report.collector import AlertRecord
from earlywarn.adapters.report.history import Key
from earlywarn.adapters.report.levels import Level, Returns, change_pct
from earlywarn.adapters.report.wording import short_day
from earlywarn.alerting.estimate import is_nearer
from earlywarn.alerting.narrative import claim
from earlywarn.alerting.silence import Silence
from earlywarn.alerting.words import Names, subject
from earlywarn.application.settings import Settings
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert
from earlywarn.domain.series import Measure, holds

_ENDED_DAYS = 28
"""For so long the end of an alert is told beside its series: what is expected is still new by then."""


class Standing:
    """The economic alerts of a panel as of its last judged day.

    Args:
        records: its alerts.
        scores: of the last judged day; None if there was none.
        settings: of the run.
        names: what codes are called.
        lasting: the new levels that last.
        returns: which of them lead back from one.
    """

    def __init__(
        self,
        records: Sequence[AlertRecord],
        scores: DayScores | None,
        settings: Settings,
        names: Names,
        lasting: Sequence[Level],
        returns: Returns,
    ) -> None:
        self._names = names
        self._returns = returns
        self._silence = None if scores is None else Silence(scores, settings.alerts, settings.detection.onset)
        economic = [record for record in records if record.latest.kind == "economic"]
        self._open = [record.latest for record in economic if record.is_open]
        since = date.min if scores is None else scores.day - timedelta(days=_ENDED_DAYS)
        self._ended = [
            record.latest
            for record in economic
            if not record.is_open and date.fromisoformat(record.latest.as_of) >= since
        ]
        self._new = [level for level in lasting if date.fromisoformat(level.alert.as_of) >= since]

    def measures(self, key: Key) -> tuple[Measure, ...]:
        """Return the measures of the open alerts of this very series."""
        return tuple(dict.fromkeys(each.measure for each in self._open if (each.region, each.sector) == key))

    def moves_along(self, key: Key, share: float) -> bool:
        """Return whether a series that deviates by `share` moves along with an open alert of a total around it."""
        return any(_is_alike(alert, share) for alert in self._around(key))

    def has_within(self, key: Key) -> bool:
        """Return whether an alert is open of a part of a series that has none itself."""
        within = (holds(key, (alert.region, alert.sector)) for alert in self._open)
        return any(within) and not self.measures(key)

    def is_told(self, key: Key, share: float) -> bool:
        """Return whether open alerts tell of such a deviation: of the series, around it, or within it as it moves."""
        within = (alert for alert in self._open if holds(key, (alert.region, alert.sector)))
        own = any((alert.direction == "up") == (share > 0) for alert in within)
        return own or self.moves_along(key, share)

    def _around(self, key: Key) -> list[Alert]:
        found = [alert for alert in self._open if holds((alert.region, alert.sector), key)]
        return [alert for alert in found if (alert.region, alert.sector) != key]

    def alert(self, key: Key, share: float) -> str:
        """Return the open alerts of a series that deviates by `share`, around it or within it, in words; else empty."""
        own = [alert for alert in self._open if (alert.region, alert.sector) == key]
        within = [alert for alert in self._open if alert not in own and holds(key, (alert.region, alert.sector))]
        told = [f"alert: {self._returns.claim(alert, self._names)}" for alert in own]
        told += [
            f"{'part of' if _is_alike(alert, share) else 'within'} the alert of {self._about(alert)}"
            for alert in self._around(key)
        ]
        told += [f"alert within it, of {self._about(alert)}" for alert in within]
        return "; ".join(told)

    def level(self, key: Key) -> Alert | None:
        """Return the newest alert of this very series whose level lasts and was taken as usual of late."""
        own = [level.alert for level in self._new if (level.alert.region, level.alert.sector) == key]
        return max(own, key=lambda alert: alert.as_of) if own else None

    def levels(self, key: Key) -> str:
        """Return the new levels of late that last, of a series or around it, in words; empty if there are none."""
        told = []
        for level in self._new:
            alert = level.alert
            if holds((alert.region, alert.sector), key):
                own = (alert.region, alert.sector) == key
                whose = "" if own else f" of {subject(alert, self._names)}"
                told.append(f"new level{whose}: {level.told}")
        return "; ".join(told)

    def no_alert(self, key: Key, measure: Measure, change: float, payments: float | None) -> str:
        """Return why a series that deviates by `change` (a share) has no alert; empty if nothing is known of it.

        `payments` is by what their number deviates; None if there is no percentage of it.
        """
        ended = [alert for alert in self._ended if holds((alert.region, alert.sector), key)]
        if ended:
            last = max(ended, key=lambda alert: alert.as_of)
            when = short_day(date.fromisoformat(last.as_of))
            how = {"accepted": "was taken for the new level", "faded": "could no longer be told from chance"}
            return f"no alert: that of {self._about(last)} {how.get(last.outcome or '', 'ended')} on {when}"
        reason = "" if self._silence is None else self._silence.reason(*key, measure, change, payments)
        return f"no alert: {reason}" if reason else ""

    def _about(self, alert: Alert) -> str:
        is_open = alert in self._open
        told = self._returns.claim(alert, self._names) if is_open else claim(alert)
        return f"{subject(alert, self._names)} ({told})"


def _is_alike(alert: Alert, share: float) -> bool:
    """Return whether a deviation is nearer to an alert's effect than to nothing, on its side."""
    own, effect = (log1p(max(each, -0.999)) for each in (share, change_pct(alert) / 100))
    return effect != 0 and is_nearer(own, effect)
