"""Every number of the settings tree: what is accepted works, what is not is named, and nothing breaks a run later."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import msgspec
import pytest
from shocked_panel import cells, played

from earlywarn.application.compose import compose
from earlywarn.application.environment import variables
from earlywarn.application.settings import PanelSettings, Settings, load
from earlywarn.errors import ConfigError

DAYS = 100
PANEL = (
    '[[panels]]\nid = "CH"\ncountries = ["CH"]\nclassification = "swiss-mcs"\nresolution = "day"\nregion_level = 2\n'
)
EXTREMES = ("0", "-1", "nan", "inf", "1" + "0" * 18, "1e300", "9" * 40)
RUNS = ("fold.", "coverage.", "detection.", "alerts.")
"""Tables that decide what a run in one process does."""
CALM = cells(days=DAYS, regions=(("CH01", 1.0), ("CH04", 1.0)))
"""Long enough for evidence, warm-up and windows."""


def numbers(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, int]]:
    """Yield variable, place and length (0: no list) of every setting that is a number or a list of numbers."""
    for name, (place, hint) in variables(kind).items():
        if hint in {int, float}:
            yield name, place, 0
        elif get_origin(hint) is tuple and get_args(hint)[0] in {int, float}:
            yield name, place, sum(each is not Ellipsis for each in get_args(hint))


FIELDS = list(numbers(Settings))


def test_the_tree_has_the_numbers_that_are_tried() -> None:
    assert {place.rpartition(".")[0] for _, place, _ in FIELDS} >= {
        "fold", "coverage", "alerts", "kafka", "topics", "redis", "snapshots", "service",
        "detection", "detection.regression", "detection.regression.scale", "detection.whitening", "detection.onset",
        "detection.effect", "detection.drift", "detection.mix",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "place", "length"), FIELDS, ids=[place for _, place, _ in FIELDS])
def test_extremes_of_a_setting_work_or_are_refused_by_name(name: str, place: str, length: int, tmp_path: Path) -> None:
    """0, -1, NaN, infinity and huge: an error that names the field and the way out, or a run with alerts and all."""
    path = tmp_path / "panel.toml"
    path.write_text(PANEL)
    for extreme in EXTREMES:
        text = f"[{', '.join([extreme] * length)}]" if length else extreme
        try:
            settings = load(path, {name: text})
        except ConfigError as error:
            line = str(error)
            assert name in line, "the source"
            assert place.rpartition(".")[2] in line or name in line.partition(":")[2]
            assert "\n" not in line, "one problem is one line"
            continue
        assert extreme in {"0", "-1"}, f"{place} = {extreme} is bounded by nothing"
        run = compose(settings)
        if place.startswith(RUNS):
            assert played(run, CALM, lambda cell: 0.5 if (cell.day.month, cell.region) == (4, "CH01") else 1.0).judged


@pytest.mark.parametrize(
    "place", [name for name, hint in PanelSettings.__annotations__.items() if hint in {int, float}]
)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_extremes_of_a_panel_are_refused_by_name(place: str, extreme: str, tmp_path: Path) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(PANEL + f"{place} = {extreme}\n")
    with pytest.raises(ConfigError, match=place):
        compose(load(path, {}))


def test_what_passed_the_check_and_broke_the_run_is_refused_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(PANEL + "[fold]\nblock_size = 0\nlateness_seconds = -5\nrevision_horizon_days = -1\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value).splitlines() == [
        f"{path}: fold.block_size = 0: give from 1 to 10,000,000",
        f"{path}: fold.lateness_seconds = -5: give from 0 to 2,678,400",
        f"{path}: fold.revision_horizon_days = -1: give from 0 to 50,000",
    ]


def test_several_problems_of_a_table_are_lines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(
        PANEL + "[detection.onset]\nclip = 0\nsingle_handicap = -1\n[service]\nport = -1\nflush_seconds = 0\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert [line.removeprefix(f"{path}: ").partition(" = ")[0] for line in str(caught.value).splitlines()] == [
        "detection.onset.clip",
        "detection.onset.single_handicap",
        "service.flush_seconds",
        "service.port",
    ]
