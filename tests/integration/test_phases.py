"""An open alert follows its shock: real sample, steps of several levels one after another."""

from datetime import date, timedelta
from math import log

import msgspec
import pytest
from alert_rules import broken_rules
from shocked_panel import ShockedPanel, composed, one_after_another
from swiss_sample import sample

from earlywarn.alerting.book import canonical
from earlywarn.alerting.decisions import Models
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.words import figure
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

FOOD = "Food and beverage services"
Levels = tuple[tuple[int, float], ...]


def played(first: date, levels: Levels, region: str | None = None, sector: str | None = None) -> ShockedPanel:
    """Return the sample with a place at some levels one after another, each for some days."""
    panel = ShockedPanel(sample(), one_after_another(first, levels, region, sector))
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    return panel


def histories(panel: ShockedPanel, first: date, series_id: str) -> list[list[Alert]]:
    """Return the revisions of each alert of a series that opens within ten weeks of a day."""
    found = [each for each in panel.histories() if each[0].series_id == series_id]
    last = (first + timedelta(70)).isoformat()
    return [each for each in found if first.isoformat() <= each[0].as_of < last]


def is_near(alert: Alert, factor: float) -> bool:
    """Return whether an alert tells a level within a log change of 0.15."""
    return abs(log(1 + (figure(alert, "effect") or 0.0) / 100) - log(factor)) <= 0.15


@pytest.mark.parametrize(
    ("first", "levels", "place"),
    [
        (date(2019, 8, 12), ((9, 0.75), (21, 0.35)), (None, None)),
        (date(2019, 9, 23), ((8, 0.8), (14, 0.4)), ("CH01", None)),
        (date(2019, 8, 12), ((14, 0.4), (14, 0.7)), (None, FOOD)),
        (date(2019, 9, 23), ((14, 0.4), (14, 0.7)), ("CH04", None)),
    ],
)
def test_a_shock_that_deepens_or_eases_is_told_by_the_level_that_it_is_at(
    first: date, levels: Levels, place: tuple[str | None, str | None]
) -> None:
    """As an update of the one alert, within ten days of the step, with the first day of that level in its text."""
    step = first + timedelta(levels[0][0])
    series_id = f"CH/{place[0] or '*'}/{'food-beverage-services' if place[1] else '*'}"
    falls = [each for each in histories(played(first, levels, *place), first, series_id) if each[0].direction == "down"]
    later = [each for each in falls[0] if step.isoformat() <= each.as_of < (step + timedelta(10)).isoformat()]
    [told, *_] = [each for each in later if each.status == "updated" and is_near(each, levels[1][1])]
    days = figure(told, "days_at_level")
    assert days is not None
    assert abs((date.fromisoformat(told.as_of) - timedelta(days) - step).days) <= 2
    assert "and was of another size until then." in told.text


@pytest.mark.parametrize("place", [None, "CH01", "CH04"])
def test_a_shock_that_comes_again_within_days_is_told_as_large_as_it_is(place: str | None) -> None:
    """Ten days, four usual ones, three weeks more: one alert, or two."""
    first = date(2019, 9, 23)
    again = first + timedelta(14)
    panel = played(first, ((10, 0.6), (4, 1.0), (21, 0.6)), place)
    falls = [each for each in histories(panel, first, f"CH/{place or '*'}/*") if each[0].direction == "down"]
    until = (again + timedelta(10)).isoformat()
    told = [each for history in falls for each in history if again.isoformat() <= each.as_of < until]
    assert any(each.status != "resolved" and is_near(each, 0.6) for each in told)


@pytest.mark.parametrize("place", [None, "CH01", "CH04"])
def test_what_a_shock_turns_into_is_told_at_once_and_by_its_own_size(place: str | None) -> None:
    """A rise by a half right after five days of a fall, and the fall has its end on its last day."""
    first = date(2019, 9, 23)
    turn = first + timedelta(5)
    found = histories(played(first, ((5, 0.6), (21, 1.5)), place), first, f"CH/{place or '*'}/*")
    [fall] = [each for each in found if each[0].direction == "down" and each[0].as_of < turn.isoformat()]
    assert fall[-1].outcome == "recovered"
    assert abs((date.fromisoformat(fall[-1].resolved_on or "") - turn).days) <= 2
    [rise, *_] = [each for each in found if each[0].direction == "up"]
    assert rise[0].as_of < (turn + timedelta(7)).isoformat()
    assert any(is_near(each, 1.5) for each in rise[:3])
    assert figure(rise[0], "days_since_usual") is not None
    assert "when an earlier shock began." in rise[0].text


def test_weeks_up_and_down_are_told_one_after_the_other() -> None:
    """No fall and rise of one series go on side by side beyond the week in which an end is decided."""
    first = date(2019, 9, 23)
    found = histories(played(first, ((7, 0.5), (7, 1.3), (7, 0.5), (7, 1.3))), first, "CH/*/*")
    levels = [(first + timedelta(7 * at), factor) for at, factor in enumerate((0.5, 1.3, 0.5, 1.3))]
    for began, factor in levels:
        until = (began + timedelta(7)).isoformat()
        week = [each for history in found for each in history if began.isoformat() <= each.as_of < until]
        assert any(each.status != "resolved" and is_near(each, factor) for each in week), began


@pytest.mark.parametrize("region", ["CH01", "CH04", "CH07"])
def test_a_region_that_is_left_behind_when_a_national_shock_is_over_is_told(region: str) -> None:
    """By its own size since the first day of all, and as an alert that is nobody's part when the national one ends."""
    first, end = date(2019, 9, 2), date(2019, 9, 14)

    def change(cell: Cell) -> float:
        last = end + timedelta(24) if cell.region == region else end
        return 0.5 if first <= cell.day < last else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    [nation] = [each for each in histories(panel, first, "CH/*/*") if each[0].direction == "down"]
    assert nation[-1].outcome == "recovered"
    left = [each for each in histories(panel, first, f"CH/{region}/*") if each[0].direction == "down"]
    [own] = [each for each in left if each[0].as_of >= end.isoformat()]
    assert own[0].as_of < (end + timedelta(7)).isoformat()
    assert is_near(own[0], 0.5)
    assert own[-1].parent is None


@pytest.mark.parametrize(
    ("factor", "place", "own", "days"),
    [
        (0.65, ("CH04", None), 0.25, (7, 28)),
        (1.4, ("CH02", None), 2.2, (6, 26)),
        (0.7, ("CH01", None), 0.3, (5, 26)),
    ],
)
def test_what_goes_on_in_one_part_is_no_matter_of_the_panel(
    factor: float, place: tuple[str | None, str | None], own: float, days: tuple[int, int]
) -> None:
    """A part moves on days after all, and goes on for two weeks after the others are back.

    The panel's alert ends with the others, names what goes on, and its level is never that of one part. The part's
    alert is told by its own size, and its end as well: as an end, or as the way back from a level that was accepted.
    """
    first = date(2019, 9, 30)
    end, began, over = (first + timedelta(at) for at in (14, *days))

    def change(cell: Cell) -> float:
        is_part = place[0] in (None, cell.region) and place[1] in (None, cell.sector)
        if is_part and began <= cell.day < over:
            return own
        return factor if first <= cell.day < end else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    [nation] = [each for each in histories(panel, first, "CH/*/*") if each[0].as_of < end.isoformat()]
    assert nation[-1].outcome == "recovered"
    assert abs((date.fromisoformat(nation[-1].resolved_on or "") - end).days) <= 2
    part = f"CH/{place[0] or '*'}/{'food-beverage-services' if place[1] else '*'}"
    assert part in {each.series_id for each in nation[-1].evidence if each.name == "goes_on"}
    assert " is over, but goes on in " in nation[-1].text
    found = histories(panel, first, part)
    assert any(is_near(each, own) for history in found for each in history if each.as_of < over.isoformat())
    told = [history[-1] for history in found if history[-1].outcome == "recovered"]
    ends = [abs((date.fromisoformat(each.resolved_on or "") - over).days) <= 2 for each in told]
    sign = "up" if own < 1 else "down"
    lately = (over.isoformat(), (over + timedelta(4)).isoformat())
    ways_back = [each[0] for each in found if each[0].direction == sign and lately[0] <= each[0].as_of < lately[1]]
    assert any(ends) or ways_back


@pytest.mark.parametrize("first", [date(2019, 8, 12), date(2019, 9, 2), date(2019, 9, 30)])
def test_the_order_in_which_episodes_were_opened_decides_nothing(first: date, monkeypatch: pytest.MonkeyPatch) -> None:
    """No snapshot keeps it: a shock of all that goes on in two regions for two weeks more, judged in both orders."""
    end = first + timedelta(14)

    def change(cell: Cell) -> float:
        last = end + timedelta(14) if cell.region in {"CH02", "CH06"} else end
        return 0.5 if first <= cell.day < last else 1.0

    def alerts(*, reverse: bool) -> list[bytes]:
        judged = AlertDesk._economic  # the order within a day is nobody's to set

        def in_order(desk: AlertDesk, scores: DayScores, models: Models) -> list[Alert]:
            book = desk._book
            book.open = {key: book.open[key] for key in sorted(book.open, key=canonical, reverse=reverse)}
            return judged(desk, scores, models)

        panel = ShockedPanel(sample(), change)
        with monkeypatch.context() as patch:
            patch.setattr(AlertDesk, "_economic", in_order)
            panel.play(composed())
        return [msgspec.json.encode(each) for each in panel.alerts]

    assert alerts(reverse=False) == alerts(reverse=True)


@pytest.mark.parametrize("days_apart", [1, 3])
@pytest.mark.parametrize("first", [date(2019, 6, 17), date(2019, 9, 9)])
def test_a_shock_that_travels_from_region_to_region_is_one(first: date, days_apart: int) -> None:
    """Where it came first is told at once, and is a part of the whole once that is told; who comes later as well."""
    reached = {f"CH0{at}": first + timedelta(days_apart * (at - 1)) for at in range(1, 8)}

    def change(cell: Cell) -> float:
        begun = reached.get(cell.region)
        return 0.6 if begun is not None and begun <= cell.day < first + timedelta(40) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    falls = [each for each in panel.tops(first, 28) if each.direction == "down" and each.level != "cell"]
    assert [each.series_id for each in falls] == ["CH/*/*"]
    told = [each for each in panel.alerts if each.status == "open" and each.direction == "down"]
    assert min(each.as_of for each in told if each.as_of >= first.isoformat()) <= (first + timedelta(2)).isoformat()


@pytest.mark.parametrize("first", [date(2019, 6, 3), date(2019, 9, 9)])
@pytest.mark.parametrize("pair", [("CH04", "CH05"), ("CH02", "CH03")])
def test_regions_that_collapse_together_in_a_milder_national_fall_are_told(first: date, pair: tuple[str, str]) -> None:
    """Two weeks into it, on one day: each is a shock of its own, and neither hides the other."""
    begun, ended = first + timedelta(14), first + timedelta(60)

    def change(cell: Cell) -> float:
        if not first <= cell.day < ended:
            return 1.0
        if cell.region in pair:
            return 0.42 if cell.day >= begun else 0.85
        return 0.85

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    told = {each.series_id: date.fromisoformat(each.opened_on) for each in panel.tops(begun, 10)}
    for region in pair:
        assert begun - timedelta(1) <= told[f"CH/{region}/*"] <= begun + timedelta(1)


@pytest.mark.parametrize("pair", [("CH01", "CH05"), ("CH02", "CH06")])
def test_regions_that_were_spared_and_collapse_together_are_told(pair: tuple[str, str]) -> None:
    """What one of them moves on that day says nothing of the other's."""
    first, begun = date(2019, 9, 2), date(2019, 9, 12)

    def change(cell: Cell) -> float:
        if cell.region in pair:
            return 0.4 if begun <= cell.day < begun + timedelta(28) else 1.0
        return 0.75 if first <= cell.day < first + timedelta(42) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    told = {each.series_id for each in panel.tops(begun, 2)}
    assert {f"CH/{region}/*" for region in pair} <= told
