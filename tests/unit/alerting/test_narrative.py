"""What alerts say of odd figures: closures, outages of many days, ends that leave the level open."""

from collections.abc import Iterable
from typing import Self

import msgspec
import pytest

from earlywarn.alerting.narrative import narrate
from earlywarn.domain.alert import SILENT_REGIONS, Alert, Evidence, Outcome, Status


class Named:
    """Codes as names."""

    def region(self, code: str) -> str:
        """Return the code."""
        return code

    sector = panel = region

    def is_part(self, panel: str) -> bool:  # noqa: ARG002  # the same for all
        """Return that the panel is all of what it is called."""
        return False

    def over(self, panel: str, regions: Iterable[str]) -> Self:  # noqa: ARG002  # the same for all
        """Return these."""
        return self

    def currency(self, panel: str) -> str:  # noqa: ARG002  # the same for all
        """Return the Swiss franc."""
        return "CHF"


BARE = Alert(
    id="a", revision=1, sequence=0, run="r", kind="economic", status="open", panel="Testland", level="region",
    series_id="P/A/*", region="A", sector=None, measure="amount", direction="down", severity="high", probability=0.97,
    opened_on="2023-09-05", detected_on="2023-09-05", resolved_on=None, as_of="2023-09-24", observed=None,
    expected=None, lower=None, upper=None, change_pct=None, score=1.2, evidence=(), parent=None, children=(),
    supersedes=None, provisional=False, exercise=False, text="", model_version="1", config_hash="c",
)  # fmt: skip


def told(changes: dict[str, object], **figures: float) -> str:
    evidence = tuple(Evidence(name=name, value=value, unit="pct") for name, value in figures.items())
    alert = msgspec.structs.replace(BARE, evidence=evidence, **changes)
    return narrate(alert, Named()).replace("\u202f", " ").replace("\u2212", "-")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("recovered", "is over. By "), ("faded", "can no longer be told from chance. By ")],
)
def test_an_end_says_whether_the_level_is_back(outcome: Outcome, said: str) -> None:
    figures = {"effect": -29.0, "largest_effect": -29.0, "last_days": 7.0, "last_days_effect": -23.0}
    ends = {"last_days_effect_lower": -44.0, "last_days_effect_upper": 6.0}
    text = told({"status": "resolved", "outcome": outcome, "resolved_on": "2023-09-20"}, **figures, **ends)
    assert f"that began on 5 Sep 2023 {said}" in text
    assert ("between -44 % and +6 %: the level may have stayed" in text) == (outcome == "faded")
    assert ("within chance" in text) == (outcome == "recovered")


def test_a_closure_has_no_interval_of_one_point() -> None:
    text = told({}, effect=-100.0, effect_lower=-100.0, effect_upper=-99.96, days_on_record=248.0)
    assert "between" not in text
    assert "No fall here stood out as much in the 248 days on record before this one." in text


def test_a_record_of_one_day_is_one_day() -> None:
    assert "that stood out as much was 1 day before." in told({}, effect=-9.0, days_since_as_extreme=1.0)


def test_a_record_that_a_wider_alert_interrupts_begins_after_it() -> None:
    """How far the series fell within the wider one is not on record; of a few days since, nothing is said."""
    text = told({}, effect=-9.0, days_since_wider_alert=200.0)
    assert "No fall here stood out as much since an alert of a wider fall ended 200 days before." in text
    assert "stood out" not in told({}, effect=-9.0, days_since_wider_alert=30.0)


def test_contributions_of_nothing_are_left_out() -> None:
    parts = (("P/A/x", 99.8), ("P/A/y", 0.2))
    evidence = tuple(Evidence(name="contribution", value=value, unit="pct", series_id=cell) for cell, value in parts)
    text = narrate(msgspec.structs.replace(BARE, evidence=evidence), Named()).replace("\u202f", " ")
    assert text.endswith("Most of the change: x in A (99.8 %).")


def test_an_outage_is_told_with_its_days() -> None:
    """Twenty days without anything are said to be that; input without a source is called that."""
    notice: dict[str, object] = {"kind": "coverage", "region": None, "status": "resolved", "resolved_on": "2023-09-24"}
    silent = {"silent: partition 0": 1.0}
    assert told(notice, missing_volume=100.0, days_missing=20.0, days_of_nothing=20.0, **silent) == (
        "Testland: nothing was reported from 5 Sep 2023 to 24 Sep 2023 (20 days). "
        "Reporting is complete again after 24 Sep 2023."
    )
    some = told(notice, missing_volume=100.0, days_missing=20.0, days_of_nothing=3.0, **silent)
    assert (
        "too little was reported from 5 Sep 2023 to 24 Sep 2023 (20 days), nothing at all on 3 of these days." in some
    )
    part = told(notice, missing_volume=40.0, days_missing=20.0, days_of_nothing=1.0, **silent)
    assert (
        "nothing at all on 1 of these days and 40 % less than expected on the last of them "
        "(silent: input that names no source)" in part
    )


def test_an_outage_that_goes_on_says_for_how_long() -> None:
    notice: dict[str, object] = {"kind": "coverage", "region": None}
    first = told(
        {**notice, "as_of": "2023-09-05"},
        missing_volume=100.0,
        days_missing=1.0,
        days_of_nothing=1.0,
        alerts_held_back=1.0,
    )
    assert first.startswith(
        "Testland: nothing was reported of 5 Sep 2023. This says nothing about spending, which it may hide;"
    )
    later = told(notice, missing_volume=100.0, days_missing=20.0, days_of_nothing=20.0, alerts_held_back=1.0)
    assert later.startswith("Testland: nothing has been reported since 5 Sep 2023 (20 days, to 24 Sep 2023). This says")
    part = told(notice, missing_volume=40.0, days_missing=20.0, alerts_held_back=1.0)
    assert (
        "too little has been reported since 5 Sep 2023 (20 days, to 24 Sep 2023), 40 % less than expected on the last"
        in part
    )


def test_days_of_nothing_with_others_between_are_told_as_days_of_a_span() -> None:
    """Of a panel of which little is expected on most days; nobody is told that all between were missing."""
    notice: dict[str, object] = {"kind": "coverage", "region": None}
    four = {"missing_volume": 100.0, "days_missing": 4.0, "days_of_nothing": 4.0, "alerts_held_back": 1.0}
    assert told({**notice, "status": "resolved", "resolved_on": "2023-09-26", "as_of": "2023-09-26"}, **four) == (
        "Testland: nothing was reported on 4 of the 22 days from 5 Sep 2023 to 26 Sep 2023. "
        "After 26 Sep 2023 what is expected is reported again."
    )
    assert told({**notice, "as_of": "2023-09-26"}, **four).startswith(
        "Testland: nothing has been reported on 4 of the 22 days since 5 Sep 2023 (to 26 Sep 2023). This says"
    )


def test_one_region_beside_those_that_are_named_is_one() -> None:
    """Of four, three are named."""
    regions = [Evidence(name="missing_volume", value=100.0, unit="pct", series_id=f"P/{each}/*") for each in "ABC"]
    counts = (
        Evidence(name=SILENT_REGIONS, value=4.0, unit="regions"),
        Evidence(name="days_missing", value=1.0, unit="days"),
    )
    notice = msgspec.structs.replace(BARE, kind="coverage", region=None, evidence=(*counts, *regions))
    assert " for A, B, C and 1 more region, in any sector" in narrate(notice, Named())


def test_a_silent_source_says_where_more_is_missing() -> None:
    """The three worst places by name, whatever their level, and how many more."""
    places = (("P/A/*", 90.0), ("P/*/x", 31.0), ("P/B/y", 12.0), ("P/C/*", 8.0), ("P/D/*", 7.0))
    evidence = (
        Evidence(name="missing_volume", value=4.0, unit="pct"),
        *(Evidence(name="missing_volume", value=value, unit="pct", series_id=each) for each, value in places),
        Evidence(name="silent: acquirer", value=1.0, unit="feed"),
    )
    notice = msgspec.structs.replace(BARE, kind="coverage", region=None, as_of="2023-09-05", evidence=evidence)
    assert (
        narrate(notice, Named())
        .replace("\u202f", " ")
        .startswith(
            "Testland: 4 % of the expected volume of 5 Sep 2023 was not reported (silent: acquirer). Where it comes "
            "from, more is missing: 90 % in A, 31 % in x, 12 % in y in B, as much or less in 2 more. This says nothing"
        )
    )


def test_a_silent_region_says_for_how_long() -> None:
    """One day is a day and no period; several are counted, as long as it lasts and when it is over."""
    one, more = ({"missing_volume": 100.0, "days_missing": days, "days_of_nothing": days} for days in (1.0, 20.0))
    kind: dict[str, object] = {"kind": "coverage"}
    over = {**kind, "status": "resolved"}
    assert "nothing was reported of 5 Sep 2023, in any sector" in told({**kind, "as_of": "2023-09-05"}, **one)
    assert "nothing has been reported since 5 Sep 2023 (20 days, to 24 Sep 2023), in any sector" in told(kind, **more)
    few = one | {"days_of_nothing": 0.0}
    assert ": next to nothing was reported of 5 Sep 2023, in any sector" in told({**kind, "as_of": "2023-09-05"}, **few)
    assert "nothing was reported on 5 Sep 2023. It is heard" in told({**over, "resolved_on": "2023-09-05"}, **one)
    assert "nothing was reported from 5 Sep 2023 to 24 Sep 2023 (20 days). It is heard again" in told(
        {**over, "resolved_on": "2023-09-24", "as_of": "2023-09-25"}, **more
    )


def test_beyond_tenfold_a_rise_is_a_multiple_everywhere() -> None:
    """Nobody reads +3 114 %; claim, day, interval and neighbours say it alike, and how a rise ended too."""
    figures = {"effect": 2400.0, "effect_lower": 950.0, "effect_upper": 1_784_716.0, "rest_of_panel": 1300.0}
    day: dict[str, object] = {"observed": 90000.0, "expected": 1000.0, "lower": 500.0, "upper": 2000.0}
    rise: dict[str, object] = {"direction": "up", "change_pct": 8900.0, **day}
    text = told(rise, **figures)
    assert text.startswith("A, all sectors: card spending at 25 times what was expected since 5 Sep 2023. ")
    assert "CHF 900 against CHF 10 expected, 90 times what was expected (usual" in text
    assert "between +950 % and more than 100 times as much" in text
    assert "the rest of the panel 14 times as much" in text
    assert "between 15 and 39 times as much" in told(rise, effect=2400.0, effect_lower=1400.0, effect_upper=3800.0)
    last = {"largest_effect": 4000.0, "last_days": 7.0, "last_days_effect": 2500.0}
    ended: dict[str, object] = {"status": "resolved", "outcome": "accepted", "resolved_on": "2023-09-20"}
    text = told({**rise, **ended}, effect=2400.0, **last)
    assert "it was 25 times what was expected (41 times when it was largest); the last alarm" in text
    assert "The last 7 days were 26 times what was expected, which is now taken as usual" in text


@pytest.mark.parametrize("status", ["updated", "resolved"])
def test_of_less_than_five_payments_a_day_no_percentage_is_told(status: str) -> None:
    figures = {"effect": -50.0, "effect_lower": -70.0, "effect_upper": -20.0}
    figures |= {"last_days": 7.0, "last_days_effect": -40.0, "last_days_effect_lower": -60.0}
    few: dict[str, object] = {"measure": "transactions", "observed": 1.0, "expected": 2.4, "lower": 1.0, "upper": 4.0}
    end: dict[str, object] = {"outcome": "faded", "resolved_on": "2023-09-20"} if status == "resolved" else {}
    text = told({"status": status, "change_pct": -58.0, **few, **end}, **figures)
    assert "1 against 2.4 expected, too little expected for a percentage (usual range 1 to 4)" in text
    without = text.replace("probability of 97 %", "")
    assert " %" not in without, without


@pytest.mark.parametrize(("status", "verb"), [("open", "is"), ("resolved", "was")])
def test_of_an_alert_against_a_level_that_was_a_fall_that_is_said(status: Status, verb: str) -> None:
    """Also of one that has ended: a rise to the old level is no good news of its own."""
    evidence = (Evidence(name="days_since_level_began", value=60.0, unit="days"),)
    alert = msgspec.structs.replace(BARE, evidence=evidence, status=status, direction="up", resolved_on="2023-09-08")
    text = narrate(msgspec.structs.replace(alert, outcome="accepted" if status == "resolved" else None), Named())
    assert f"What {verb} expected {verb} the level of the fall that began on " in text
