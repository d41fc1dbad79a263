"""What the report tells of shocks after their last revision: levels that last, levels that went, alerts that stand."""

import re
from datetime import date, datetime, timedelta
from functools import cache
from html import unescape

import pytest
from shocked_panel import FIRST, SHOCK, Change, ShockedPanel, cells, composed

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.adapters.report.levels import Returns
from earlywarn.adapters.report.page import render_report
from earlywarn.domain.cell import Cell

DAYS = 245
LAST = date(2022, 1, 1) + timedelta(DAYS - 1)


@cache
def reported(
    days: int, factor: float = 0.6, *, history_days: int = DAYS, sectors: tuple[str, ...] = ("Retail: Fuel stations",)
) -> tuple[ReportCollector, str]:
    """Return the report of a shock of sectors (of all, if none is named) that lasts so many days, and its words."""

    def change(cell: Cell) -> float:
        hit = not sectors or cell.sector in sectors
        hit = hit and SHOCK <= cell.day < SHOCK + timedelta(days)
        return factor if hit else 1.0

    return report_of(change, history_days)


def report_of(change: Change, history_days: int) -> tuple[ReportCollector, str]:
    """Return the report of a changed panel, and its words."""
    run = composed()
    collector = ReportCollector(run)

    class Sink(ShockedPanel):
        def publish(self, output: object) -> None:
            collector.observe(output)  # type: ignore[arg-type]

    panel = Sink(cells(days=history_days), change)
    panel.play(run)
    page = render_report(collector, {})
    return collector, " ".join(
        unescape(re.sub(r"<(script|style|svg).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)).split()
    )


def test_a_week_amid_an_open_alert_is_told_against_the_level_from_before() -> None:
    """The models have half learned the fall by then; the front page and the table say what the alert says."""
    history_days = (SHOCK - date(2022, 1, 1)).days + 13
    collector, words = reported(1000, 0.7, history_days=history_days)
    record = collector.panels["CH"]
    standing = [each.latest for each in collector.alerts.values() if each.is_open]
    assert (None, "retail-fuel") in {(alert.region, alert.sector) for alert in standing}
    learned, before = PanelHistory(record, 0.95), PanelHistory(record, 0.95, standing)
    calm = [cell for cell in cells(days=history_days) if cell.day > SHOCK + timedelta(days=5)]
    fuel, every = (
        sum(cell.amount_minor for cell in calm if sector in (None, cell.sector))
        for sector in ("Retail: Fuel stations", None)
    )
    for key, true in (((None, "retail-fuel"), -0.3), ((None, None), -0.3 * fuel / every), (("CH01", None), None)):
        told, half = before.week(key, 1), learned.week(key, 1)
        assert told is not None
        assert half is not None
        if true is not None:
            assert told.share == pytest.approx(true, abs=0.03)
        assert told.share < half.share
    week = before.week((None, None), 1)
    assert week is not None
    assert f"{abs(100 * week.share):.0f} % below what was expected" in words
    untouched = ("CH02", "accommodation")
    assert before.week(untouched, 1) == learned.week(untouched, 1)


def test_a_level_that_lasts_is_told_as_one() -> None:
    """Weeks after the last alarm the front page and the card say that the level has stayed, by its alert's figures."""
    collector, words = reported(1000)
    words = words.replace("\u202f", " ")
    said = re.search(
        r"1 shock lasts as a new level, now taken as usual: Retail: fuel stations, all regions [^()]*"
        r"\((card spending|card payments) down since 4 Jul 2022, (?P<size>\d+) % below when it was taken as usual on "
        r"(?P<day>\d+ Jul 2022)\)",
        words,
    )
    assert said is not None
    assert int(said["size"]) == pytest.approx(40, abs=4)
    assert "card spending in Testland was as expected, inside its usual range" in words
    assert "Lasting as a new level 1" in words
    card = words[words.index("Lasting as a new level 1") :]
    assert re.search(rf"Last alarm \d+ Jul 2022 Accepted as new level {said['day']} Figures of", card)
    assert f"The last 7 days were {said['size']} % below, which is now taken as usual" in card
    assert "Level back" not in card[: card.index("Figures of")]
    assert lasting_of(collector) == {(None, "retail-fuel")}


def lasting_of(collector: ReportCollector) -> set[tuple[str | None, str | None]]:
    """Return the series of the alerts without a parent whose levels last."""
    alerts = [each.latest for each in collector.alerts.values()]
    record = collector.panels["CH"]
    last = date.fromordinal(record.days[-1].ordinal)
    shown = (
        Returns(alerts, record.following.back).lasting(lambda alert: record.following.lasts(alert, last), last).values()
    )
    return {(each.alert.region, each.alert.sector) for each in shown if each.alert.parent is None}


def test_a_level_that_went_is_over_and_its_return_is_no_level() -> None:
    """Three weeks of shock: the fall became the level and went again; neither it nor the way back lasts."""
    collector, words = reported(21)
    outcomes = [each.latest.outcome for each in collector.alerts.values() if each.latest.sector == "retail-fuel"]
    assert "accepted" in outcomes
    assert "as a new level," not in words
    assert lasting_of(collector) == set()
    assert "Lasting as a new level" not in words
    # The fall was accepted and has come back since: the card says both, each with its day.
    fall = words[words.index("was a new level Retail: fuel stations, all regions of Testland The fall") :]
    fall = fall[: fall.index("Figures of")]
    accepted = re.search(r"Accepted as new level (\d+ \w+ 2022) Level back (\d+ \w+ 2022)", fall)
    assert accepted is not None
    became, back = (datetime.strptime(day, "%d %b %Y").date() for day in accepted.groups())  # noqa: DTZ007  # a day
    assert SHOCK + timedelta(10) <= became <= SHOCK + timedelta(21)
    assert SHOCK + timedelta(21) < back <= SHOCK + timedelta(28)
    assert f"It did not last: from {accepted[2]} on, a week was nearer to the level from before it." in fall
    assert "Ended" not in fall


@pytest.mark.parametrize("sectors", [("Retail: Fuel stations",), ("Retail: Fuel stations", "Accommodation")])
def test_a_fall_to_nothing_lasts_though_nothing_is_expected_any_more(sectors: tuple[str, ...]) -> None:
    """A cell that is silent for four weeks is dormant; three weeks later no baseline knows what it was worth."""
    collector, words = reported(1000, 0.0, sectors=sectors)
    words = words.replace("\u202f", " ")
    assert re.search(r"(1 shock lasts as a new level|\d shocks last as new levels), now taken as usual: ", words)
    assert (None, None if sectors[1:] else "retail-fuel") in lasting_of(collector)
    size = "19" if sectors[1:] else "100"
    assert f"{size} % below when it was taken as usual on 21 Jul 2022" in words
    assert "It did not last" not in words


def test_a_fall_to_nothing_is_over_when_its_level_is_back() -> None:
    """The models meet the cells anew when these wake; the page knows what they were worth before."""
    words = reported(70, 0.0, history_days=DAYS + 30)[1].replace("\u202f", " ")
    fall = words[words.index("was a new level Retail: fuel stations, all regions of Testland The fall") :]
    back = re.search(r"It did not last: from (\d+) Sep 2022 on, a week was nearer to the level from before it\.", fall)
    assert back is not None
    assert 12 <= int(back[1]) <= 19
    assert "as a new level," not in words


def test_a_level_beyond_an_earlier_one_is_no_return() -> None:
    """A fall by 20 % became the level, then spending rose to 150 % of what it was: that is more than its end."""

    def change(cell: Cell) -> float:
        return 1.0 if cell.day < SHOCK else 0.8 if cell.day < SHOCK + timedelta(35) else 1.5

    collector, words = report_of(change, 260)
    words = words.replace("\u202f", " ")
    assert lasting_of(collector) == {(None, None)}
    named = re.search(r"all regions and sectors \(card spending up since 8 Aug 2022, (\d+) % above when it was", words)
    assert named is not None
    assert int(named[1]) == pytest.approx(87, abs=6), "against the level that it left, as its alert says"


def test_a_later_shock_of_a_level_that_came_back_is_its_own() -> None:
    """Two closures with a usual autumn between them: the second one lasts, against before itself."""
    opened, again = SHOCK + timedelta(35), SHOCK + timedelta(84)

    def change(cell: Cell) -> float:
        hit = cell.sector == "Retail: Fuel stations" and (SHOCK <= cell.day < opened or cell.day >= again)
        return 0.5 if hit else 1.0

    words = report_of(change, 310)[1].replace("\u202f", " ")
    assert "1 shock lasts as a new level, " in words
    said = r"Retail: fuel stations, all regions [^()]*\(card \w+ down since 26 Sep 2022, 5\d % below when"
    assert re.search(said, words)
    stands, past = (words.index(heading) for heading in ("Lasting as a new level 1", "was a new level Retail: fuel"))
    assert "began on 26 Sep 2022 has become the new level" in words[stands:past]
    assert "led back Retail: fuel stations" in words
    assert "It did not last: from 1" in words[past:], "the first fall, from its reopening on"


def test_a_part_that_falls_after_the_whole_is_named_in_the_first_lines() -> None:
    """A region collapses days after a national fall: its alert is a part of the national one, and not overlooked."""

    def change(cell: Cell) -> float:
        whole = 0.8 if cell.day >= SHOCK else 1.0
        return whole * 0.2 if cell.region == "CH02" and cell.day >= SHOCK + timedelta(6) else whole

    words = report_of(change, (SHOCK - FIRST).days + 13)[1].replace("\u202f", " ")
    lead = words[words.index("In the week to") : words.index(" Period ")]
    named = re.search(r"Hit hardest in the last week: Espace Mittelland, all sectors \((\d+) % below what was", lead)
    assert named is not None, lead
    assert int(named[1]) == pytest.approx(84, abs=3)


def test_an_open_alert_has_the_figures_of_the_report_s_day() -> None:
    """Between two revisions the card says what came since, and what the last day was."""
    shown = 0
    for days in range(6):
        collector, words = reported(1000, history_days=(SHOCK - date(2022, 1, 1)).days + 4 + days)
        last = collector.panels["CH"].last_scores
        assert last is not None
        for record in collector.alerts.values():
            if record.latest.kind == "economic" and record.is_open and record.latest.detected_on >= SHOCK.isoformat():
                told = f"Since then, to {last.day.day} {last.day:%b %Y}: card "
                assert (told in words) == any(
                    each.latest.as_of < last.day.isoformat() for each in collector.alerts.values() if each.is_open
                )
                shown += told in words
    assert shown


def test_what_is_still_missing_when_the_input_ends_is_said() -> None:
    """A region falls and then falls silent; the notice is revised weekly, the input ends between two revisions."""
    fell, silent, last = date(2022, 5, 1), date(2022, 5, 10), date(2022, 5, 14)

    def change(cell: Cell) -> float:
        if cell.region != "CH03" or cell.day < fell:
            return 1.0
        return 0.6 if cell.day < silent else 0.0

    collector, words = report_of(change, (last - FIRST).days + 1)
    standing = [each.latest for each in collector.alerts.values() if each.is_open]
    assert {(each.kind, each.region) for each in standing} >= {("coverage", "CH03"), ("economic", "CH03")}
    assert all(each.as_of < last.isoformat() for each in standing)
    said = "Still missing on 14 May 2022, the last day of the input: 5 days in all."
    assert words.count(said) == 2, "the headline's caveat and the card"
    assert words.index(said) < words.index("Open now")
    assert "Since then, to 9 May 2022: card spending" in words
    assert "Nothing of it could be judged after 9 May 2022, to 14 May 2022." in words


def test_what_is_not_heard_does_not_count_against_before() -> None:
    """A region that is silent for weeks makes no lasting fall any deeper, nor does what it was worth come back."""
    silent = SHOCK + timedelta(30)

    def change(cell: Cell) -> float:
        if cell.region == "CH01" and cell.day >= silent:
            return 0.0
        return 0.68 if cell.day >= SHOCK else 1.0

    collector, words = report_of(change, (silent - FIRST).days + 45)
    alerts = [each.latest for each in collector.alerts.values()]
    [fall] = [each for each in alerts if each.region is each.sector is None and each.kind == "economic"]
    now = collector.panels["CH"].following.now(fall)
    assert now is not None
    assert now.week_pct == pytest.approx(-32, abs=4)
    assert "1 shock lasts as a new level, now taken as usual: Testland, all regions and sectors (" in words
