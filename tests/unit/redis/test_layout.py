"""Keys: all under the run's prefix, none of two runs, and none that a value could break out of."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis_records import make_alert

from earlywarn.adapters.redis.layout import RunLayout, region_lineage
from earlywarn.adapters.redis.scripts import CLEAR, REVISION, ROWS
from earlywarn.domain.alert import STATUSES_OPEN, Severity, Status
from earlywarn.errors import ConfigError

texts = st.text(max_size=12)


@pytest.mark.parametrize("run", ["", "a:b", "a*", "a b", "{a}", "é", "a" * 101])
def test_a_run_that_cannot_be_part_of_a_key_is_refused(run: str) -> None:
    with pytest.raises(ConfigError, match="run = "):
        RunLayout(run)


@given(first=st.tuples(texts, texts), second=st.tuples(texts, texts))
def test_different_names_have_different_keys_without_patterns(first: tuple[str, str], second: tuple[str, str]) -> None:
    layout = RunLayout("live")

    def keys(names: tuple[str, str]) -> list[str]:
        return [
            layout.latest(names[0], "hour"), layout.ranks(names[0], "hour"), layout.alert(names[0]),
            layout.by_region(names[0]), layout.by_sector(names[0]), layout.by_panel(names[1]), layout.by_kind(names[1]),
        ]  # fmt: skip

    assert (keys(first) == keys(second)) == (first == second)
    for key in keys(first):
        assert key.startswith("earlywarn:live:")
        assert key.isascii()
        assert not set("*?[]{}\\ ") & set(key)


@given(
    severity=st.sampled_from(get_args(Severity)),
    status=st.sampled_from(get_args(Status)),
    region=st.none() | st.sampled_from(["CH053", "9999"]),
)
def test_a_revision_enters_and_leaves_every_index_that_can_change(
    severity: Severity, status: Status, region: str | None
) -> None:
    layout = RunLayout("live")
    alert = make_alert("a", 1, 1, severity=severity, status=status, region=region)
    entered, left = list(layout.entered(alert)), list(layout.left(alert))
    assert len(set(entered + left)) == len(entered) + len(left)
    changing = {
        *map(layout.by_severity, get_args(Severity)),
        *map(layout.by_status, get_args(Status)),
        layout.open_alerts,
    }
    assert changing <= set(entered + left)
    assert set(left) <= changing
    assert (layout.open_alerts in entered) == (status in STATUSES_OPEN)


@pytest.mark.parametrize(
    ("region", "lineage"),
    [
        ("CH", ("CH",)),
        ("CH04", ("CH", "CH0", "CH04")),
        ("CH040", ("CH", "CH0", "CH04", "CH040")),
        ("9999", ("9999",)),
        ("online", ("online",)),
        ("CH0401", ("CH0401",)),
        ("", ("",)),
    ],
)
def test_the_subtrees_that_hold_a_region(region: str, lineage: tuple[str, ...]) -> None:
    assert region_lineage(region) == lineage


def test_scripts_name_no_keys_and_hold_no_values_of_a_run() -> None:
    for script in (REVISION, ROWS, CLEAR):
        assert "earlywarn" not in script.text
        assert "loadstring" not in script.text
        assert len(script.digest) == 40
