"""What alerts say of odd figures: closures, outages of many days, ends that leave the level open."""

import msgspec
import pytest

from earlywarn.alerting.narrative import narrate
from earlywarn.domain.alert import Alert, Evidence, Outcome


class Named:
    """Codes as names."""

    def region(self, code: str) -> str:
        """Return the code."""
        return code

    sector = panel = region

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
    assert "No fall here was as marked in the 248 days on record before this one." in text


def test_a_record_of_one_day_is_one_day() -> None:
    assert "as marked as this was 1 day before." in told({}, effect=-9.0, days_since_as_extreme=1.0)


def test_contributions_of_nothing_are_left_out() -> None:
    parts = (("P/A/x", 99.8), ("P/A/y", 0.2))
    evidence = tuple(Evidence(name="contribution", value=value, unit="pct", series_id=cell) for cell, value in parts)
    text = narrate(msgspec.structs.replace(BARE, evidence=evidence), Named()).replace("\u202f", " ")
    assert text.endswith("Most of the change: x in A (100 %).")


def test_an_outage_is_told_with_its_first_and_last_day() -> None:
    """Twenty days are no single one; input without a source is called that."""
    notice: dict[str, object] = {"kind": "coverage", "region": None, "status": "resolved", "resolved_on": "2023-09-24"}
    assert told(notice, missing_volume=100.0, **{"silent: partition 0": 1.0}) == (
        "Testland: too little was reported from 5 Sep 2023 to 24 Sep 2023, nothing at all on the last of these days. "
        "Reporting is complete again after 24 Sep 2023."
    )
    part = told(notice, missing_volume=40.0, **{"silent: partition 0": 1.0})
    assert (
        "40 % less than expected on the last of these days (silent: input without a source name, partition 0)" in part
    )
    first = told({**notice, "status": "open", "as_of": "2023-09-05"}, missing_volume=100.0, alerts_held_back=1.0)
    assert first.startswith("Testland: nothing was reported of 5 Sep 2023. This says nothing about spending;")
