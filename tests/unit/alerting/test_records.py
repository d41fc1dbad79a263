"""How unusual: the last day on which a score was as high, however many there were since, and what lay around it."""

from datetime import date, timedelta

import pytest

from earlywarn.alerting.book import EpisodeBook
from earlywarn.alerting.episode import Episode, Records
from earlywarn.domain.alert import Direction

FIRST = date(2020, 1, 1)
LENGTH = 8


def fading(days: int) -> Records:
    """Return the records of a score that sinks from day to day, from 10 to 1."""
    records = Records(length=LENGTH)
    for age in range(days):
        records.learn("R", "x", "down", FIRST + timedelta(days=age), 10 - 9 * age / (days - 1))
    return records


def last_day(records: Records, score: float) -> date | None:
    return records.last_as_extreme("R", "x", "down", score, FIRST + timedelta(days=999))


def test_the_highest_score_is_never_forgotten() -> None:
    records = fading(80)
    assert last_day(records, 9.99) == FIRST
    assert last_day(records, 10.01) is None


def test_what_is_forgotten_makes_the_answer_older_by_little() -> None:
    """Of 80 steps 8 are kept: the day told is one of a higher score, never of a lower one."""
    records = fading(80)
    assert len(records.state()["stairs"][0][3]) == LENGTH
    for score in (2.0, 4.0, 6.0, 8.0):
        told = last_day(records, score)
        assert told is not None
        age = (told - FIRST).days
        assert 10 - 9 * age / 79 >= score
        assert age >= (10 - score) / 9 * 79 - 25


def episode(region: str | None, sector: str | None, first: int, direction: Direction = "down") -> Episode:
    opened = FIRST + timedelta(days=first)
    return Episode(f"{region} {sector} {first}", region, sector, direction, opened, opened, opened, opened)


@pytest.mark.parametrize(
    ("region", "sector", "direction", "known"),
    [
        (None, None, "down", True),
        ("R", None, "down", True),
        (None, "x", "down", True),
        ("R", "x", "down", False),
        ("R", "y", "down", False),
        ("S", None, "down", False),
        (None, None, "up", False),
    ],
)
def test_a_cell_may_have_fallen_as_much_within_an_alert_of_a_total_around_it(
    region: str | None, sector: str | None, direction: Direction, *, known: bool
) -> None:
    """Its own scores do not show that, since they are held against those of its neighbours."""
    book, wider, own = EpisodeBook(), episode(region, sector, 100, direction), episode("R", "x", 300)
    book.add(wider)
    book.end(wider, FIRST + timedelta(days=140))
    again = EpisodeBook()
    again.restore(book.state())
    again.add(own)
    assert own.wider_until == (FIRST + timedelta(days=140) if known else None)


@pytest.mark.parametrize(("first", "known"), [(100, True), (297, False)])
def test_an_open_alert_around_a_cell_is_on_its_record_if_it_began_well_before(first: int, *, known: bool) -> None:
    book, own = EpisodeBook(), episode("R", "x", 300)
    book.add(episode(None, "x", first))
    book.add(own)
    assert own.wider_until == (own.opened_on if known else None)
