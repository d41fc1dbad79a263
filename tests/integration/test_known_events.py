"""Known events in a panel with shocks: they widen or mute days of their cells, and what is beside them is told."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest
from panel_run import RECEIVED_MS
from shocked_panel import FIRST, SHOCK, Change, ShockedPanel, cells, composed, one_after_another, played

from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import RunFold
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.domain.state import encode_state

HEADER = "name,first_day,last_day,effect,region,sector,spread_pct"
STRIKE = "Strike of March"
FOOD, FOOD_CLASS = "Food and beverage services", "food-beverage-services"
LAST = SHOCK + timedelta(days=3)
FALL = one_after_another(SHOCK, [(4, 0.6)], region="CH03")


@cache
def calm() -> list[Cell]:
    return cells()


def table(folder: Path, *rows: str) -> str:
    path = folder / "events.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return str(path)


def row(effect: str, *, region: str = "CH03", sector: str = "*", days: int = 4, spread: str = "") -> str:
    return f"{STRIKE},{SHOCK},{SHOCK + timedelta(days=days - 1)},{effect},{region},{sector},{spread}"


def with_events(folder: Path, change: Change, *rows: str) -> ShockedPanel:
    return played(composed(known_events=table(folder, *rows)), calm(), change)


def opened(panel: ShockedPanel, days: int = 28) -> list[Alert]:
    until = (SHOCK + timedelta(days=days)).isoformat()
    return [
        each
        for each in panel.alerts
        if each.kind == "economic" and each.status == "open" and SHOCK.isoformat() <= each.detected_on < until
    ]


def plain(rows: AggregateRows) -> bytes:
    return encode_state({"start": rows.start, "values": [rows.transactions, rows.amount_minor, rows.heard]})


def both(*changes: Change) -> Change:
    def change(cell: Cell) -> float:
        factor = 1.0
        for each in changes:
            found = each(cell)
            assert isinstance(found, float)
            factor *= found
        return factor

    return change


@pytest.fixture(scope="module")
def unknown() -> ShockedPanel:
    return played(composed(), calm(), FALL)


@pytest.fixture(scope="module")
def untouched() -> ShockedPanel:
    return played(composed(), calm(), lambda _: 1.0)


@pytest.mark.parametrize("effect", ["widen", "mute"])
def test_a_strike_that_is_known_is_no_alert_there_and_leaves_none_behind(
    effect: str, unknown: ShockedPanel, untouched: ShockedPanel, tmp_path: Path
) -> None:
    assert any(each.region == "CH03" for each in opened(unknown))
    panel = with_events(tmp_path, FALL, row(effect))
    calm_ones = {each.series_id for each in opened(untouched)}
    assert [each.text for each in opened(panel) if each.series_id not in calm_ones] == []
    for days in (1, 2, 7, 8, 21):  # the next weeks, the weekdays of the strike among them, are expected as ever
        day = LAST + timedelta(days=days)
        there, calm_there = (each.expected(day, "CH03", FOOD_CLASS) for each in (panel, untouched))
        assert there == pytest.approx(calm_there, rel=0.02), day


@pytest.mark.parametrize("effect", ["widen", "mute"])
def test_a_strike_on_a_holiday_says_nothing_of_the_next_holiday(
    effect: str, untouched: ShockedPanel, tmp_path: Path
) -> None:
    """It is the panel's first one, so that of an effect of holidays nothing is known yet."""
    good_friday, next_one = date(2022, 4, 15), date(2022, 4, 18)
    change = one_after_another(good_friday, [(1, 0.3)], region="CH03")
    panel = with_events(tmp_path, change, f"{STRIKE},{good_friday},{good_friday},{effect},CH03,*,")
    there, calm_there = (each.expected(next_one, "CH03", FOOD_CLASS) for each in (panel, untouched))
    assert there == pytest.approx(calm_there, rel=0.1)


@pytest.mark.parametrize("effect", ["widen", "mute"])
def test_what_is_known_changes_no_aggregate_and_no_coverage(effect: str, unknown: ShockedPanel, tmp_path: Path) -> None:
    panel = with_events(tmp_path, FALL, row(effect))
    assert list(map(plain, panel.rows)) == list(map(plain, unknown.rows))
    assert not [each for each in panel.alerts if each.kind == "coverage"]


@pytest.mark.parametrize("effect", ["widen", "mute"])
def test_a_shock_elsewhere_is_told_as_on_any_other_day(effect: str, tmp_path: Path) -> None:
    elsewhere = one_after_another(SHOCK, [(21, 0.6)], region="CH01", sector=FOOD)
    plain = played(composed(), calm(), elsewhere)
    panel = with_events(tmp_path, both(FALL, elsewhere), row(effect))
    first, same = (next(each for each in opened(of) if each.region == "CH01") for of in (plain, panel))
    assert (same.series_id, same.opened_on) == (first.series_id, first.opened_on)
    late = date.fromisoformat(same.detected_on) - date.fromisoformat(first.detected_on)
    assert late <= timedelta(days=1)


def test_of_a_fall_everywhere_the_rest_is_told_and_what_was_ruled_out(tmp_path: Path) -> None:
    panel = with_events(tmp_path, one_after_another(SHOCK, [(21, 0.7)]), row("mute", region="CH0", sector=FOOD, days=8))
    nation = next(each for each in opened(panel) if each.level == "panel")
    effect = next(item.value for item in nation.evidence if item.name == "effect")
    assert effect == pytest.approx(-30, abs=4)
    assert f"Ruled out, and not judged: {STRIKE}" in nation.text
    assert "without 5 sectors in regions that a known event mutes" in nation.text
    assert "too little was reported" not in nation.text
    figure = next(item for item in nation.evidence if item.name == f"muted: {STRIKE}")
    assert (figure.unit, figure.series_id) == ("days", f"CH/CH0/{FOOD_CLASS}")


def test_what_outlasts_its_event_is_told_behind_it_with_the_event(tmp_path: Path) -> None:
    panel = with_events(tmp_path, one_after_another(SHOCK, [(21, 0.6)], region="CH03"), row("mute"))
    first = next(each for each in opened(panel) if each.region == "CH03")
    assert date.fromisoformat(first.detected_on) in [LAST + timedelta(days=days) for days in (1, 2)]
    assert date.fromisoformat(first.opened_on) > LAST
    assert f"not judged: {STRIKE} (4 days)" in first.text


def test_more_than_an_event_is_known_for_is_told_all_the_same(tmp_path: Path) -> None:
    collapse = one_after_another(SHOCK, [(21, 0.2)], region="CH03")
    panel = with_events(tmp_path, collapse, row("widen", days=21))
    first = next(each for each in opened(panel) if each.region == "CH03")
    assert first.opened_on == SHOCK.isoformat()
    assert date.fromisoformat(first.detected_on) < SHOCK + timedelta(days=14)
    assert f"Days of known events count for less here: {STRIKE}" in first.text


def test_a_festival_of_weeks_that_is_muted_leaves_its_cells_awake(tmp_path: Path) -> None:
    later = SHOCK + timedelta(days=40)
    change = both(
        one_after_another(SHOCK, [(40, 1.8)], region="CH03", sector=FOOD),
        one_after_another(later, [(21, 0.5)], region="CH03", sector=FOOD),
    )
    run = composed(known_events=table(tmp_path, row("mute", sector=FOOD, days=40)))
    panel = played(run, cells(days=260), change)
    first = next(each for each in opened(panel, days=60) if each.sector == FOOD_CLASS)
    assert (first.region, first.direction) == ("CH03", "down")
    assert first.opened_on == later.isoformat()


def test_a_day_on_which_all_is_muted_is_not_judged_and_the_next_one_is(tmp_path: Path) -> None:
    panel = with_events(tmp_path, one_after_another(SHOCK, [(1, 0.2)]), row("mute", region="*", days=1))
    assert opened(panel) == []
    judged = {each.scores.day: each.scores for each in panel.judged}
    assert (judged[SHOCK].usable, judged[SHOCK].muted.all()) == (False, True)
    assert judged[SHOCK + timedelta(days=1)].usable


def test_a_fold_that_goes_on_amid_an_event_goes_on_the_same(tmp_path: Path) -> None:
    run = composed(known_events=table(tmp_path, row("mute", days=6), row("widen", region="CH01", days=6)))
    panel = ShockedPanel(calm(), FALL)
    block, whole = run.block_fold(0, 1), compose_fold(run, 1)
    cut = (SHOCK - FIRST).days * 35 + 3 * 35
    halves: list[list[Partial]] = []
    for part in (panel.outcomes[:cut], panel.outcomes[cut:]):
        sealed, _ = block.add(range(block.position, block.position + len(part)), part, RECEIVED_MS)
        last = block.flush()
        assert last is not None
        halves.append([*sealed, last])

    def alerts(fold: RunFold, partials: list[Partial]) -> list[Alert]:
        return [each for partial in partials for each in fold.apply(partial) if isinstance(each, Alert)]

    alerts(whole, halves[0])
    restored = compose_fold(run, 1)
    restored.restore(whole.snapshot())
    assert alerts(restored, halves[1]) == alerts(whole, halves[1])
    assert restored.snapshot() == whole.snapshot()
