"""How unusual: the last day on which a score was as high, however many there were since."""

from datetime import date, timedelta

from earlywarn.alerting.episode import Records

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
