"""A change of models or configuration within a run: the control record, and what becomes of the open episodes.

Whoever folds under the new configuration folds the log from its start, and publishes nothing of what stands before the
control record. There it takes over: an open alert that the new models see as well is adopted, under its own id and
with its next revision; one that they do not see is superseded. All of it is in the log, so that every refold agrees.
"""

from collections.abc import Sequence

import msgspec

from earlywarn.domain.alert import LOST, UNREAD, Alert
from earlywarn.domain.state import State

_CLOSED = frozenset({"resolved", "superseded"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The control record of one partition q of the partials.

    number: changes of a run count from 1.
    fingerprint: of the configuration that holds from here on.
    published: offset of the partials up to which the one before has published.
    sequence: the last number of an alert that it published.
    open: its alerts that are neither resolved nor superseded, each in its last revision.
    revisions: the last revision of every alert that it has published.
    """

    number: int
    fingerprint: str
    published: int
    sequence: int
    open: tuple[Alert, ...]
    revisions: dict[str, int]


class Succession:
    """What the alerts of a fold are called in the run; before its change is reached they are held back.

    Args:
        number: of the change under which the fold's configuration holds; 0 from the run's beginning.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.in_force = number == 0
        self._open: dict[str, Alert] = {}
        self._names: dict[str, tuple[str, int]] = {}
        self._unheard: set[str] = set()

    def follow(self, alert: Alert) -> Alert | None:
        """Return an alert as it is published; None before the change."""
        if self.in_force:
            return self._named(alert)
        if alert.status in _CLOSED:
            self._open.pop(alert.id, None)
        else:
            self._open[alert.id] = alert
        return None

    def take_over(self, change: Change) -> list[Alert]:
        """Return what is published at the change: what is superseded, then what is adopted or new, parents first."""
        mine = {_subject(alert): alert for alert in self._open.values()}
        former = {_subject(alert): alert for alert in change.open}
        for subject, alert in mine.items():
            before = former.get(subject)
            name = alert.id if before is None else before.id
            self._names[alert.id] = (name, change.revisions.get(name, 0) + 1 - alert.revision)
        families = {each for alert in mine.values() for each in (*alert.children, alert.parent) if each is not None}
        self._unheard = families - self._names.keys() - change.revisions.keys()  # ended before they were published
        superseded = [
            msgspec.structs.replace(alert, revision=alert.revision + 1, status="superseded")
            for subject, alert in sorted(former.items())
            if subject not in mine
        ]
        opposed = {(alert.series_id, alert.kind): alert.id for alert in superseded}
        taken = []
        for subject, alert in sorted(mine.items()):
            adopted = subject in former
            taken.append(
                msgspec.structs.replace(
                    self._named(alert),
                    status="updated" if adopted else "open",
                    supersedes=None if adopted else opposed.get((alert.series_id, alert.kind)),
                )
            )
        self.in_force = True
        self._open.clear()
        return superseded + sorted(taken, key=lambda alert: alert.parent is not None)

    def _named(self, alert: Alert) -> Alert:
        if not self._names:
            return alert
        parent = None if alert.parent in self._unheard else alert.parent
        name, revisions = self._names.get(alert.id, (alert.id, 0))
        return msgspec.structs.replace(
            alert,
            id=name,
            revision=alert.revision + revisions,
            parent=None if parent is None else self._name(parent),
            children=tuple(self._name(child) for child in alert.children if child not in self._unheard),
        )

    def _name(self, own: str) -> str:
        return self._names.get(own, (own, 0))[0]

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values; only a fold in force has any that is kept."""
        return {
            "number": self.number,
            "names": [[own, *name] for own, name in self._names.items()],
            "unheard": sorted(self._unheard),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._names = {own: (name, revisions) for own, name, revisions in saved["names"]}
        self._unheard = set(saved["unheard"])
        self.in_force = True


def open_alerts(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """Return, of all revisions in their order, the last one of each alert that is still open, by id."""
    last = {alert.id: alert for alert in alerts}
    return tuple(alert for _, alert in sorted(last.items()) if alert.status not in _CLOSED)


def _subject(alert: Alert) -> tuple[str, str, str, str]:
    """Return what an alert is about; that a partition is lost is no break of coverage that ends.

    That records could not be read is none of a feed.
    """
    what = next((each.name for each in alert.evidence if each.name == UNREAD or each.name.startswith(LOST)), "")
    return (alert.series_id, alert.kind, alert.direction, what)
