"""How much is missing of a bucket that closes past silent partitions: what they usually bring in such hours."""

from collections.abc import Callable, Iterable

import pytest
from fold_oracle import small_panel

from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial, Row
from earlywarn.domain.state import decode_state, encode_state

HOUR, DAY = 3600, 86_400
START = 1_704_067_200  # a Monday, midnight in UTC, where days of the panel are those of UTC
PANEL, BY_DAY = small_panel(time_zone="UTC"), small_panel("day", "UTC")
OPEN_HOURS = range(8, 20)
Hourly = Callable[[int], Iterable[int]]
"""Hours of a day, by its number."""


class Log:
    """The partials of a source with so many partitions, as they are applied."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.fold = PartialsFold(partitions=partitions, lateness_seconds=0)
        self._blocks: dict[int, int] = {}
        self._newest: dict[int, int] = {}

    def say(self, partition: int, *rows: tuple[int, int], panel: str = "P", at: int | None = None) -> None:
        """Bring transactions to buckets; `at` is the newest event time, else that of the last bucket's first second."""
        self._newest[partition] = rows[-1][0] if at is None else at
        self._apply(partition, rows=tuple(Row(panel, "R", "x", bucket, False, count, count) for bucket, count in rows))  # noqa: FBT003

    def silent(self, *partitions: int) -> None:
        for each in partitions:
            self._apply(each, idle=True)

    def _apply(self, partition: int, *, rows: tuple[Row, ...] = (), idle: bool = False) -> None:
        block = self._blocks[partition] = self._blocks.get(partition, -1) + 1
        newest = self._newest.get(partition)
        self.fold.apply(
            Partial(
                partition=partition, partitions=self.partitions, block=block, since=block - 1, last=block, sealed=True,
                event_time_ms=None if newest is None else newest * 1000, idle=idle, rows=rows,
            )
        )  # fmt: skip
        self.fold.watermark_seconds()

    def days(self, partition: int, days: range, count: int, hours: Hourly = lambda _: range(24)) -> None:
        """Bring so many in each of those hours of those days."""
        for day in days:
            for hour in hours(day):
                self.say(partition, (START + day * DAY + hour * HOUR, count))

    def heard(self, day: int) -> float:
        """Return what of a day was heard."""
        return self.fold.heard(PANEL, START + day * DAY, START + (day + 1) * DAY)


def test_a_partition_that_never_spoke_is_not_missing() -> None:
    """Keys leave some out: two of four are empty, and said to be idle."""
    log = Log(4)
    log.silent(2, 3)
    for partition in (0, 1):
        log.days(partition, range(3), 5)
    assert [log.heard(day) for day in (0, 1)] == [1.0, 1.0]


@pytest.mark.parametrize(("brings", "heard"), [(10, 0.875), (70, 0.5), (0, 1.0)])
def test_what_is_missing_is_what_the_silent_usually_bring(brings: int, heard: float) -> None:
    log = Log(8)
    for partition in range(7):
        log.days(partition, range(16), 10)
    log.days(7, range(15), brings)
    log.silent(7)
    assert log.heard(15) == pytest.approx(heard, abs=0.001)  # but a second of its last hour is missing as well


def test_an_idle_partition_that_has_spoken_up_to_the_end_is_heard() -> None:
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(3), 10)
    log.silent(1)
    assert log.heard(1) == 1.0
    assert log.heard(2) < 1.0


def test_nothing_is_missing_of_hours_that_are_usually_quiet() -> None:
    """All shops are closed when a partition falls idle in the evening, and the first to speak next morning closes."""
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10, lambda _: OPEN_HOURS)
        log.say(partition, (START + 10 * DAY + 8 * HOUR, 10), at=START + 10 * DAY + 20 * HOUR)
    log.silent(0, 1)
    assert log.heard(10) == 1.0


def test_of_a_day_that_was_heard_until_noon_the_afternoon_is_missing() -> None:
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10, lambda _: OPEN_HOURS)
    log.say(0, (START + 10 * DAY + 8 * HOUR, 10), at=START + 10 * DAY + 14 * HOUR)
    log.silent(0)
    log.days(1, range(10, 11), 10, lambda _: OPEN_HOURS)
    log.days(1, range(11, 12), 10)
    assert log.heard(10) == 0.75
    noon = START + 10 * DAY + 12 * HOUR
    found = [log.fold.heard(PANEL, noon + at * HOUR, noon + (at + 1) * HOUR) for at in range(5)]
    assert found == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_of_an_hour_in_which_a_partition_fell_silent_the_rest_is_missing() -> None:
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10)
    at = START + 10 * DAY
    log.say(0, (at, 10), at=at + 45 * 60)
    log.silent(0)
    log.days(1, range(10, 11), 10)
    assert log.fold.heard(PANEL, at, at + HOUR) == 0.875


def test_a_partition_that_rests_on_sundays_is_not_missing_then() -> None:
    """From the second week on; in the first, of which nothing else is known, days are compared with days."""
    log = Log(2)
    log.days(0, range(14), 10, lambda _: [0])
    log.days(1, range(13), 10, lambda day: () if day % 7 == 6 else OPEN_HOURS)
    log.silent(1)
    assert log.heard(13) == 1.0
    sunday = START + 13 * DAY
    hours = [log.fold.heard(PANEL, sunday + hour * HOUR, sunday + (hour + 1) * HOUR) for hour in range(24)]
    assert hours == [1.0] * 24, "not by what other days bring, though all else is silent in an hour"
    early = Log(2)
    early.days(0, range(3), 10)
    early.days(1, range(2), 10)
    early.silent(1)
    assert early.heard(2) == pytest.approx(0.5, abs=0.02)


def test_where_only_days_are_known_one_that_spoke_of_the_day_spoke_for_it() -> None:
    """A cell's record stands anywhere in its day, at its first second too."""
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10, lambda _: [0])
    log.days(0, range(10, 13), 10, lambda _: [0])
    log.silent(1)
    days = [(START + day * DAY, START + (day + 1) * DAY) for day in (9, 10)]
    assert [log.fold.heard(BY_DAY, *day) for day in days] == [1.0, 0.5]


@pytest.mark.parametrize(("brought", "heard"), [(1, 0.55), (4, 0.7), (5, 1.0), (9, 1.0)])
def test_of_a_panel_that_knows_days_half_of_a_usual_day_is_a_day(brought: int, heard: float) -> None:
    """A partition whose sender has stopped in the middle of its batch has not spoken for the day."""
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10, lambda _: [0])
    log.days(0, range(10, 12), 10, lambda _: [0])
    log.say(1, (START + 10 * DAY, brought))
    log.silent(1)
    assert log.fold.heard(BY_DAY, START + 10 * DAY, START + 11 * DAY) == heard


def test_a_silent_partition_stays_missing_for_four_weeks() -> None:
    log = Log(4)
    for partition in range(4):
        log.days(partition, range(30), 10)
    log.silent(3)
    assert [round(each, 2) for each in as_they_close(log, range(30, 70))] == [0.75] * 28 + [1.0] * 12


def test_a_lost_partition_stays_missing() -> None:
    """Nothing more will come of it, and nobody else brings what it would have brought."""
    log = Log(4)
    for partition in range(4):
        log.days(partition, range(30), 10)
    lost = Partial(
        partition=3, partitions=4, block=999, since=998, last=998, sealed=False, event_time_ms=None, lost=5_000
    )
    assert log.fold.apply(lost).loss is not None
    assert [round(each, 2) for each in as_they_close(log, range(30, 130))] == [0.75] * 100


def as_they_close(log: Log, days: range) -> list[float]:
    """Return what is heard of days that only the first three partitions go on with, as each of them closes."""
    found = []
    for day in days:
        for partition in range(3):
            log.days(partition, range(day, day + 1), 10)
        found.append(log.heard(day))
    return found


def test_what_a_partition_brings_to_other_panels_is_not_missing() -> None:
    log = Log(2)
    for day in range(10):
        log.say(0, (START + day * DAY, 10))
        log.say(1, (START + day * DAY, 10), panel="Q")
    log.say(0, (START + 11 * DAY, 10))
    log.silent(1)
    assert log.heard(10) == 1.0


def test_where_the_topic_has_grown_what_was_usual_is_learned_anew() -> None:
    """Keys are dealt anew over more partitions; new ones that stay empty are not missing, nor old ones that are now."""
    log = Log(2)
    for partition in range(2):
        log.days(partition, range(10), 10)
    log.partitions = 4
    log.silent(2, 3)
    log.days(0, range(10, 14), 10)
    log.silent(1)
    assert [log.heard(day) for day in (10, 11, 13)] == [1.0, 1.0, 1.0]


def test_without_silence_everything_is_heard_whatever_partitions_brought() -> None:
    log = Log(3)
    log.silent(2)
    log.days(2, range(1), 500)
    for partition in range(3):
        log.days(partition, range(1, 9), 10 * partition)
    assert [log.heard(day) for day in range(8)] == [1.0] * 8


def test_what_is_kept_is_bounded_and_restored() -> None:
    log = Log(2)
    for day in range(400):
        for partition in range(2):
            log.say(partition, *((START + day * DAY + hour * HOUR, 1 + partition) for hour in range(24)))
    log.silent(1)
    log.days(0, range(400, 402), 1)
    saved = encode_state(log.fold.state())
    kept = [len(each["volumes"]["rows"]) for each in decode_state(saved)["partitions"]]
    assert max(kept) <= 60 * 24
    restored = PartialsFold(partitions=2, lateness_seconds=0)
    restored.restore(decode_state(saved))
    day = START + 400 * DAY
    assert 0.3 < log.heard(400) < 0.4
    assert restored.heard(PANEL, day, day + DAY) == log.heard(400)
    assert encode_state(restored.state()) == saved
