"""The episodes of a panel: the open ones, the last days of those that are over, and levels accepted of late."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from earlywarn.alerting.episode import Episode, Records
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import OPPOSITE, Direction
from earlywarn.domain.series import contains, holds
from earlywarn.domain.state import State

EpisodeKey = tuple[str | None, str | None, Direction]
"""Region, sector and direction."""
_LEVELS_KEPT_DAYS = 90
"""A level that was accepted within so many days before is what an episode of the other direction may lead back from."""

_FIRST_DAYS_ERR_DAYS = 7
"""First days that lie no further apart may be those of one shock."""

_ENDS_KEPT_DAYS = 28
"""A shock that is over may still have its end before it, or the models theirs, for so many days."""


class Shock(msgspec.Struct, frozen=True):
    """A shock that is open, or was of late: of which series, since when it was not usual, and when it ended.

    `is_over` says that it has ended, or that its level is back.
    """

    region: str | None
    sector: str | None
    opened_on: date
    ended_on: date | None
    is_over: bool

    def was_there(self, region: str | None, sector: str | None, first: date) -> bool:
        """Return whether the cells of a node were all in the shock when another one began there on a day."""
        is_then = self.opened_on < first and (self.ended_on is None or first <= self.ended_on)
        return is_then and holds((self.region, self.sector), (region, sector))


class Going(NamedTuple):
    """A series that may still be at another level than before a day, and its log effect; None: that is usual now."""

    region: str | None
    sector: str | None
    opened_on: date
    effect: float | None


class EpisodeBook:
    """Of each node and direction at most one episode is open.

    Attributes:
        open: by key, in the order in which they were opened.
        records: how high the scores of each node were on which days.
    """

    def __init__(self) -> None:
        self.open: dict[EpisodeKey, Episode] = {}
        self.records = Records()
        self._ended: dict[EpisodeKey, date] = {}  # the last day of episodes that lie in sight of the models
        self._levels: dict[EpisodeKey, tuple[date, date]] = {}  # accepted lately: their first day, and when
        self._returns: dict[EpisodeKey, date] = {}  # when what was usual before a level was accepted again
        self._whole: dict[EpisodeKey, date] = {}  # when an episode was accepted last that was a whole return
        self._totals: dict[EpisodeKey, date] = {}  # the last day of the last episode of a total
        self._over: dict[EpisodeKey, tuple[date, date]] = {}  # over lately, no level: their first day, and when

    def turn_to(self, day: date, days_in_sight: int) -> None:
        """Forget what is too old on a day; models see so many days back."""
        in_sight, kept = (day - timedelta(days=days) for days in (days_in_sight, _LEVELS_KEPT_DAYS))
        self._ended = {key: ended for key, ended in self._ended.items() if ended > in_sight}
        self._levels = {key: level for key, level in self._levels.items() if level[1] > kept}
        self._returns, self._whole = (
            {key: accepted for key, accepted in days.items() if accepted > kept}
            for days in (self._returns, self._whole)
        )
        ends = day - timedelta(days=_ENDS_KEPT_DAYS)
        self._over = {key: over for key, over in self._over.items() if over[1] > ends}

    def last(self, node: Node, direction: Direction) -> date | None:
        """Return the last day of a node's last episode of a direction, while it is in sight of the models."""
        return self._ended.get((node.region, node.sector, direction))

    def parent(self, episode: Episode) -> Episode | None:
        """Return the open episode that this one is a part of."""
        return next((each for each in self.open.values() if each.id == episode.parent), None)

    def first_days(self) -> set[int]:
        """Return the first days (ordinals) of which the baseline is of use."""
        days = {since.toordinal() for since, _ in (*self._over.values(), *self._levels.values())}
        for episode in self.open.values():
            days |= {episode.baseline_day, episode.first_day}  # by its first day it is kept as a level
            if episode.leads_back_from is not None:
                days.add(episode.leads_back_from.toordinal())
        return days

    def shocks(self, direction: Direction) -> list[Shock]:
        """Return the shocks of a direction that are open or over lately, and no new level, the oldest first.

        Without those that are the return from a level: a way back there is no end. Nor with parts of what has become
        one: their end is told as that of the level.
        """
        found = [
            Shock(key[0], key[1], since, ended, is_over=True)
            for key, (since, ended) in self._over.items()
            if key[2] == direction and not self._is_in_level(key, since)
        ]
        found += [
            Shock(key[0], key[1], episode.usual_until, None, is_over=episode.days_back > 0)
            for key, episode in self.open.items()
            if key[2] == direction and not episode.is_return
        ]
        return sorted(
            found, key=lambda each: (each.opened_on, canonical((each.region, each.sector)), each.ended_on is None)
        )

    def levels_since(self, day: date, direction: Direction) -> Iterator[tuple[str | None, str | None]]:
        """Yield the series of which a level of a direction has been accepted since a day."""
        for level, (_, accepted) in self._levels.items():
            if level[2] == direction and accepted >= day:
                yield level[:2]

    def going_on(self, direction: Direction) -> Iterator[Going]:
        """Yield what may go on while a shock around it is over: open episodes, and levels accepted lately."""
        for key, (since, _) in sorted(self._levels.items(), key=lambda each: canonical(each[0])):
            if key[2] == direction:
                yield Going(key[0], key[1], since, None)
        for key, episode in self.open.items():
            if key[2] == direction and not episode.days_back:
                effect = None if episode.is_learned else episode.phase.sums.estimate(episode.measure, 1.0).effect
                yield Going(key[0], key[1], episode.usual_until, effect)

    def _is_in_level(self, key: EpisodeKey, since: date) -> bool:
        """Return whether what began on a day is a part of what was accepted as a level later."""
        return any(
            level[2] == key[2] and accepted >= since and holds(level[:2], key[:2])
            for level, (_, accepted) in self._levels.items()
        )

    def add(self, episode: Episode) -> None:
        """Take in a new episode, with what is on record of its node."""
        episode.record_days = max(self.records.judged_days(episode.region, episode.sector) - episode.phase.sums.days, 0)
        episode.wider_until = self._wider_until(episode)
        self.open[episode.key] = episode

    def levels_around(self, episode: Episode) -> list[date]:
        """Return the first days of the levels of the other direction that hold an episode, the last accepted first.

        What was usual before has become so again by a whole return: nothing leads back from that, nor from what it
        ended.
        """
        node, direction = (episode.region, episode.sector), OPPOSITE[episode.direction]
        back_on = self._returns.get((*node, episode.direction), date.min)
        around = [
            (accepted, first)
            for key, (first, accepted) in self._levels.items()
            if key[2] == direction and holds(key[:2], node) and self._whole.get(key) != accepted > back_on
        ]
        return [first for _, first in sorted(around, reverse=True)]

    def _wider_until(self, episode: Episode) -> date | None:
        """Return the last day before an episode on which one of a total around it was open; its own shock is none."""
        earlier = episode.opened_on - timedelta(days=_FIRST_DAYS_ERR_DAYS)
        last = dict(self._totals)
        last |= {key: episode.opened_on for key, each in self.open.items() if each.opened_on < earlier}
        node, direction = (episode.region, episode.sector), episode.direction
        around = [day for key, day in last.items() if key[2] == direction and contains(key[:2], node)]
        return min(max(around), episode.opened_on) if around else None

    def end(self, episode: Episode, day: date, *, is_level: bool = False) -> None:
        """End an episode on a day; `is_level` says that it has become the usual level."""
        del self.open[episode.key]
        for part in self.open.values():
            is_left = part.parent == episode.id and episode.days_back and not part.days_back
            if is_left and part.level != "cell":
                part.parent, part.has_news = None, True  # it goes on by itself
        self._ended[episode.key] = day
        if episode.level != "cell":
            self._totals[episode.key] = day
        if is_level:
            self._levels[episode.key] = (episode.opened_on, day)
        elif not episode.is_return:
            self._over[episode.key] = (episode.usual_until, day)

    def came_back(self, episode: Episode, nodes: Iterable[Node], day: date) -> None:
        """Note that nodes are back at what was usual before another level, with an episode accepted on a day."""
        self._whole[episode.key] = day
        self._returns.update({(node.region, node.sector, episode.direction): day for node in nodes})

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": [msgspec.to_builtins(self.open[key]) for key in sorted(self.open, key=canonical)],
            "records": self.records.state(),
            "ended": _days(self._ended),
            "returns": _days(self._returns),
            "totals": _days(self._totals),
            "whole": _days(self._whole),
            "levels": _plain(self._levels),
            "over": _plain(self._over),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.open = {each.key: each for each in msgspec.convert(saved["episodes"], list[Episode])}
        self.records.restore(saved["records"])
        self._ended, self._returns, self._totals, self._whole = (
            {(region, sector, direction): date.fromisoformat(day) for region, sector, direction, day in saved[name]}
            for name in ("ended", "returns", "totals", "whole")
        )
        self._levels, self._over = _restored(saved["levels"]), _restored(saved["over"])


def canonical(key: Sequence[str | None]) -> tuple[str, ...]:
    """Return what nodes and keys of episodes are ordered by: wider ones first."""
    return tuple(part or "" for part in key)


def _days(days: Mapping[EpisodeKey, date]) -> list[list[str | None]]:
    return [[*key, days[key].isoformat()] for key in sorted(days, key=canonical)]


def _plain(days: Mapping[EpisodeKey, tuple[date, date]]) -> list[list[str | None]]:
    return [[*key, *(day.isoformat() for day in days[key])] for key in sorted(days, key=canonical)]


def _restored(
    saved: Iterable[tuple[str | None, str | None, Direction, str, str]],
) -> dict[EpisodeKey, tuple[date, date]]:
    return {
        (region, sector, direction): (date.fromisoformat(began), date.fromisoformat(day))
        for region, sector, direction, began, day in saved
    }
