"""report.html: whatever the data are called and however little there is, a finished page that asks for nothing."""

import base64
import hashlib
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from report_page import EFFECT, FIRST, HOSTILE, SUMMARY, SWISS, alert, collect, make_run, page_of, rows

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.charts import packed
from earlywarn.adapters.report.collector import ALERTS_KEPT, DAYS_KEPT, REVISIONS_KEPT
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.adapters.report.labels import frame, place_labels
from earlywarn.adapters.report.territory import territory
from earlywarn.aggregation.rows import Coverage, Gap
from earlywarn.domain.alert import Evidence
from earlywarn.reference.nuts import ATTRIBUTION, load_regions


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Names of regions, sectors, panels and files are shown as they are written and never become markup."""
    cells = sorted([(HOSTILE, "<b>food"), (HOSTILE, "\u2028javascript:alert(1)"), ("CH04", "<b>food")])
    collector = collect(cells, 160, name=HOSTILE)
    collector.observe(alert(HOSTILE, "<b>food", FIRST + timedelta(150), text=HOSTILE, id=HOSTILE))
    page = page_of(collector, tmp_path)
    assert page.open == []
    assert len(page.scripts) == 3
    assert not [tag for tag, _ in page.elements if tag in {"img", "b"}]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert "alert(1)</script><img" in page.words.replace("&lt;", "<")
    titles = [str(series["name"]) for series in page.data()["panels"][0]["series"]]  # type: ignore[attr-defined]
    assert any(HOSTILE in title for title in titles)


def test_page_asks_for_nothing(tmp_path: Path) -> None:
    """No element loads anything, links stay within the page, and the policy allows the page's own scripts alone."""
    collector = collect(SWISS, 160)
    collector.observe(alert("CH07", None, FIRST + timedelta(150)))
    page = page_of(collector, tmp_path)
    assert not [tag for tag, _ in page.elements if tag in {"link", "img", "iframe", "object", "embed", "base", "form"}]
    for _, attrs in page.elements:
        assert not {"src", "srcset", "action", "data", "poster", "xlink:href"} & set(attrs)
        assert (attrs.get("href") or "#").startswith("#")
        assert "url(" not in (attrs.get("style") or "")
    style = page.text[page.text.index("<style>") : page.text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(str(attrs["content"]) for tag, attrs in page.elements if "http-equiv" in attrs and tag == "meta")
    assert "default-src 'none'" in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    run = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    assert [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run[::-1]] == allowed


def test_links_lead_somewhere(tmp_path: Path) -> None:
    """Every link of the page has its target, and every chart it names is there."""
    collector = collect(SWISS, 160)
    collector.observe(alert("CH07", "food", FIRST + timedelta(150)))
    page = page_of(collector, tmp_path)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    charts = len(page.data()["panels"][0]["series"])  # type: ignore[arg-type]
    for _, attrs in page.elements:
        if attrs.get("href"):
            assert str(attrs["href"])[1:] in ids
        if "data-show" in attrs:
            assert 0 <= int(str(attrs["data-show"])) < charts


def test_figures_of_the_table_are_links_with_names_of_their_own(tmp_path: Path) -> None:
    """Who tabs from link to link hears region and sector; a cell without a figure is read as such, not as a dash."""
    page = page_of(collect([("CH01", "food"), *SWISS], 160), tmp_path)
    for table in re.findall(r'<table class="heat"[^>]*>.*?</table>', page.text, flags=re.DOTALL):
        links = re.findall(r"<td[^>]*><a [^>]*>", table)
        named = re.findall(r'aria-label="([^"]*)"', " ".join(links))
        assert len(named) == len(set(named)) == len(links) > 0
        assert "Ticino, All sectors: 0\u202f%" in named
        assert table.count('<span class="sr-only">no figure</span>') == 1


def test_quiet_run_is_a_finished_page(tmp_path: Path) -> None:
    """Without an alert the page says so, and shows the map, the charts and the figures all the same."""
    page = page_of(collect(SWISS, 160), tmp_path)
    assert "No alert is open." in page.words
    assert "No alerts. In this period nothing departed from what was expected" in page.words
    assert len(page.with_class("region")) == 4  # two regions, two measures
    assert page.with_class("glance")
    assert not page.with_class("card")
    assert ATTRIBUTION in page.words
    assert "region unknown 8" in page.words


def test_regions_without_boundary_are_tiles(tmp_path: Path) -> None:
    """A code that no map knows stands beside the map, and its alert has card and chart like any other."""
    collector = collect(sorted([*SWISS, ("9999", "food")]), 160)
    collector.observe(alert("9999", "food", FIRST + timedelta(150)))
    page = page_of(collector, tmp_path)
    assert "Not on the map" in page.words
    assert len(page.with_class("tile")) == 2
    assert len(page.with_class("card")) == 1
    assert len(page.with_class("chart-link")) == 1


def test_panel_without_any_boundary_has_no_map(tmp_path: Path) -> None:
    """If no region has a boundary, the tiles stand alone."""
    page = page_of(collect([("north", "food"), ("south", "food")], 160), tmp_path)
    assert not page.with_class("map")
    assert len(page.with_class("tile")) == 4


def test_overseas_regions_do_not_shrink_the_map() -> None:
    """Guadeloupe stands beside the map of mainland France; alone it has a map of its own."""
    tree = load_regions()
    assert territory(["FR10", "FRY1"], tree).missing == ("FRY1",)
    assert [shape.code for shape in territory(["FRY1"], tree).shapes] == ["FRY1"]


def test_children_are_folded_into_their_parent(tmp_path: Path) -> None:
    """One shock is one card: parents newest first, children within; severity and direction are words too."""
    collector = collect(SWISS, 160)
    parent = alert("CH07", None, FIRST + timedelta(150), children=("x",))
    collector.observe(parent)
    collector.observe(alert("CH07", "food", FIRST + timedelta(151), parent=parent.id, severity="medium"))
    collector.observe(
        alert(None, "fuel", FIRST + timedelta(120), status="resolved", resolved_on="2019-05-20", direction="up")
    )
    page = page_of(collector, tmp_path)
    assert len(page.with_class("card")) == 3
    assert len(page.with_class("child")) == 1
    assert "1 related alert within it" in page.words
    assert "One alert is open, severe." in page.words
    assert page.words.index("Ticino, all sectors CH07 None") < page.words.index(
        "fuel, all regions of Testland None fuel"
    )
    assert "severe Fall" in page.words
    assert "Rise resolved" in page.words


def test_latest_revision_is_told_and_earlier_ones_listed(tmp_path: Path) -> None:
    """A card tells the latest revision; the earlier ones are folded in; their number is bounded."""
    collector = collect(SWISS, 160)
    first = alert("CH07", "food", FIRST + timedelta(120), text="First words.")
    collector.observe(first)
    for revision in range(2, 30):
        collector.observe(
            msgspec.structs.replace(first, revision=revision, status="updated", text=f"Words {revision}.")
        )
    assert len(collector.alerts[first.id].revisions) == REVISIONS_KEPT
    page = page_of(collector, tmp_path)
    assert page.words.index("Words 29.") < page.words.index("Words 28.") < page.words.index("First words.")


def test_a_deviation_without_an_alert_says_why(tmp_path: Path) -> None:
    """Outside of its usual range and without an alert: the reason stands beside it, from the scores themselves."""
    collector = collect(SWISS, 200, last_factor=0.8)
    page = page_of(collector, tmp_path)
    assert "Outside the usual range of a week, and why there is no alert: 9" in page.words
    why = "no alert: given its past and its neighbours, nothing speaks for a lasting fall that is large enough"
    assert why.replace("\u202f", " ") in page.words.replace("\u202f", " ")
    assert len(page.with_class("flag")) == 3  # those of the legend
    collector.observe(alert(None, None, FIRST + timedelta(195), evidence=(EFFECT,)))
    told = page_of(collector, tmp_path)
    assert "why there is no alert" not in told.words
    titles = [words for _, _, words in told.cells()]
    claim = "card spending down 20\u202f% since 15 Jul 2019"
    assert [title for title in titles if title.endswith(f"; alert: {claim}")]
    assert [title for title in titles if f"; part of the alert of Testland, all regions and sectors ({claim})" in title]
    shown = [text for _, text, _ in told.cells()]
    assert {text.replace("\u202f", " ")[1:] for text in shown} == {
        "20 %!, an alert is open, unusual",
        "20 %! spending, an alert of spending is open, unusual",
        "20 %(!), part of an open alert around it, unusual",
    }


def test_what_does_not_move_along_with_an_alert_around_it_is_no_part_of_it(tmp_path: Path) -> None:
    collector = collect(SWISS, 200, last_factor=0.95)
    collector.observe(alert(None, None, FIRST + timedelta(195), evidence=(EFFECT,)))
    told = page_of(collector, tmp_path)
    assert len(told.with_class("flag")) > 3
    assert "part of" not in "".join(text for _, text, _ in told.cells())
    assert [words for _, _, words in told.cells() if "; within the alert of Testland, all" in words]


def test_a_deviation_after_an_alert_names_its_end(tmp_path: Path) -> None:
    collector = collect(SWISS, 200, last_factor=0.8)
    collector.observe(
        alert(
            None,
            None,
            FIRST + timedelta(195),
            evidence=(EFFECT,),
            status="resolved",
            outcome="accepted",
            resolved_on=(FIRST + timedelta(190)).isoformat(),
        )
    )
    words = page_of(collector, tmp_path).words
    assert "was taken for the new level on 15 Jul 2019" in words
    assert "Figures of 15 Jul 2019" in words


def test_warm_up_and_empty_runs_have_pages(tmp_path: Path) -> None:
    """Before the models are ready, and before the first day, the page says so in plain words."""
    learning = page_of(collect(SWISS, 30), tmp_path)
    assert "The models are still learning what is usual in Testland (30 days seen)." in learning.words
    assert "Alerts 0 none can be raised yet " in learning.words
    nothing = page_of(ReportCollector(make_run()), tmp_path, {})
    assert "No complete day of Testland has been judged yet." in nothing.words
    assert nothing.open == []


def test_missing_data_are_loud(tmp_path: Path) -> None:
    """A coverage alert stands in the first lines; the day stands in the data-quality section."""
    collector = collect(SWISS, 160)
    day = FIRST + timedelta(160)
    collector.observe(rows(day, SWISS, coverage=Coverage(1.0, 0.4, ("source B",))))
    collector.observe(rows(FIRST, SWISS, vintage=1))
    collector.observe(alert(None, None, day, kind="coverage", text="60 % was not reported."))
    page = page_of(collector, tmp_path)
    assert "Mind the data. 60 % was not reported." in page.words
    assert "On 1 of 161 days less than 95" in page.words
    assert "source B" in page.words
    assert "9 published figures on 1 day were revised" in page.words


def test_a_silent_region_is_missing_wherever_a_total_is_shown(tmp_path: Path) -> None:
    """Headline, figures, map, table, list of alerts and data quality agree: it is missing, and one alert is open."""
    collector = collect(SWISS, 200)
    gap = Gap(("CH07",), totals=((None, None, 0.6), (None, "food", 0.5), (None, "fuel", 0.75), ("CH07", None, 0.0)))
    first = FIRST + timedelta(185)
    for offset in range(15):
        day = first + timedelta(offset)
        collector.panels["P"].coverage.remove((day, Coverage()))
        collector.panels["P"].coverage.append((day, Coverage(gap=gap)))
        kept = collector.panels["P"].days[-15 + offset]
        silent = [node.region == "CH07" for node in kept.nodes]
        kept.values[:, :, silent] = np.nan
    collector.observe(alert("CH07", None, first, kind="coverage", severity="high", text="Ticino: nothing came."))
    warning = (
        "panel P: nothing was reported of region CH07 from 2019-07-05 to the end of the input; totals are without it"
    )
    page = page_of(collector, tmp_path, {**SUMMARY, "warnings": [f"{warning}, with a coverage below 1", "other"]})
    assert "card spending in Testland without Ticino was as expected" in page.words
    assert page.words.count("without Ticino") == 3  # the headline and two key figures
    assert "One alert is open, of missing data." in page.words
    assert "Alerts 1 1 open; 1 of missing data" in page.words
    assert "Open now 1" in page.words
    assert "No alert is open" not in page.words
    assert "Coverage 60 % last week; least: 60 % on" in page.words
    assert "every day complete" not in page.words
    since = "Nothing has been reported of Ticino since 5 Jul 2019"
    assert f"{since}: totals of that time are without it" in page.words
    assert "On 15 of 200 days nothing came of one region or more" in page.words
    assert "19 Jul 2019 60 % Ticino" in page.words
    assert warning not in page.words, "its own lines say so already"
    assert page.text.count(f"<li>{since}</li>") == 2, "of each measure in the list of the table's figures"
    assert page.text.count('<td class="unknown">no data</td>') == 6
    labels = re.findall(r"Ticino</tspan><tspan[^>]*>([^<]*)", page.text)
    assert labels == ["no data", "no data"]


def test_a_region_silent_for_a_part_of_the_week_is_named_with_its_days(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    for offset in (196, 197):
        day = FIRST + timedelta(offset)
        collector.panels["P"].coverage.remove((day, Coverage()))
        collector.panels["P"].coverage.append((day, Coverage(gap=Gap(("CH07",), totals=((None, None, 0.6),)))))
    page = page_of(collector, tmp_path)
    assert "card spending in Testland without Ticino (2 days) was" in page.words
    assert "Nothing was reported of Ticino on 2 days of the last week: totals of that time are without it" in page.words


def test_a_region_of_which_a_source_is_silent_is_named(tmp_path: Path) -> None:
    """Of the panel enough is heard, of the region not: it has no figure, and the page says why."""
    collector = collect(SWISS, 200)
    for offset in range(196, 200):
        day = FIRST + timedelta(offset)
        coverage = Coverage(volume=0.97, silent=("source B",), gap=Gap((), ((None, None, 0.97), ("CH07", None, 0.4))))
        collector.panels["P"].coverage.remove((day, Coverage()))
        collector.panels["P"].coverage.append((day, coverage))
    page = page_of(collector, tmp_path)
    assert "card spending in Testland without part of Ticino (4 days) was" in page.words
    assert "Not enough to be judged was reported of Ticino on 4 days of the last week" in page.words
    assert (
        "On 4 of 200 days a source was silent, or records could not be read, without which less than 95" in page.words
    )
    assert "97 % source B" in page.words


@pytest.mark.parametrize(("measure", "beside"), [("transactions", "payments"), ("mean_ticket", "mean payment")])
def test_a_sign_or_level_of_another_measure_names_it(tmp_path: Path, measure: str, beside: str) -> None:
    """Under the switch of the measure nothing stands unnamed that is another's: signs, new levels, the headline."""
    collector = collect(SWISS, 200)
    collector.observe(alert("CH07", None, FIRST + timedelta(195), measure=measure))
    figures = (EFFECT, Evidence(name="last_days_effect", value=-15.0, unit="pct"))
    ended: dict[str, object] = {"status": "resolved", "outcome": "accepted", "resolved_on": "2019-07-10"}
    collector.observe(alert("CH04", "fuel", FIRST + timedelta(180), measure=measure, evidence=figures, **ended))
    page = page_of(collector, tmp_path)
    spending, payments = re.findall(r'<table class="heat"[^>]*>.*?</table>', page.text, flags=re.DOTALL)
    map_of_spending, map_of_payments = re.findall(r'<svg class="map .*?</svg>\n', page.text, flags=re.DOTALL)
    is_other = measure != "transactions"
    named = f'aria-hidden="true">!</span> {beside}</span>'
    assert (spending.count(named), payments.count(named)) == (1, int(is_other))
    level = f"new level, 30 Jun 2019<br>of {beside}"
    assert (level in spending, level in payments) == (True, is_other)
    assert "new level, 30 Jun 2019" in payments
    assert (f"! {beside}</tspan>" in map_of_spending, f"! {beside}</tspan>" in map_of_payments) == (True, is_other)
    words = {"transactions": "card payments", "mean_ticket": "the mean card payment"}[measure]
    assert f"fuel in Z\u00fcrich ({words} down since 30 Jun 2019, 15 % below when it was" in page.words


def test_a_region_with_an_alert_within_it_is_marked(tmp_path: Path) -> None:
    """On the map and in the table, in words that need no colour; what has an alert of its own has that one's sign."""
    collector = collect(SWISS, 200)
    collector.observe(alert("CH07", "fuel", FIRST + timedelta(195), measure="transactions"))
    page = page_of(collector, tmp_path)
    for drawn in re.findall(r'<svg class="map .*?</svg>\n', page.text, flags=re.DOTALL):
        assert re.findall(r">(Z\u00fcrich|Ticino|! within)</tspan>", drawn) == ["Z\u00fcrich", "Ticino", "! within"]
        assert re.search(r"<title>Ticino, all sectors: [^<]*; alert within it, of fuel in Ticino", drawn)
    told = {re.split(r": \d", words)[0] for _, text, words in page.cells() if ", an alert is open within it" in text}
    assert told == {"Testland: all regions and sectors", "Ticino, all sectors", "fuel, all regions"}
    collector.observe(alert("CH07", None, FIRST + timedelta(195)))
    own = page_of(collector, tmp_path)
    assert "! within</tspan>" not in own.text


def test_a_map_of_many_regions_has_signs_though_it_has_no_room_for_figures(tmp_path: Path) -> None:
    codes = [
        f"{code}{at}" for code, count in (("AT1", 3), ("AT2", 2), ("AT3", 4), ("ITC", 4)) for at in range(1, count + 1)
    ]
    codes += [f"{code}{at}" for code, count in (("ITF", 6), ("ITI", 4), ("BE2", 5)) for at in range(1, count + 1)]
    collector = collect(sorted((code, sector) for code in codes for sector in ("food", "fuel")), 120)
    collector.observe(alert("ITC1", None, FIRST + timedelta(115)))
    collector.observe(alert("ITC4", "fuel", FIRST + timedelta(115)))
    spending, payments = re.findall(r'<svg class="map .*?</svg>\n', page_of(collector, tmp_path).text, flags=re.DOTALL)
    signs = [
        re.findall(r'class="map-label map-note"[^>]*aria-hidden="true">([^<]+)<', each) for each in (spending, payments)
    ]
    assert signs == [["!", "! within"], ["! spending", "! within"]]


def test_an_end_says_which_it_is_and_when(tmp_path: Path) -> None:
    """A last alarm is no end: recovered or given up on its own day; the severity is that of the gravest revision."""
    collector = collect(SWISS, 200)
    ended: dict[str, object] = {"status": "resolved", "resolved_on": "2019-05-20", "as_of": "2019-05-29"}
    collector.observe(alert("CH04", "food", FIRST + timedelta(130), outcome="recovered", **ended))
    collector.observe(alert("CH04", "fuel", FIRST + timedelta(130), outcome="faded", **ended))
    words = page_of(collector, tmp_path).words
    assert "was severe Fall recovered food in Z\u00fcrich" in words
    assert "Last alarm 20 May 2019 Recovered 29 May 2019 Figures of 29 May 2019" in words
    assert "was severe Fall no longer told from chance fuel in Z\u00fcrich" in words
    assert "Last alarm 20 May 2019 No longer told from chance 29 May 2019" in words
    assert "Ended" not in words
    assert "An alert that has ended keeps the gravest severity that it ever had" in words


@pytest.mark.parametrize(
    "codes",
    [
        ["AT11", "AT12", "AT13", "AT31"],
        ["DE3", "DE4", "DE5", "DE6", "DE7", "DE8", "DE9", "DEB", "DEC", "DEF"],
        ["CH01", "CH02", "CH03", "CH04", "CH05", "CH06", "CH07"],
        ["BE10", "BE21", "BE22", "BE23", "BE24", "BE25", "BE31", "BE32", "BE33", "BE34", "BE35"],
    ],
)
def test_every_region_of_the_map_has_its_label(codes: list[str]) -> None:
    """Large ones inside, small ones (Wien, Berlin, Brussels) beside with a line, over no other, in the frame."""
    drawn = territory(codes, load_regions())
    labels = place_labels(drawn, lambda code: f"Region of {code}")
    assert set(labels) == set(codes)
    small = {shape.code for shape in drawn.shapes if shape.room <= 34}
    assert {code for code, label in labels.items() if label.line} == small
    assert small.issuperset({"AT13", "DE3", "DE5", "BE10"} & set(codes))
    boxes = [(each.x - each.width / 2 if each.line else each.x - 20, each.y, each.line) for each in labels.values()]
    assert len({(round(x), round(y)) for x, y, _ in boxes}) == len(codes)
    box = frame(drawn, labels.values())
    for label in labels.values():
        assert box.x <= label.x - label.width / 2
        assert label.x + label.width / 2 <= box.x + box.width
        assert box.y <= label.y - 20
        assert label.y + 20 <= box.y + box.height
    outside = [label for label in labels.values() if label.line]
    for one in outside:
        for other in labels.values():
            if one is not other:
                apart_x = abs(one.x - other.x) >= (one.width + max(other.width, 40)) / 2 - 0.2
                assert apart_x or abs(one.y - other.y) >= 22, (one, other)


@pytest.mark.parametrize(("factor", "usual"), [(1.0, True), (0.8, False)])
def test_week_is_judged_against_the_series_own_past(factor: float, usual: bool) -> None:  # noqa: FBT001  # a table
    """A week like its predecessors is usual; one a fifth lower is not, and is stated as a fifth lower."""
    history = PanelHistory(collect(SWISS, 200, last_factor=factor).panels["P"], 0.95)
    week = history.week(("CH07", None), 1)
    assert week is not None
    assert week.is_usual is usual
    assert week.share == pytest.approx(factor - 1, abs=0.02)


def test_total_of_one_region_has_the_values_of_the_panel() -> None:
    """A total that is no node of its own is found all the same."""
    history = PanelHistory(collect([("CH04", "food"), ("CH04", "fuel")], 100).panels["P"], 0.95)
    assert history.place(("CH04", None)) == history.place((None, None))
    assert history.place((None, "food")) == history.place(("CH04", "food"))
    assert history.values(("CH99", None)) is None


def test_memory_is_bounded() -> None:
    """Days, alerts and revisions are kept up to their limits; alerts that are over go first."""
    collector = collect([("CH04", "food")], DAYS_KEPT + 5)
    assert len(collector.panels["P"].days) == DAYS_KEPT
    kept = alert("CH04", "food", FIRST)
    collector.observe(kept)
    for number in range(ALERTS_KEPT + 3):
        collector.observe(alert("CH04", "food", FIRST, id=str(number), status="resolved"))
    assert len(collector.alerts) == ALERTS_KEPT
    assert collector.alerts_left_out == 4
    assert kept.id in collector.alerts


def test_packed_numbers_come_back() -> None:
    """Packed numbers are exact to a 65,534th of their range, unknown ones stay unknown, equal ones exact."""
    values = np.array([5.0, np.nan, 1234.5, 98765.0], dtype=np.float32)
    low, step, text = packed(values)
    whole = np.frombuffer(base64.b64decode(str(text)), dtype="<u2")
    assert whole[1] == 65535
    assert isinstance(low, float)
    assert isinstance(step, float)
    assert low + step * whole[[0, 2, 3]] == pytest.approx(values[[0, 2, 3]], abs=98760 / 65534)
    assert packed(np.full(3, np.nan, dtype=np.float32))[:2] == [0.0, 1.0]
    assert packed(np.full(3, 7.0, dtype=np.float32))[:2] == [7.0, 1.0]


def test_page_is_light(tmp_path: Path) -> None:
    """Without plotly's script a page of 56 cells, 14 months and 40 alerts weighs less than 1.5 MB."""
    regions = ["9999", *(f"CH0{number}" for number in range(1, 8))]
    cells = [(region, f"sector {number}") for region in regions for number in range(7)]
    collector = collect(cells, 425)
    for number, (region, sector) in enumerate(cells[:40]):
        collector.observe(alert(region, sector, FIRST + timedelta(100 + 8 * number)))
    page = page_of(collector, tmp_path)
    assert len(page.with_class("card")) == 40
    assert len(page.text.encode()) - len(get_plotlyjs().encode()) < 1_500_000
