"""Which feeds of a panel are told apart, and what the others count as.

So many named sources are known at most; those beyond count together. Which they are is no matter of the order in which
they came: of the new ones of a bucket the first by name are taken.
"""

from collections.abc import Mapping
from typing import Any

from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.feed_cells import Counts, FeedName
from earlywarn.aggregation.feed_counts import add_counts
from earlywarn.aggregation.partial import OTHER_SOURCES

_OTHERS = ("source", OTHER_SOURCES)


class KnownFeeds(dict[FeedName, Feed]):
    """The known feeds by name.

    Args:
        limit: of named sources.
        slots: number of base buckets in a week, of which each feed learns what is usual.
    """

    def __init__(self, limit: int, slots: int) -> None:
        super().__init__()
        self._sources_limit, self._slots = limit, slots

    def limit(self, delivered: dict[FeedName, Counts]) -> None:
        """Count named sources together that cannot become known: beyond the limit, the last in order.

        More of them may still come, and smaller names: in the end the same are left, in whatever order they came.
        """
        new = sorted(name for name in delivered if name[0] == "source" and name not in self and name != _OTHERS)
        for name in new[self._sources_limit :]:
            add_counts(delivered.setdefault(_OTHERS, {}), delivered.pop(name))

    def counts_as(self, name: FeedName) -> FeedName:
        """Return what a feed counts as: sources beyond the limit count together."""
        return _OTHERS if name[0] == "source" and name not in self and _OTHERS in self else name

    def added_to(self, volumes: Mapping[FeedName, int], more: Mapping[FeedName, int]) -> dict[FeedName, int]:
        """Return the volumes of feeds, with what those of them that are known brought besides."""
        found = dict(volumes)
        for name, count in more.items():
            known = self.counts_as(name)
            if known in self:
                found[known] = found.get(known, 0) + count
        return found

    def admit(self, delivered: Mapping[FeedName, Counts]) -> dict[FeedName, FeedName]:
        """Make the feeds of a day known, as far as the limit goes; return what each counts as."""
        admitted = {}
        for name in sorted(delivered):
            sources = sum(feed[0] == "source" and feed != _OTHERS for feed in self)
            beyond = name[0] == "source" and name not in self and sources >= self._sources_limit
            admitted[name] = _OTHERS if beyond else name
            if name in self or any(delivered[name].values()):  # what named sources bring is no partition's
                self.setdefault(admitted[name], Feed(self._slots))
        return admitted

    def state(self) -> list[Any]:
        """Return the state as plain values."""
        return [[*name, feed.state()] for name, feed in sorted(self.items())]

    def restore(self, saved: list[Any]) -> None:
        """Take over a state that `state` returned."""
        self.clear()
        self.update({(kind, name): Feed.restored(feed) for kind, name, feed in saved})
