"""The alert as it is published: one record per revision, the same in files, topics, Redis and the API."""

from typing import Literal

import msgspec

from earlywarn.domain.series import Level, Measure

Kind = Literal["economic", "coverage", "model"]
Status = Literal["open", "updated", "resolved", "superseded"]
STATUSES_OPEN: frozenset[Status] = frozenset(("open", "updated"))
Direction = Literal["up", "down"]
OPPOSITE: dict[Direction, Direction] = {"down": "up", "up": "down"}
Severity = Literal["medium", "high", "severe"]
Outcome = Literal["recovered", "faded", "accepted"]

GOES_ON = "goes_on"
"""Name of the evidence how far off a part is in which the shock of a total goes on that is over elsewhere."""
SEVERITIES: tuple[Severity, ...] = ("medium", "high", "severe")
LOST = "lost: "
"""Begins the name of the evidence that a source partition is lost."""
BEHIND = "behind: "
"""Begins the name of the evidence that a source brings less than the others let expect."""
MUTED = "muted: "
"""Begins the name of the evidence on how many days lately a known event muted cells of an alert."""
WIDENED = "widened: "
"""The same of one that let their days say less."""
SILENT_REGIONS = "regions_silent"
"""Name of the evidence of how many regions fell silent together."""
UNREAD = "unread_volume"
"""Name of the evidence of what came and could not be read."""
UNREAD_DAYS = "days_unread"
"""Name of the evidence on how many days that was so."""
UNREAD_PLACES = "places_unread"
"""Name of the evidence of how many cells that was, where it is one here and one there."""
AS_USUAL = "unread_as_usual"
"""Name of the evidence that usually as much cannot be read: 1 where what can be read is judged, else 0."""
NO_SECTOR_KNOWN = "no_sector_known"
"""Name of the evidence that some of that is taken for what places lack, as it does not say of which sector it is."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One figure behind an alert: `name` says what, `value` how much, `unit` in what, `series_id` where."""

    name: str
    value: float
    unit: str
    series_id: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of one alert.

    Dates are ISO 8601, local to the panel. `opened_on` is the first day of the shock as estimated,
    `detected_on` the day whose closing decided the alarm. `observed`, `expected`, `lower` and `upper`
    are of `measure` on the revision's day (`as_of`): transactions, or minor units of the currency.
    `expected` is what the baseline says without the shock; `change_pct` is observed against it.
    `score` above 1 is alarm. `outcome` says how a resolved economic alert ended: the effect is gone, it can no longer
    be told from chance though the level is not back, or it lasts and has become the new level.
    """

    id: str
    revision: int
    sequence: int
    run: str
    kind: Kind
    status: Status
    panel: str
    level: Level
    series_id: str
    region: str | None
    sector: str | None
    measure: Measure
    direction: Direction
    severity: Severity
    probability: float
    opened_on: str
    detected_on: str
    resolved_on: str | None
    outcome: Outcome | None = None
    as_of: str
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    change_pct: float | None
    score: float
    evidence: tuple[Evidence, ...]
    parent: str | None
    children: tuple[str, ...]
    supersedes: str | None
    provisional: bool
    exercise: bool
    text: str
    model_version: str
    config_hash: str
