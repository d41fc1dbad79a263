"""Outages, closures and lost sources in a generated panel: what is missing is said, and nothing is made of it."""

from datetime import date, timedelta

import msgspec
import pytest
from panel_run import RECEIVED_MS
from prometheus_client import REGISTRY
from sourced_panel import FIRST, SHOCK, Collected, folded, within

from earlywarn.adapters.run_warnings import fold_warnings, silence_warnings
from earlywarn.adapters.stream.detector_metrics import show_fold
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.alerting.words import THIN
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.cell import Cell
from earlywarn.domain.transaction import Transaction


@pytest.fixture(scope="module")
def run() -> Run:
    panel = PanelSettings(id="CH", name="Testland", countries=("CH",), classification="swiss-mcs", resolution="day")
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


def test_a_day_without_data_is_a_coverage_alert_and_mutes_economic_ones(run: Run) -> None:
    """Three days on which nothing comes are an outage: one coverage alert, resolved after it, and no collapse."""
    found, _ = folded(run, lambda cell, _: 0.0 if within(cell, SHOCK, 3) else 1.0)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", "resolved"]
    assert coverage[0].detected_on == SHOCK.isoformat()
    assert coverage[1].resolved_on == (SHOCK + timedelta(days=2)).isoformat()
    assert "says nothing about spending" in coverage[0].text
    assert coverage[1].text == (
        "Testland: nothing was reported from 4 Jul 2022 to 6 Jul 2022 (3 days). "
        "Reporting is complete again after 6 Jul 2022."
    )
    assert found.economic(days=14) == []


def test_an_outage_of_two_months_stays_one_and_no_day_of_it_is_judged(run: Run) -> None:
    """However long nothing comes: one coverage alert, revised weekly until it comes again, and no storm after it."""
    gone = date(2022, 5, 2)
    found, fold = folded(run, lambda cell, _: 0.0 if within(cell, gone, 60) else 1.0)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", *["updated"] * 8, "resolved"]
    assert len({alert.id for alert in coverage}) == 1
    assert "nothing has been reported since 2 May 2022 (8 days, to 9 May 2022)" in coverage[1].text
    assert coverage[-1].resolved_on == (gone + timedelta(days=59)).isoformat()
    assert "nothing was reported from 2 May 2022 to 30 Jun 2022 (60 days)" in coverage[-1].text
    silent = [each for each in found.judged if gone <= each.closed.day < gone + timedelta(days=60)]
    assert len(silent) == 60
    assert {each.closed.coverage.volume for each in silent} == {0.0}
    assert not any(each.scores.usable for each in silent)
    calm, calm_fold = folded(run, lambda *_: 1.0)
    assert len(found.economic(gone)) <= len(calm.economic(gone)) + 2
    (leap,) = fold.leaps()
    assert (leap.panel, leap.silences) == ("CH", 1)
    assert leap.to_seconds - leap.from_seconds == 61 * 86_400
    [line] = fold_warnings(run, fold)
    assert line == (
        "panel CH: nothing between 2022-05-01T14:00:00+02:00 and 2022-07-01T14:00:00+02:00: "
        "an outage, or one wrong time stamp"
    )
    show_fold(0, fold)
    shown = REGISTRY.get_sample_value("earlywarn_panel_longest_leap_seconds", {"panel": "CH"})
    assert (shown, REGISTRY.get_sample_value("earlywarn_panel_leaps", {"panel": "CH"})) == (61 * 86_400, 1)
    assert (list(fold_warnings(run, calm_fold)), calm_fold.leaps()) == ([], [])


def test_a_day_without_anything_is_not_judged_before_anything_is_expected_either(run: Run) -> None:
    found, _ = folded(run, lambda cell, _: 0.0 if within(cell, date(2022, 1, 10), 2) else 1.0)
    assert [each.closed.day.day for each in found.judged[:15] if not each.scores.usable] == [10, 11]
    assert found.of_kind("coverage") == []


def test_a_closed_sector_is_news_and_no_outage(run: Run) -> None:
    """A sector that the law closes is an alert of the sector; all else goes on being judged."""

    def closed(cell: Cell, _: str) -> float:
        if not within(cell, SHOCK, 30):
            return 1.0
        if cell.sector == "Food and beverage services":
            return 0.0
        return 0.5 if (cell.region, cell.sector) == ("CH03", "Accommodation") else 1.0

    found, _ = folded(run, closed)
    assert found.of_kind("coverage") == []
    sectors = {alert.sector for alert in found.economic(days=7)}
    assert {"food-beverage-services", "accommodation"} <= sectors
    assert all(each.scores.usable for each in found.judged)


def test_next_to_nothing_is_not_called_nothing(run: Run) -> None:
    """A hundredth of a region's payments is too little to be judged, and stands in the aggregates all the same."""
    found, _ = folded(run, lambda cell, _: 0.01 if cell.region == "CH04" and within(cell, SHOCK, 3) else 1.0)
    coverage = found.of_kind("coverage")
    assert "next to nothing was reported of 4 Jul 2022, in any sector" in coverage[0].text
    assert "next to nothing was reported from 4 Jul 2022 to 6 Jul 2022 (3 days)" in coverage[-1].text


def test_a_region_of_which_nothing_comes_mutes_no_other(run: Run) -> None:
    """Its silence is told as missing data of that region; nothing is made of it, and what happens elsewhere is told."""

    def silent(cell: Cell, _: str) -> float:
        if not within(cell, SHOCK, 10):
            return 1.0
        return 0.0 if cell.region == "CH04" else 0.6 if cell.region == "CH02" else 1.0

    found, _ = folded(run, silent)
    coverage = found.of_kind("coverage")
    assert [(alert.status, alert.region, alert.level) for alert in coverage] == [
        ("open", "CH04", "region"),
        ("updated", "CH04", "region"),
        ("resolved", "CH04", "region"),
    ]
    assert coverage[0].detected_on == SHOCK.isoformat()
    assert "alerts of this region are held back meanwhile, all others are not" in coverage[0].text
    assert "nothing has been reported since 4 Jul 2022 (8 days, to 11 Jul 2022)" in coverage[1].text
    assert (coverage[2].resolved_on, coverage[2].id) == (
        (SHOCK + timedelta(days=9)).isoformat(),
        coverage[0].id,
    )
    assert "nothing was reported from 4 Jul 2022 to 13 Jul 2022 (10 days). It is heard again" in coverage[2].text
    hinted = [each.closed.day for each in found.judged if each.closed.coverage.quiet == ("region CH04",)]
    silent_days = [SHOCK + timedelta(days=at) for at in range(10)]
    assert hinted == silent_days
    for rows in found.rows:
        heard = dict(zip(rows.series, rows.heard.tolist(), strict=True))
        is_silent = date.fromisoformat(rows.start[:10]) in silent_days
        for series, share in heard.items():
            if series.region is None:
                assert (0.3 < share < 0.95) == is_silent, "a fifth to a half of every total is CH04's"
            else:
                assert share == (0.0 if is_silent and series.region == "CH04" else 1.0)
    assert all(each.scores.usable for each in found.judged)
    assert "CH02" in {alert.region for alert in found.economic(days=10)}
    assert "CH04" not in {alert.region for alert in found.economic(days=40)}
    assert {(alert.region, alert.sector) for alert in found.economic(days=10)} & {(None, None)} == set()


def test_regions_that_fall_silent_together_are_one_notice(run: Run) -> None:
    """It goes on until the last of them is heard."""
    together = {"CH01", "CH02", "CH03"}

    def heard(cell: Cell, _: str) -> float:
        days = 3 if cell.region == "CH03" else 2
        return 0.0 if cell.region in together and within(cell, SHOCK, days) else 1.0

    found, _ = folded(run, heard)
    coverage = found.of_kind("coverage")
    common = [alert for alert in coverage if alert.region is None]
    assert [(alert.status, alert.as_of) for alert in common] == [
        ("open", SHOCK.isoformat()),
        ("updated", (SHOCK + timedelta(days=2)).isoformat()),
        ("resolved", (SHOCK + timedelta(days=3)).isoformat()),
    ]
    assert "nothing was reported of 4 Jul 2022 for Région lémanique, Espace Mittelland and " in common[0].text
    assert "So many at once, this is taken for missing data and not for a fall of spending" in common[0].text
    assert "in any sector" in common[1].text
    assert common[2].text.endswith("They are heard again; their alerts are no longer held back.")
    assert common == coverage
    assert found.economic(days=7) == []
    [line] = silence_warnings(common[:1])
    assert line.startswith("panel CH: nothing was reported of 3 regions from 2022-07-04 to the end of the input; ")


def test_a_source_that_stops_is_named_and_in_time_forgotten(run: Run) -> None:
    """While it is expected, economic alerts are held back; when it is forgotten, the notice says so and ends.

    That its volume is missing from then on is no fall of spending either.
    """
    gone = date(2022, 5, 2)
    found, _ = folded(run, lambda cell, source: 0.0 if source == "small" and cell.day >= gone else 1.0)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", *["updated"] * 4, "resolved"]
    assert "(silent: source small)" in coverage[0].text
    assert [alert.as_of for alert in coverage[1:5]] == [
        (gone + timedelta(days=days)).isoformat() for days in (7, 14, 21, 27)
    ]
    assert "economic alerts are held back meanwhile" in coverage[0].text
    assert "too little has been reported since 2 May 2022 (8 days, to 9 May 2022), 37" in coverage[1].text
    assert "From now on nothing is expected of source small, silent for so long." in coverage[4].text
    assert "Nothing is expected any more of source small; economic alerts go by all others." in coverage[5].text
    assert not any("complete again" in alert.text for alert in coverage)
    assert coverage[5].resolved_on == (gone + timedelta(days=27)).isoformat()
    assert {alert.severity for alert in coverage} == {"high"}
    calm, _ = folded(run, lambda *_: 1.0)
    told, anyway = ({alert.id for alert in each.economic(gone)} for each in (found, calm))
    assert len(told) <= len(anyway) + 1


LOCAL = "tiny"
LOCAL_SHARE = 6.0
"""So many times its usual share, in one region: 15 % of it, and 4 % of the panel."""


def local(cell: Cell, source: str) -> float:
    """Return what comes if the smallest source delivers one region, of which the others leave it a part."""
    return 1.0 if source != LOCAL else LOCAL_SHARE if cell.region == "CH04" else 0.0


@pytest.mark.parametrize("left", [1.0, 0.7])
def test_a_source_under_a_new_name_hides_nothing(run: Run, left: float) -> None:
    """Two fifths of the panel come under another name; a week later all of it falls, or does not."""
    renamed, fall = date(2022, 6, 20), SHOCK

    found = Collected(lambda *_: 1.0)
    found.outcomes = [
        msgspec.structs.replace(each, source="smaller")
        if each.source == "small" and each.ts >= (renamed - date(1970, 1, 1)).days * 86_400_000
        else each
        for each in Collected(lambda cell, _: left if cell.day >= fall else 1.0).outcomes
    ]
    found.play(run)
    assert {alert.text for alert in found.of_kind("coverage")} == {
        (
            "Testland: nothing is expected any more of source small, silent for so long. Nothing is missing without "
            "it; economic alerts go by all others."
        )
    }
    tops = [alert for alert in found.economic(days=5) if alert.parent is None and alert.status == "open"]
    assert [(alert.level, alert.direction) for alert in tops] == ([] if left == 1.0 else [("panel", "down")])


def test_a_source_of_one_region_that_stops_holds_back_that_region_alone(run: Run) -> None:
    """However little of the panel it is: what is missing of the region is no fall there, a fall elsewhere is one."""

    def heard(cell: Cell, source: str) -> float:
        if not within(cell, SHOCK, 10):
            return local(cell, source)
        return 0.0 if source == LOCAL else 0.6 if cell.region == "CH02" else 1.0

    found, _ = folded(run, heard)
    coverage = found.of_kind("coverage")
    assert [(alert.status, alert.level) for alert in coverage] == [
        ("open", "panel"), ("updated", "panel"), ("resolved", "panel"),
    ]  # fmt: skip
    assert coverage[0].text.startswith(
        f"Testland: 4{THIN}% of the expected volume of 4 Jul 2022 was not reported (silent: source tiny). Where it "
        f"comes from, more is missing: "
    )
    assert f"{THIN}% in Zürich" in coverage[0].text, coverage[0].text
    assert "alerts about what is heard in part are held back meanwhile, all others are not" in coverage[0].text
    assert (coverage[0].severity, coverage[0].score > 1) == ("medium", True)
    assert "Reporting is complete again after 13 Jul 2022" in coverage[2].text
    assert "CH04" not in {alert.region for alert in found.economic(days=40)}
    assert "CH02" in {alert.region for alert in found.economic(days=10)}
    for rows in found.rows:
        is_silent = timedelta() <= date.fromisoformat(rows.start[:10]) - SHOCK < timedelta(days=10)
        for series, share in zip(rows.series, rows.volume_heard.tolist(), strict=True):
            part = 0.85 if series.region == "CH04" else 0.96 if series.region is None else 1.0
            assert share == pytest.approx(part if is_silent else 1.0, abs=0.02)


def test_a_source_of_one_region_that_is_gone_for_good_leaves_no_fall_behind(run: Run) -> None:
    """When it is forgotten what is left is the level; a fall from there is told."""
    gone, later = date(2022, 5, 2), date(2022, 8, 1)

    def heard(cell: Cell, source: str) -> float:
        if cell.day < gone:
            return local(cell, source)
        return 0.0 if source == LOCAL else 0.7 if cell.region == "CH04" and cell.day >= later else 1.0

    found, _ = folded(run, heard)
    coverage = found.of_kind("coverage")
    assert "From now on nothing is expected of source tiny, silent for so long." in coverage[-2].text
    assert "economic alerts go by all others" in coverage[-1].text
    told = [alert for alert in found.economic(gone) if alert.region == "CH04" and alert.status == "open"]
    assert [(alert.sector, alert.direction) for alert in told][:1] == [(None, "down")]
    assert date.fromisoformat(told[0].detected_on) >= later


def test_after_a_lost_source_a_fall_is_told_again(run: Run) -> None:
    """What is left of the volume is judged by itself: a region's shock five weeks later is an alert of the region."""
    gone = date(2022, 5, 2)

    def heard(cell: Cell, source: str) -> float:
        if source == "small" and cell.day >= gone:
            return 0.0
        return 0.6 if cell.region == "CH02" and cell.day >= SHOCK else 1.0

    found, _ = folded(run, heard)
    assert ("CH02", None, "down") in {(alert.region, alert.sector, alert.direction) for alert in found.economic(days=5)}


def test_a_tiny_source_that_stops_holds_nothing_back_and_is_told_of_once(run: Run) -> None:
    gone = date(2022, 5, 2)
    found, _ = folded(run, lambda cell, source: 0.0 if source == "tiny" and cell.day >= gone else 1.0)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", "resolved"]
    assert coverage[0].as_of == (gone + timedelta(days=27)).isoformat()
    assert "Economic alerts are not held back" in coverage[0].text
    assert "From now on nothing is expected of source tiny, silent for so long." in coverage[0].text
    assert not any("held back meanwhile" in alert.text or "complete again" in alert.text for alert in coverage)
    assert all(each.scores.usable for each in found.judged)


def test_no_coverage_text_says_that_nothing_was_not_reported(run: Run) -> None:
    """A resolved notice tells the last day of which something was missing, and never a share of 0."""
    found, _ = folded(run, lambda cell, source: 0.0 if source == "big" and within(cell, SHOCK, 5) else 1.0)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", "resolved"]
    assert not any("\u202f% of the expected" in alert.text and " 0\u202f%" in alert.text for alert in coverage)
    assert coverage[0].evidence[0].value == pytest.approx(60, abs=2)
    assert coverage[1].as_of == coverage[1].resolved_on == (SHOCK + timedelta(days=4)).isoformat()


def test_a_record_dated_years_ahead_fills_no_years_and_is_noted(run: Run) -> None:
    """One wrong time stamp: the silence before it is published for a while, then the panel rests until that day."""
    wrong = date(2029, 7, 4)

    def heard(cell: Cell, _: str) -> float:
        return 1.0 if cell.day < date(2022, 3, 1) else 0.0

    collected = Collected(heard)
    last = collected.outcomes[-1]
    assert isinstance(last, Transaction)
    wrong_ms = (wrong - date(1970, 1, 1)).days * 86_400_000
    collected.outcomes.append(
        Transaction(
            id="w", ts=wrong_ms, amount_minor=1, currency="CHF", region="CH01", sector="Accommodation", country="CH"
        )
    )
    fold = collected.play(run)
    days = sorted({rows.start[:10] for rows in collected.rows})
    fill_days = run.settings.coverage.fill_days
    assert len(days) == 59 + fill_days + 1
    assert (days[-2], days[-1]) == ((date(2022, 2, 28) + timedelta(days=fill_days)).isoformat(), wrong.isoformat())
    (leap,) = fold.leaps()
    assert leap.to_seconds // 86_400 == (wrong - date(1970, 1, 1)).days
    assert [alert.status for alert in collected.of_kind("coverage")][:1] == ["open"]


def test_what_an_idle_partition_brings_too_late_is_counted_apart(run: Run) -> None:
    """Beyond reach a row stands in no aggregate; the fold says how many transactions that are, restored as well."""
    fold = compose_fold(run, 2)
    blocks = [run.block_fold(partition, 2) for partition in (0, 1)]

    def bring(partition: int, days: range, *, idle: bool = False) -> None:
        block = blocks[partition]
        block.add(
            range(block.position, block.position + len(days)),
            [
                Transaction(
                    id="t",
                    ts=((FIRST - date(1970, 1, 1)).days + day) * 86_400_000,
                    amount_minor=100,
                    currency="CHF",
                    region="CH01",
                    sector="Accommodation",
                    country="CH",
                )
                for day in days
            ],
            RECEIVED_MS,
        )
        for partial in (block.flush(), block.flush(idle=True) if idle else None):
            if partial is not None:
                rows.extend(output for output in fold.apply(partial) if isinstance(output, AggregateRows))

    rows: list[AggregateRows] = []
    bring(0, range(3))
    bring(1, range(3), idle=True)
    bring(0, range(3, 300))
    bring(1, range(3, 8))
    assert fold.uncounted_transactions == 5
    assert fold.transactions == 300 + 8
    restored = compose_fold(run, 2)
    restored.restore(fold.snapshot())
    assert restored.uncounted_transactions == 5
    assert any(
        line.startswith("5 accepted transactions stand in no aggregate") for line in fold_warnings(run, restored)
    )
    show_fold(7, restored)
    assert REGISTRY.get_sample_value("earlywarn_uncounted_transactions", {"partition": "7"}) == 5
    assert restored.snapshot() == fold.snapshot()
    published = [int(each.transactions[-1]) for each in rows if each.bucket == "day" and int(each.vintage[-1]) == 0]
    assert published == [2] * 3 + [1] * (len(published) - 3)
