"""Which episodes lead back from a level that had become usual."""

from datetime import date, timedelta

import pytest

from earlywarn.alerting.book import EpisodeBook
from earlywarn.alerting.episode import Episode
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure
from earlywarn.domain.state import decode_state, encode_state

DAY = date(2024, 1, 15)


def episode(direction: Direction, opened_on: date, measure: Measure = "amount") -> Episode:
    days = dict.fromkeys(("detected_on", "opened_on", "last_alarm_on", "last_revised_on"), opened_on)
    return Episode(id=direction, region="A", sector="x", direction=direction, measure=measure, **days)


@pytest.mark.parametrize(
    ("effect_pct", "measure", "days", "leads_back"),
    [
        (200.0, "amount", 30, True),  # a third, and three times that
        (180.0, "transactions", 30, True),
        (60.0, "amount", 30, True),  # a part of the way
        (440.0, "amount", 30, False),  # 5.4 times: beyond where it came from
        (9900.0, "amount", 30, False),
        (200.0, "mean_ticket", 30, False),  # of another kind
        (200.0, "amount", 91, False),  # long ago
    ],
)
def test_a_way_back_is_not_much_longer_than_the_way_there(
    effect_pct: float, measure: Measure, days: int, *, leads_back: bool
) -> None:
    book, other = EpisodeBook(), EpisodeBook()
    fall = episode("down", DAY)
    book.add(fall, -66.7)
    book.end(fall, DAY, level_pct=-66.7)
    other.restore(decode_state(encode_state(book.state())))
    for each in (book, other):
        each.turn_to(DAY + timedelta(days), 21)
        rise = episode("up", DAY + timedelta(days), measure)
        each.add(rise, effect_pct)
        assert rise.leads_back_from == (DAY if leads_back else None)


def test_what_recovered_has_left_no_level() -> None:
    book = EpisodeBook()
    fall, rise = episode("down", DAY), episode("up", DAY + timedelta(9))
    book.add(fall, -50.0)
    book.end(fall, DAY)
    book.add(rise, 100.0)
    assert rise.leads_back_from is None
