"""Days of a panel's feeds for a meter of coverage."""

from collections.abc import Collection, Mapping, Sequence

from earlywarn.aggregation.coverage import CoverageMeter, FeedsDay
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import FeedName
from earlywarn.aggregation.rows import Coverage

MONDAY = 737_066  # 2019-01-07

Volumes = Mapping[str, int]
"""What feeds bring to a day, by name: `source a@2` brings it to cell 2, `source a` to cell 0."""


class Days:
    """A meter that is told whole days: the volumes of feeds, each spread over the hours of a day."""

    def __init__(
        self,
        parameters: CoverageParameters | None = None,
        *,
        hours: int = 0,
        regions: Sequence[str] = ("R", "R", "R"),
    ) -> None:
        self.regions = regions
        self.meter = CoverageMeter(parameters or CoverageParameters(), slots=7 * hours)
        self.hours = hours
        self.day = MONDAY
        self.by_hour: list[float] = []
        self.cells: tuple[float, ...] = ()
        self.cells_new: list[bool] = []
        self.cells_by_hour: list[tuple[float, ...]] = []

    def close(
        self,
        volumes: Volumes,
        *,
        ended: Collection[str] = (),
        heard: float = 1.0,
    ) -> Coverage:
        """Close the next day; of a feed named `source a@2` what it brings to cell 2, of others to cell 0."""
        per_day = max(self.hours, 1)
        self.by_hour, self.cells_by_hour = [], []
        for hour in range(per_day):
            bucket = self.day * 86_400 + hour * 3600
            for feed, volume in volumes.items():
                name, cell = feed_of(feed)
                if volume >= per_day:
                    self.meter.observe(bucket, name, cell, volume // per_day)
            slot = (self.day + 6) % 7 * self.hours + hour if self.hours else None
            delivery = self.meter.close_base(bucket, slot, ended=ended)
            self.by_hour.append(delivery.volume)
            self.cells_by_hour.append(delivery.cells)
        return self._closed(self.meter.close_day(self.day, self.regions, partitions_heard=heard, ended=ended))

    def close_hours(self, volumes: Mapping[str, Sequence[int]]) -> Coverage:
        """Close the next day, of which each hour's volumes are given."""
        for hour in range(self.hours):
            bucket = self.day * 86_400 + hour * 3600
            for feed, by_hour in volumes.items():
                if by_hour[hour]:
                    self.meter.observe(bucket, *feed_of(feed), by_hour[hour])
            self.meter.close_base(bucket, (self.day + 6) % 7 * self.hours + hour)
        return self._closed(self.meter.close_day(self.day, self.regions, partitions_heard=1.0))

    def _closed(self, day: FeedsDay) -> Coverage:
        self.cells, self.cells_new = day.cells, day.cells_new.tolist()
        self.day += 1
        return day.coverage

    def pass_days(self, days: int, volumes: Volumes, *, closed_on_sundays: Collection[str] = ()) -> list[Coverage]:
        """Close several days alike."""
        found = []
        for _ in range(days):
            sunday = (self.day + 6) % 7 == 6
            found.append(
                self.close(
                    {feed: 0 if sunday and feed in closed_on_sundays else each for feed, each in volumes.items()}
                )
            )
        return found


def feed_of(text: str) -> tuple[FeedName, int]:
    feed, _, cell = text.partition("@")
    kind, name = feed.split(" ")
    return (kind, name), int(cell or 0)
