"""What the first lines say of shocks that have become the usual level, and of those that lead back from one."""

from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from report_page import EFFECT, FIRST, SWISS, alert, collect, judged, page_of, rows

from earlywarn.adapters.report import ReportCollector
from earlywarn.domain.alert import Alert, Evidence

DAYS = 200


def lead(collector: ReportCollector, tmp_path: Path) -> str:
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    return words[words.index("In the week to") : words.index(" Period ")]


def level(region: str | None, sector: str | None, pct: float, began: int, taken: int, **changes: object) -> Alert:
    """Return an alert that began and was taken as usual on days of the panel, with its change when it was."""
    figures = [Evidence(name="last_days_effect", value=pct, unit="pct")]
    if (since := changes.pop("leads_back_from", None)) is not None:
        figures.append(Evidence(name="days_since_level_began", value=float(taken - int(str(since))), unit="days"))
    is_open = bool(changes.pop("is_open", False))
    as_of = (FIRST + timedelta(taken)).isoformat()
    ended: dict[str, object] = {} if is_open else {"status": "resolved", "outcome": "accepted", "resolved_on": as_of}
    changes = {"as_of": as_of, "evidence": tuple(figures), "direction": "down" if pct < 0 else "up", **ended, **changes}
    return alert(region, sector, FIRST + timedelta(began), **changes)


def test_a_level_is_told_by_what_its_alert_published(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    collector.observe(level("CH04", "fuel", -40.0, 150, 165))
    told = lead(collector, tmp_path)
    assert "as expected, inside its usual range" in told
    assert "at the new level" not in told
    assert (
        "1 shock lasts as a new level, now taken as usual: fuel in Z\u00fcrich (card spending down since 31 May 2019, "
        "40 % below when it was taken as usual on 15 Jun 2019)." in told
    )


def test_the_gravest_two_are_named_and_the_others_counted(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    for (region, sector), severity in zip(SWISS, ("medium", "severe", "high", "medium"), strict=True):
        collector.observe(level(region, sector, -40.0, 150, 165, severity=severity))
    told = lead(collector, tmp_path)
    assert "4 shocks last as new levels, now taken as usual: fuel in Z\u00fcrich (" in told
    assert told.index("fuel in Z\u00fcrich") < told.index("food in Ticino")
    assert told.endswith(") and 2 more.")


def test_a_level_that_was_left_is_over_and_so_are_its_parts(tmp_path: Path) -> None:
    """A closure ended: neither it lasts, nor a part of it whose own way back was no alert, nor the way back."""
    collector = collect(SWISS, DAYS)
    fall = level(None, None, -67.0, 130, 145)
    collector.observe(fall)
    collector.observe(level("CH04", "fuel", -60.0, 130, 145, parent=fall.id))
    back = level(None, None, 203.0, 160, 170, leads_back_from=130)
    collector.observe(back)
    collector.observe(level("CH07", "fuel", 150.0, 160, 170, parent=back.id))
    page = page_of(collector, tmp_path)
    assert "No alert is open; 2 earlier alerts are over." in page.words
    assert "as a new level" not in lead(collector, tmp_path)
    assert not [words for _, _, words in page.cells() if "new level" in words]
    assert "was severe Rise led back" in page.words


def test_a_part_lasts_with_its_wider_alert(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    fall = level(None, None, -30.0, 160, 175)
    collector.observe(fall)
    collector.observe(level("CH04", "fuel", -60.0, 160, 175, parent=fall.id))
    page = page_of(collector, tmp_path)
    assert "1 shock lasts as a new level, now taken as usual: Testland, all regions and sectors (" in page.words
    marked = [text for measure, text, _ in page.cells() if measure == "amount" and "new level, 25 Jun 2019" in text]
    assert len(marked) == 2, "of the whole and of the cell"


def test_a_return_that_is_open_is_no_boom(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    collector.observe(level("CH07", None, -88.0, 170, 185))
    effect = Evidence(name="effect", value=727.0, unit="pct")
    back = level("CH07", None, 727.0, 195, 198, leads_back_from=170, is_open=True, observed=826_700_00.0)
    collector.observe(msgspec.structs.replace(back, expected=100_000_00.0, evidence=(effect, *back.evidence[1:])))
    told = lead(collector, tmp_path)
    assert "727" not in told
    assert (
        "Ticino, all sectors (back from the fall of 20 Jun 2019: card spending CHF 826 700 on 18 Jul 2019, against "
        "CHF 100 000 at that level)" in told
    )
    assert "as a new level" not in told, "its level is being left"


def test_a_week_of_return_is_held_against_what_it_returns_from(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS, last_factor=1.6)
    collector.observe(level(None, None, -60.0, 170, 185))
    collector.observe(level(None, None, 150.0, 195, 198, leads_back_from=170, is_open=True))
    assert "60 % above the level of the fall of 20 Jun 2019, from which it is coming back" in lead(collector, tmp_path)
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    assert words.count("last week +60 % against the level of the fall of 20 Jun 2019") == 2, "the key figures"


def test_a_closure_after_a_season_s_rise_is_more_than_its_end(tmp_path: Path) -> None:
    """It leads back from the rise, and far beyond: it lasts, and while it is open it is named as a fall."""
    collector = collect(SWISS, DAYS)
    collector.observe(level(None, None, 15.0, 120, 135))
    collector.observe(level(None, None, -67.0, 160, 175, leads_back_from=120))
    told = lead(collector, tmp_path)
    assert "1 shock lasts as a new level, now taken as usual: Testland" in told
    assert "67 % below when it was taken as usual" in told
    collector.observe(level("CH04", None, 15.0, 120, 135))
    collector.observe(
        alert(
            "CH04",
            None,
            FIRST + timedelta(195),
            evidence=(EFFECT, *level("CH04", None, -66.0, 190, 195, leads_back_from=120).evidence),
        )
    )
    assert "Z\u00fcrich, all sectors (card spending down 20 % since" in lead(collector, tmp_path)


def test_a_second_closure_is_no_return(tmp_path: Path) -> None:
    """It leads back from the reopening, which was the return."""
    collector = collect(SWISS, DAYS)
    collector.observe(level("CH04", None, -50.0, 120, 130))
    collector.observe(level("CH04", None, 100.0, 145, 155, leads_back_from=120))
    collector.observe(level("CH04", None, -52.0, 170, 180, leads_back_from=145))
    told = lead(collector, tmp_path)
    assert (
        "1 shock lasts as a new level, now taken as usual: Z\u00fcrich, all sectors (card spending down since" in told
    )
    assert "52 % below when it was taken as usual on 30 Jun 2019" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((-25.0, -31.0, 104.0), ""),
        ((44.0, -50.0, 37.0), ""),
        ((-60.0, 100.0), "20 % below what it was before 11 May 2019: down 60 % since 11 May 2019, then up 100 % since"),
        ((-40.0, 117.0), "30 % above what it was before 11 May 2019: down 40 % since 11 May 2019, then up 117 % since"),
        (
            (-20.0, -25.0),
            "40 % below what it was before 11 May 2019: down 20 % since 11 May 2019, then down 25 % since",
        ),
    ],
)
def test_levels_that_follow_each_other_come_to_the_product_of_their_changes(
    tmp_path: Path, changes: tuple[float, ...], told: str
) -> None:
    """Whatever an alert leads back from by its own words: two falls and a way back over both are nothing."""
    collector = collect(SWISS, DAYS)
    for at, change in enumerate(changes):
        collector.observe(level("CH04", None, change, 130 + 20 * at, 140 + 20 * at))
    words = lead(collector, tmp_path)
    if told:
        assert (
            "1 shock lasts as a new level, now taken as usual: Z\u00fcrich, all sectors (card spending " + told in words
        )
    else:
        assert f"No alert is open; {len(changes)} earlier alerts are over." in words
        assert "as a new level" not in words


def test_a_level_is_told_for_half_a_year(tmp_path: Path) -> None:
    told = []
    for days in (320, 330):
        collector = collect(SWISS, days)
        collector.observe(level("CH04", None, -30.0, 130, 140))
        told.append("1 shock lasts" in lead(collector, tmp_path))
    assert told == [True, False]


def test_what_undoes_a_little_of_a_level_leaves_it(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    collector.observe(level("CH04", None, -66.0, 130, 145))
    collector.observe(level("CH04", None, 30.0, 160, 170, leads_back_from=130))
    assert "1 shock lasts as a new level, now taken as usual: Z\u00fcrich, all sectors (" in lead(collector, tmp_path)


def test_of_what_was_not_heard_last_week_no_level_is_told(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS - 8)
    for offset in range(DAYS - 8, DAYS):
        day = FIRST + timedelta(offset)
        made = judged(day, SWISS)
        silent = np.array([node.region == "CH07" for node in made.scores.nodes])
        for deviation in (made.scores.transactions, made.scores.amount, made.scores.mean_ticket):
            deviation.observed[silent] = np.nan
        collector.observe(rows(day, SWISS))
        collector.observe(made)
    collector.observe(level("CH07", "fuel", -40.0, 150, 165))
    assert "as a new level" not in lead(collector, tmp_path)
    collector.observe(level("CH04", "fuel", -40.0, 150, 165))
    assert "1 shock lasts as a new level, now taken as usual: fuel in Z\u00fcrich" in lead(collector, tmp_path)


@pytest.mark.parametrize(("taken", "is_said"), [(195, True), (160, False)])
def test_an_unusual_week_after_a_new_level_says_when_that_was_taken(
    tmp_path: Path,
    taken: int,
    is_said: bool,  # noqa: FBT001  # a table
) -> None:
    """What is expected still lies between two levels then."""
    collector = collect(SWISS, DAYS, last_factor=0.73)
    collector.observe(level(None, None, -67.0, 140, taken))
    told = lead(collector, tmp_path)
    assert "27 % below what was expected, outside its usual range" in told
    assert ("; a new level was taken as usual only on 15 July 2019." in told) == is_said
