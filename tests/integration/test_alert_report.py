"""What the report tells of shocks after their last revision: levels that last, levels that went, alerts that stand."""

import re
from datetime import date, datetime, timedelta
from functools import cache
from html import unescape

import pytest
from shocked_panel import FIRST, SHOCK, Change, ShockedPanel, cells, composed

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.following import levels
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.adapters.report.page import render_report
from earlywarn.domain.cell import Cell
from earlywarn.domain.series import Series

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
    """Weeks after the last alarm the front page, the table and the card say that the level has stayed, and its size."""
    collector, words = reported(1000)
    words = words.replace("\u202f", " ")
    told = words[words.index("1 shock lasts as a new level, ") :]
    said = re.search(
        r": Retail: fuel stations, all regions .*? \((card spending|number of card payments) "
        r"\u2212(?P<size>\d+) % against before 4 Jul 2022\)",
        told,
    )
    assert said is not None
    assert int(said["size"]) == pytest.approx(40, abs=4)
    assert re.search(
        r"was as expected at the new level \([2-6] % below the level before 4 July 2022, with the lasting fall in "
        r"Retail: fuel stations, all regions of Testland\)",
        words,
    )
    assert "Lasting as a new level 1" in words
    assert (
        f"It lasts: the 7 days to {LAST.day} {LAST:%b %Y} were {said['size']} % below the level from before it."
        in words
    )
    assert f"new level \u2212{said['size']} %" in words
    card = words[words.index("Lasting as a new level 1") :]
    assert re.search(r"Last alarm \d+ Jul 2022 Accepted as new level \d+ Jul 2022 New level ", card)
    assert "Ended" not in card[: card.index("Figures of")]
    shown = levels([each.latest for each in collector.alerts.values()], collector.panels["CH"].following)
    top = next(each for each in shown.values() if each.alert.series_id == Series("CH", None, "retail-fuel").series_id)
    assert top.day == LAST
    assert top.change_pct == pytest.approx(-40, abs=4)


@pytest.mark.parametrize("sectors", [(), ("Retail: Fuel stations", "Accommodation")])
def test_the_headline_of_a_new_level_says_how_far_it_is_from_before(sectors: tuple[str, ...]) -> None:
    """Read alone, it says that the shock has not gone; also where it is told by several levels of parts."""
    collector, words = reported(1000, 0.68, sectors=sectors)
    shown = levels([each.latest for each in collector.alerts.values()], collector.panels["CH"].following)
    assert ((None, None) in {(each.alert.region, each.alert.sector) for each in shown.values()}) == (not sectors)
    week = [cell for cell in cells(days=DAYS) if cell.day > LAST - timedelta(7)]
    hit = sum(cell.amount_minor for cell in week if not sectors or cell.sector in sectors)
    true = 32 * hit / sum(cell.amount_minor for cell in week)
    said = re.search(
        r"card spending in Testland was (.*?) at the new level \((in all )?(?P<size>\d+) % below the level before "
        r"(?P<since>[^,)]*)(?P<whose>[^)]*)\), inside its usual range",
        words.replace("\u202f", " "),
    )
    assert said is not None
    assert (said[1] == "as expected") == (said[2] is None)
    assert said["since"] == "4 July 2022"
    named = ", with the lasting falls in " if sectors else ""
    assert said["whose"].startswith(named)
    assert ("Accommodation, all regions of Testland" in said["whose"]) == bool(sectors)
    assert bool(said["whose"]) == bool(named), "that of the whole panel needs no name"
    assert int(said["size"]) == pytest.approx(true, abs=4)


def test_a_level_that_went_is_over_and_its_return_is_no_level() -> None:
    """Three weeks of shock: the fall became the level and went again; neither it nor the way back lasts."""
    collector, words = reported(21)
    outcomes = [each.latest.outcome for each in collector.alerts.values() if each.latest.sector == "retail-fuel"]
    assert "accepted" in outcomes
    assert "as a new level," not in words
    assert "at the new level" not in words
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
    words = reported(1000, 0.0, sectors=sectors)[1].replace("\u202f", " ")
    week = [cell for cell in cells(days=DAYS) if cell.day > LAST - timedelta(7)]
    true = sum(cell.amount_minor for cell in week if cell.sector in sectors) / sum(cell.amount_minor for cell in week)
    headline = re.search(r"at the new level \((?:in all )?(\d+) % below the level before 4 July 2022[,)]", words)
    assert headline is not None
    assert int(headline[1]) == pytest.approx(100 * true, rel=0.25)
    assert "1 shock lasts as a new level, " in words
    assert "It lasts: the 7 days to 2 Sep 2022 were 100 % below the level from before it." in words
    assert "It did not last" not in words


def test_a_fall_to_nothing_is_over_when_its_level_is_back() -> None:
    """The models meet the cells anew when these wake; the page knows what they were worth before."""
    words = reported(70, 0.0, history_days=DAYS + 30)[1].replace("\u202f", " ")
    fall = words[words.index("was a new level Retail: fuel stations, all regions of Testland The fall") :]
    back = re.search(r"It did not last: from (\d+) Sep 2022 on, a week was nearer to the level from before it\.", fall)
    assert back is not None
    assert 12 <= int(back[1]) <= 19
    assert "as a new level," not in words


def test_a_level_beyond_an_earlier_one_is_dated_from_before_both() -> None:
    """A fall by 20 % became the level, then spending rose to 150 % of what it was: half as much again, since July."""

    def change(cell: Cell) -> float:
        return 1.0 if cell.day < SHOCK else 0.8 if cell.day < SHOCK + timedelta(35) else 1.5

    words = report_of(change, 260)[1].replace("\u202f", " ")
    headline = re.search(r"\(in all (\d+) % above the level before 4 July 2022[,)]", words)
    named = re.search(r"all regions and sectors \(card spending \+(\d+) % against before 4 Jul 2022\)", words)
    card = re.search(r"It lasts: .*? were (\d+) % above the level from before 4 Jul 2022\.", words)
    cell = re.search(r"Rise new level .*? that began on 8 Aug 2022 has become the new level", words)
    assert headline is not None
    assert named is not None
    assert card is not None
    assert cell is not None
    assert {int(found[1]) for found in (headline, named, card)} == {int(card[1])}
    assert int(card[1]) == pytest.approx(50, abs=4)


def test_a_later_shock_of_a_level_that_came_back_is_its_own() -> None:
    """Two closures with a usual autumn between them: the second one lasts, against before itself."""
    opened, again = SHOCK + timedelta(35), SHOCK + timedelta(84)

    def change(cell: Cell) -> float:
        hit = cell.sector == "Retail: Fuel stations" and (SHOCK <= cell.day < opened or cell.day >= again)
        return 0.5 if hit else 1.0

    words = report_of(change, 310)[1].replace("\u202f", " ")
    assert "1 shock lasts as a new level, " in words
    assert re.search(
        r"Retail: fuel stations, all regions [^()]*\(card \w+ \u2212\d+ % against before 26 Sep 2022\)", words
    )
    assert re.search(r"at the new level \((in all )?\d+ % below the level before 26 September 2022[,)]", words)
    lasting, past = (words.index(heading) for heading in ("Lasting as a new level 1", "was a new level Retail: fuel"))
    assert "began on 26 Sep 2022 has become the new level" in words[lasting:past]
    back = re.search(
        r"led back Retail: fuel stations, .*? It led back: the 7 days to .*? from before 4 Jul 2022\.", words
    )
    assert back is not None
    assert "It did not last: from 1" in words[past:], "the first fall, from its reopening on"


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
