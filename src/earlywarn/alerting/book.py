"""The episodes of a panel: the open ones, the last days of those that are over, and levels accepted of late."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from earlywarn.alerting.episode import Episode, Records
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure
from earlywarn.domain.state import State

EpisodeKey = tuple[str | None, str | None, Direction]
"""Region, sector and direction."""
_OPPOSITE: dict[Direction, Direction] = {"down": "up", "up": "down"}
_LEVELS_KEPT_DAYS = 90
"""A level that was accepted within so many days before is what an episode of the other direction leads back from."""
_MOST_OF_A_RETURN = 1.5
"""How much larger than the way there a way back may be (of the logarithm); beyond, it leads to somewhere else."""


class _Level(NamedTuple):
    """A level that has become the usual one: since when, when that was decided, and how far off it was."""

    since: date
    accepted_on: date
    measure: Measure
    effect_pct: float

    def is_left_by(self, measure: Measure, effect_pct: float) -> bool:
        """Return whether an effect of the other direction leads back from it, and not far beyond where it came from."""
        if (measure == "mean_ticket") != (self.measure == "mean_ticket"):
            return False
        off, back = (math.log1p(max(each / 100, -0.999)) for each in (self.effect_pct, effect_pct))
        return abs(back) <= _MOST_OF_A_RETURN * abs(off)


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
        self._levels: dict[EpisodeKey, _Level] = {}  # accepted lately

    def turn_to(self, day: date, days_in_sight: int) -> None:
        """Forget what is too old on a day; models see so many days back."""
        in_sight, kept = (day - timedelta(days=days) for days in (days_in_sight, _LEVELS_KEPT_DAYS))
        self._ended = {key: ended for key, ended in self._ended.items() if ended > in_sight}
        self._levels = {key: level for key, level in self._levels.items() if level.accepted_on > kept}

    def last(self, node: Node, direction: Direction) -> date | None:
        """Return the last day of a node's last episode of a direction, while it is in sight of the models."""
        return self._ended.get((node.region, node.sector, direction))

    def parent(self, episode: Episode) -> Episode | None:
        """Return the open episode that this one is a part of."""
        return next((each for each in self.open.values() if each.id == episode.parent), None)

    def add(self, episode: Episode, effect_pct: float) -> None:
        """Take in a new episode of a size, with what is on record of its node."""
        level = self._levels.get((episode.region, episode.sector, _OPPOSITE[episode.direction]))
        leads_back = level is not None and level.is_left_by(episode.measure, effect_pct)
        episode.leads_back_from = level.since if level is not None and leads_back else None
        episode.record_days = max(self.records.judged_days(episode.region, episode.sector) - episode.sums.days, 0)
        self.open[episode.key] = episode

    def end(self, episode: Episode, day: date, *, level_pct: float | None = None) -> None:
        """End an episode on a day; `level_pct` is how far off the level is that has become usual, if one has."""
        del self.open[episode.key]
        self._ended[episode.key] = day
        if level_pct is not None:
            self._levels[episode.key] = _Level(episode.opened_on, day, episode.measure, level_pct)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": [msgspec.to_builtins(self.open[key]) for key in sorted(self.open, key=canonical)],
            "records": self.records.state(),
            "ended": [[*key, self._ended[key].isoformat()] for key in sorted(self._ended, key=canonical)],
            "levels": [
                [*key, level.since.isoformat(), level.accepted_on.isoformat(), level.measure, level.effect_pct]
                for key, level in sorted(self._levels.items(), key=lambda item: canonical(item[0]))
            ],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.open = {each.key: each for each in msgspec.convert(saved["episodes"], list[Episode])}
        self.records.restore(saved["records"])
        self._ended = {
            (region, sector, direction): date.fromisoformat(day) for region, sector, direction, day in saved["ended"]
        }
        self._levels = {
            (region, sector, direction): _Level(date.fromisoformat(since), date.fromisoformat(day), measure, effect_pct)
            for region, sector, direction, since, day, measure, effect_pct in saved["levels"]
        }


def canonical(key: Sequence[str | None]) -> tuple[str, ...]:
    """Return what nodes and keys of episodes are ordered by: wider ones first."""
    return tuple(part or "" for part in key)
