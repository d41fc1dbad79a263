"""An open coverage notice whose last revision is some days old is told up to the end of the input."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from report_page import FIRST, SUMMARY, SWISS, alert, collect, page_of

from earlywarn.aggregation.rows import Coverage, Gap, ReadShare
from earlywarn.domain.alert import Evidence

DAYS, BEGAN = 200, 187
SILENT = Coverage(gap=Gap(("CH07",), totals=((None, None, 0.6), ("CH07", None, 0.0))))
IN_PART = Coverage(volume=0.625, silent=("source B",))
NOTHING = Coverage(volume=0.0, silent=("source B",))
ENOUGH = Coverage(volume=0.97, silent=("source B",), gap=Gap((), ((None, None, 0.97), ("CH07", None, 0.4))))
LAST = "19 Jul 2019, the last day of the input"


@pytest.mark.parametrize(
    ("region", "coverage", "said"),
    [
        ("CH07", [SILENT] * 5, f"Still missing on {LAST}: 13 days in all."),
        ("CH07", [NOTHING] * 5, f"Still missing on {LAST}: 13 days in all."),
        ("CH07", [SILENT] * 4 + [Coverage()], f"To {LAST}: missing on 4 of 5 further days, and not yet heard again."),
        (None, [NOTHING] * 5, f"Still missing on {LAST}: 13 days in all."),
        (None, [NOTHING] * 4 + [IN_PART], f"Still missing on {LAST}: 13 days in all, 38 % of the expected volume on"),
        (None, [ENOUGH] * 5, f"Still missing on {LAST}: 13 days in all, 3 % of the expected volume on that one."),
        (None, [], ""),
    ],
)
def test_the_end_of_the_input_is_told(tmp_path: Path, region: str | None, coverage: list[Coverage], said: str) -> None:
    """In the headline's caveat and on the card alike; of a notice of the very last day there is nothing to add."""
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    for offset in range(len(coverage)):
        record.coverage[offset - len(coverage)] = (record.coverage[offset - len(coverage)][0], coverage[offset])
    as_of = FIRST + timedelta(DAYS - 1 - len(coverage))
    days = Evidence(name="days_missing", value=8.0, unit="days")
    changes: dict[str, object] = {"kind": "coverage", "status": "updated", "as_of": as_of.isoformat()}
    collector.observe(alert(region, None, FIRST + timedelta(BEGAN), text="Not heard.", evidence=(days,), **changes))
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    if said:
        assert words.count(f"Not heard. {said}") == 2
    assert ("Still missing" in words or "further day" in words) == bool(said)


def test_a_lost_partition_has_no_days_to_tell_of(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    lost = Evidence(name="lost: partition 3", value=1.0, unit="feed")
    collector.observe(alert(None, None, FIRST + timedelta(BEGAN), kind="coverage", text="Lost.", evidence=(lost,)))
    assert "Still missing" not in page_of(collector, tmp_path).words


def test_a_week_of_nothing_is_without_no_regions(tmp_path: Path) -> None:
    """Where every region was silent there is no total that lacks them."""
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    gap = Gap(("CH04", "CH07"), totals=((None, None, 0.0), ("CH04", None, 0.0), ("CH07", None, 0.0)))
    for at in range(-7, 0):
        record.coverage[at] = (record.coverage[at][0], Coverage(gap=gap))
        record.days[at].values[:] = np.nan
    words = page_of(collector, tmp_path).words
    assert "card spending in Testland could not be judged" in words
    assert "without" not in words[: words.index("Where: the last 7 days")]


def test_many_silent_regions_are_one_sentence(tmp_path: Path) -> None:
    """In the first lines and above the map: three are named, the others counted."""
    regions = [f"CH0{number}" for number in range(1, 8)]
    collector = collect([(region, sector) for region in regions for sector in ("food", "fuel")], DAYS)
    record = collector.panels["P"]
    gap = Gap(tuple(regions[:5]), totals=((None, None, 0.3), *((region, None, 0.0) for region in regions[:5])))
    for at in range(-7, 0):
        record.coverage[at] = (record.coverage[at][0], Coverage(gap=gap))
    for region in regions[:5]:
        began = FIRST + timedelta(DAYS - 7)
        collector.observe(alert(region, None, began, kind="coverage", text=f"{region}: nothing has been reported."))
    page = page_of(collector, tmp_path)
    lead = page.words[: page.words.index("Period")]
    assert "(since 13 Jul 2019) and 2 more regions. That is taken for missing data and not for a fall;" in lead
    assert "nothing has been reported." not in lead
    assert len(page.with_class("absent")) == 1
    assert " and 2 more regions on days of the last week: totals of that time are without them" in page.words


def test_regions_that_lack_one_day_are_in_the_figure_of_the_others(tmp_path: Path) -> None:
    """It is said for how long they were silent; a notice that they have in common is told as one."""
    regions = [f"CH0{number}" for number in range(1, 8)]
    collector = collect([(region, sector) for region in regions for sector in ("food", "fuel")], DAYS)
    record = collector.panels["P"]
    gap = Gap(tuple(regions[:5]), totals=((None, None, 0.3), *((region, None, 0.0) for region in regions[:5])))
    record.coverage[-1] = (record.coverage[-1][0], Coverage(gap=gap))
    silent = Evidence(name="regions_silent", value=5.0, unit="regions")
    named = [Evidence(name="missing_volume", value=100.0, unit="pct", series_id=f"P/{each}/*") for each in regions[:5]]
    last = FIRST + timedelta(DAYS - 1)
    notice = {"kind": "coverage", "text": "Nothing of five.", "evidence": (silent, *named)}
    collector.observe(alert(None, None, last, **notice))
    words = page_of(collector, tmp_path).words
    assert "card spending in Testland without 5 regions (1 day) was " in words
    assert "against expected, without 5 regions (1 day)" in words
    assert "Mind the data. Nothing of five. Period" in words


def test_a_row_that_could_not_be_read_is_named_by_its_sector_and_region(tmp_path: Path) -> None:
    """Not as a region of which not enough was reported: all else of it was."""
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    row = ReadShare("CH07", SWISS[-1][1], 0.0, 0.0, 0.0, 0.1)
    totals = ((None, None, 0.9), ("CH07", None, 0.6))
    record.coverage[-2] = (record.coverage[-2][0], Coverage(gap=Gap((), totals, unread=(row,))))
    words = page_of(collector, tmp_path).words
    assert " in Ticino (1 day) was " in words
    assert "part of Ticino" not in words


@pytest.mark.parametrize(("rejected", "is_said"), [(11, True), (10, False)])
def test_days_that_could_not_be_read_may_be_missing(
    tmp_path: Path,
    rejected: int,
    is_said: bool,  # noqa: FBT001  # a table
) -> None:
    """Records without a date that can be read leave no day that lacks them: the days are not called complete."""
    summary = {**SUMMARY, "rejected": {"time_invalid": rejected, "duplicate_cell": 500}}
    words = page_of(collect(SWISS, DAYS), tmp_path, summary).words.replace("\u202f", " ")
    said = (
        "511 of 1 000 records were rejected (51 %): figures lack 11 of them (the others are copies); days after "
        "19 July 2019 may be missing."
    )
    assert (said in words) == is_said
    assert ("every day complete" in words) != is_said


def test_the_coverage_told_is_that_of_the_week_shown(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    record.coverage[10] = (record.coverage[10][0], Coverage(volume=0.2))
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    assert "Coverage 100 % last week; least: 20 % on 11 January 2019" in words
    for at in range(-7, 0):
        record.coverage[at] = (record.coverage[at][0], Coverage(volume=0.5))
    assert "Coverage 50 % last week" in page_of(collector, tmp_path).words.replace("\u202f", " ")
