"""An episode: one node, one direction, from its alarm to its resolution. Hysteresis keeps it whole."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID, uuid5

import msgspec

from earlywarn.alerting.phases import Phase, no_phase
from earlywarn.domain.alert import SEVERITIES, Direction, Kind, Severity
from earlywarn.domain.series import Level, Measure, Series, contains, holds
from earlywarn.domain.state import State

NAMESPACE = UUID("6f2b8c1e-0d5a-5f0e-9a7e-2f1c5f4d7b10")


def alert_id(run: str, series_id: str, kind: Kind, direction: Direction, opening_bucket: str) -> str:
    """Return the id of an alert: UUIDv5 of run, series, kind, direction and opening bucket."""
    return str(uuid5(NAMESPACE, f"{run}\n{series_id}\n{kind}\n{direction}\n{opening_bucket}"))


class Told(msgspec.Struct, frozen=True):
    """An estimate as it is published: effect and interval in per cent, probability, days heard since the first."""

    effect_pct: float
    lower_pct: float
    upper_pct: float
    probability: float
    days: int


class Episode(msgspec.Struct):
    """The state of one open episode; days are local dates.

    `alarm_days` counts alarm days in a row since the level was last accepted, `quiet_days` those below
    the resolve ratio; `score` is the highest so far, `severity` the one last published, `gravest` the gravest of them.
    Of economic episodes, which are measured against what was expected before `usual_until`, the first day of theirs or
    of a shock of the other direction in whose place they are: `phase` is what was seen and expected at their current
    level (`phases`), `told` the estimate published on `last_revised_on`, `largest_pct` the largest effect published,
    `has_news` whether its level or its family changed since it was last published, `record_days` on how many days
    before `opened_on` the node was judged, `wider_until` the last of them on which an alert of a total around it was
    open in the same direction, `leads_back_from` the first day of an episode of the other direction whose level had
    become the usual one, `is_return` whether it is nearer to what was usual before that than to what is expected,
    `is_whole_return` whether it is about that, `is_learned` whether the models have taken its level as usual since,
    `is_taken_back` whether they have unlearned it as over, `is_own` whether it is another shock than that of the total
    around it (`parting`), `days_back` on how many of the last days its level was back at what had been expected,
    `goes_on_in_parts` whether that is so outside of some of its parts alone (`remains`), `heard_on` the last day on
    which anything was heard of the node.
    Of episodes of coverage: `missing_days` are days on which something was missing, `empty_days` those of them on which
    nothing came at all.
    """

    id: str
    region: str | None
    sector: str | None
    direction: Direction
    detected_on: date
    opened_on: date
    last_alarm_on: date
    last_revised_on: date
    revision: int = 0
    severity: Severity = "medium"
    gravest: Severity = "medium"
    score: float = 0.0
    alarm_days: int = 0
    quiet_days: int = 0
    parent: str | None = None
    children: list[str] = []
    measure: Measure = "amount"
    usual_until: date = date.min
    phase: Phase = msgspec.field(default_factory=no_phase)
    told: Told = Told(0.0, 0.0, 0.0, 0.0, 0)
    largest_pct: float = 0.0
    has_news: bool = False
    record_days: int = 0
    wider_until: date | None = None
    leads_back_from: date | None = None
    is_return: bool = False
    is_whole_return: bool = False
    is_learned: bool = False
    is_taken_back: bool = False
    is_own: bool = False
    days_back: int = 0
    goes_on_in_parts: bool = False
    heard_on: date | None = None
    missing_days: int = 0
    empty_days: int = 0

    @property
    def key(self) -> tuple[str | None, str | None, Direction]:
        """Return node and direction, of which there is one open episode at most."""
        return (self.region, self.sector, self.direction)

    @property
    def first_day(self) -> int:
        """Return the ordinal of `opened_on`."""
        return self.opened_on.toordinal()

    @property
    def baseline_day(self) -> int:
        """Return the ordinal of `usual_until`, which names its baseline."""
        return self.usual_until.toordinal()

    @property
    def level(self) -> Level:
        """Return the level of its series."""
        return Series("", self.region, self.sector).level

    def holds(self, region: str | None, sector: str | None) -> bool:
        """Return whether the cells of a node are all of them the episode's."""
        return holds((self.region, self.sector), (region, sector))

    def contains(self, other: "Episode") -> bool:
        """Return whether the other's cells are a part of this one's."""
        return contains((self.region, self.sector), (other.region, other.sector))

    def turn(self, days: int) -> None:
        """Begin another phase with the last days."""
        self.phase.turn(days, self.measure)
        self.alarm_days, self.quiet_days, self.has_news = min(self.alarm_days, days - 1), 0, True

    def observe(self, day: date, ratio: float, *, resolve_ratio: float) -> None:
        """Take in a day's score (1 = threshold)."""
        if ratio > 1:
            self.alarm_days += 1
            self.is_taken_back = False
            self.last_alarm_on = day
        if ratio >= resolve_ratio:
            self.quiet_days = 0
        else:
            self.quiet_days += 1
            self.alarm_days = 0
        self.score = max(self.score, ratio)

    def come_back(self, days: int) -> None:
        """Take in on how many of the last days the level was back: they were quiet, and are no longer if it is not."""
        if days and not self.days_back:
            self.quiet_days = max(self.quiet_days, days - 1)  # today is still to be observed
            # It was there on the day of which it was last told.
            self.last_alarm_on = max(self.phase.since - timedelta(days=1), self.opened_on, self.last_revised_on)
        elif self.days_back and not days:
            self.quiet_days = 0
        self.days_back = days

    def miss(self, day: date, *, is_all: bool) -> None:
        """Take in a day on which something was missing, or all of it."""
        self.last_alarm_on = day
        self.missing_days += 1
        self.empty_days += is_all

    def publish(self, day: date, grade: Severity, told: Told) -> None:
        """Note that a revision is published."""
        self.revision += 1
        self.last_revised_on, self.severity, self.told, self.has_news = day, grade, told, False
        self.gravest = max(self.gravest, grade, key=SEVERITIES.index)
        self.largest_pct = max(self.largest_pct, told.effect_pct, key=abs)


class Records:
    """Per node and direction: on which day was the score last as high as today?

    A descending staircase of (day ordinal, score), of at most `length` steps; scores below `floor` are not worth
    remembering. Of too many the step goes that leaves the smallest gap of scores, and never the highest. Per node
    also on how many days it was judged.
    """

    def __init__(self, floor: float = 0.25, length: int = 64) -> None:
        self.floor = floor
        self.length = length
        self._stairs: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
        self._judged: Counter[tuple[str, str]] = Counter()

    @staticmethod
    def _key(region: str | None, sector: str | None, direction: Direction) -> tuple[str, str, str]:
        return (region or "", sector or "", direction)

    def last_as_extreme(
        self, region: str | None, sector: str | None, direction: Direction, ratio: float, before: date
    ) -> date | None:
        """Return the last day before `before` with at least this score, None if there was none."""
        stairs = self._stairs.get(self._key(region, sector, direction), [])
        found = [day for day, score in stairs if score >= ratio and day < before.toordinal()]
        return date.fromordinal(max(found)) if found else None

    def judge(self, nodes: Iterable[tuple[str | None, str | None]]) -> None:
        """Count a day on which these nodes (region, sector) were judged."""
        self._judged.update((region or "", sector or "") for region, sector in nodes)

    def judged_days(self, region: str | None, sector: str | None) -> int:
        """Return on how many days a node was judged."""
        return self._judged[region or "", sector or ""]

    def learn(self, region: str | None, sector: str | None, direction: Direction, day: date, ratio: float) -> None:
        """Remember a day's score."""
        if ratio < self.floor:
            return
        stairs = self._stairs.setdefault(self._key(region, sector, direction), [])
        while stairs and stairs[-1][1] <= ratio:
            stairs.pop()
        stairs.append((day.toordinal(), round(ratio, 4)))
        if len(stairs) > self.length:
            heights = [score for _, score in stairs] + [self.floor]
            del stairs[min(range(1, len(stairs)), key=lambda at: heights[at - 1] - heights[at + 1])]

    def state(self) -> State:
        """Return the staircases and counts as plain values."""
        return {
            "stairs": [[*key, [list(step) for step in stairs]] for key, stairs in sorted(self._stairs.items())],
            "judged": [[*key, days] for key, days in sorted(self._judged.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over what `state` returned."""
        self._stairs = {
            (region, sector, direction): [(day, score) for day, score in stairs]
            for region, sector, direction, stairs in saved["stairs"]
        }
        self._judged = Counter({(region, sector): days for region, sector, days in saved["judged"]})
