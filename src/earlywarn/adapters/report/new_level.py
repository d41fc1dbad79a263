"""How far the last week of a whole panel lies from before the new levels that last in it, for its first sentence.

A new level is what is expected from then on, so "as expected" alone would hide it from whoever reads no further.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from earlywarn.adapters.report.following import Level
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.alerting.words import Names, subject
from earlywarn.domain.alert import Alert

_AMOUNT = 1
_SEEN = 0.01
"""From what change of the whole panel on (of the logarithm) a level is told of it: one that would round to nothing is
told of its own series alone."""
_CARRIES = 0.1
"""What share of the change a level must carry for the whole to be dated from its first day."""

_NAMED = 2


@dataclass(frozen=True, slots=True)
class NewLevel:
    """The last week's spending of a panel against that from before its new levels (a share), the first of `since`.

    `carried_by` are the alerts that brought these about, the one that began first in front.
    """

    share: float
    since: date
    carried_by: tuple[Alert, ...]


def new_level(history: PanelHistory, standing: Iterable[Alert], levels: Sequence[Level]) -> NewLevel | None:
    """Return where the panel is against before its new levels; None if they change nothing of the whole.

    Levels of sectors and regions count like those of the panel: several may be a national shock together. Parts of an
    alert count with it.

    Args:
        history: of the panel.
        standing: its open alerts, against whose levels from before the week is held anyway.
        levels: the new levels that last.
    """
    around = list(standing)
    levels = [level for level in levels if level.alert.parent is None] or levels
    share, as_is = (
        history.against_before((None, None), _AMOUNT, alerts)
        for alerts in ([*around, *(level.root for level in levels)], around)
    )
    if share is None or as_is is None or abs(change := _step(share, as_is)) < _SEEN:
        return None
    roots = {level.root.id: level.root for level in levels}.values()
    carrying = [
        root
        for root in roots
        if (alone := history.against_before((None, None), _AMOUNT, [*around, root])) is not None
        and abs(_step(alone, as_is)) >= _CARRIES * abs(change)
    ]
    carried_by = sorted(carrying or roots, key=lambda root: root.opened_on)
    return NewLevel(share, date.fromisoformat(carried_by[0].opened_on), tuple(carried_by))


def carried_by(alerts: Sequence[Alert], names: Names) -> str:
    """Return whose levels last, as the end of a clause; that of the whole panel needs no name."""
    whose: dict[str, list[str]] = {}
    for alert in alerts:
        if alert.region is not None and alert.sector is not None:
            whose.setdefault(names.sector(alert.sector), []).append(names.region(alert.region))
        elif alert.region is not None or alert.sector is not None:
            whose.setdefault(subject(alert, names), [])
    if not whose:
        return ""
    told = [f"{what} in {_listed(regions)}" if regions else what for what, regions in whose.items()]
    directions = {alert.direction for alert in alerts}
    word = {"down": "fall", "up": "rise"}[directions.pop()] if len(directions) == 1 else "change"
    return f", with the lasting {word}{'s' if len(alerts) > 1 else ''} in {_listed(told, last='; ', between='; ')}"


def _listed(names: Sequence[str], between: str = ", ", last: str = " and ") -> str:
    """Return some names, and how many more there are.

    >>> _listed(["Wien", "Tirol"]), _listed(["Wien", "Tirol", "Salzburg", "Burgenland"])
    ('Wien and Tirol', 'Wien, Tirol and 2 more')
    """
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return last.join(filter(None, [between.join(names[:-1]), names[-1]]))


def _step(share: float, other: float) -> float:
    return float(np.log1p(share) - np.log1p(other))
