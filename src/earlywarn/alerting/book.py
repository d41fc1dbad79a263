"""The episodes of a panel: the open ones, the last days of those that are over, and levels accepted of late."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from earlywarn.alerting.episode import Episode, Records
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import Direction
from earlywarn.domain.state import State

EpisodeKey = tuple[str | None, str | None, Direction]
"""Region, sector and direction."""
_OPPOSITE: dict[Direction, Direction] = {"down": "up", "up": "down"}
_LEVELS_KEPT_DAYS = 90
"""A level that was accepted within so many days before is what an episode of the other direction leads back from."""


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

    def turn_to(self, day: date, days_in_sight: int) -> None:
        """Forget what is too old on a day; models see so many days back."""
        in_sight, kept = (day - timedelta(days=days) for days in (days_in_sight, _LEVELS_KEPT_DAYS))
        self._ended = {key: ended for key, ended in self._ended.items() if ended > in_sight}
        self._levels = {key: level for key, level in self._levels.items() if level[1] > kept}

    def last(self, node: Node, direction: Direction) -> date | None:
        """Return the last day of a node's last episode of a direction, while it is in sight of the models."""
        return self._ended.get((node.region, node.sector, direction))

    def parent(self, episode: Episode) -> Episode | None:
        """Return the open episode that this one is a part of."""
        return next((each for each in self.open.values() if each.id == episode.parent), None)

    def add(self, episode: Episode) -> None:
        """Take in a new episode, with what is on record of its node."""
        level = self._levels.get((episode.region, episode.sector, _OPPOSITE[episode.direction]))
        episode.leads_back_from = None if level is None else level[0]
        episode.record_days = max(self.records.judged_days(episode.region, episode.sector) - episode.sums.days, 0)
        self.open[episode.key] = episode

    def end(self, episode: Episode, day: date, *, is_level: bool = False) -> None:
        """End an episode on a day; `is_level` says that it has become the usual level."""
        del self.open[episode.key]
        self._ended[episode.key] = day
        if is_level:
            self._levels[episode.key] = (episode.opened_on, day)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": [msgspec.to_builtins(self.open[key]) for key in sorted(self.open, key=canonical)],
            "records": self.records.state(),
            "ended": [[*key, self._ended[key].isoformat()] for key in sorted(self._ended, key=canonical)],
            "levels": [
                [*key, *(day.isoformat() for day in self._levels[key])] for key in sorted(self._levels, key=canonical)
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
            (region, sector, direction): (date.fromisoformat(began), date.fromisoformat(day))
            for region, sector, direction, began, day in saved["levels"]
        }


def canonical(key: Sequence[str | None]) -> tuple[str, ...]:
    """Return what nodes and keys of episodes are ordered by: wider ones first."""
    return tuple(part or "" for part in key)
