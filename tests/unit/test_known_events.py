"""The table of known events: what its rows mean in a panel, and what is said of rows that mean nothing."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.adapters.replay.environment import worker_environment
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings, load
from earlywarn.cli.app import app
from earlywarn.domain.known_event import KnownEvents
from earlywarn.errors import ConfigError

HEADER = "name,first_day,last_day,effect,region,sector"
DAY = date(2024, 3, 4)
EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
SCHOOLS = str(EXAMPLES / "school_holidays.csv")


def run(folder: Path, text: str, **panel: object) -> Run:
    path = folder / "events.csv"
    path.write_text(text, encoding="utf-8")
    described: dict[str, object] = {"countries": ("CH",), "classification": "swiss-mcs", **panel}
    settings = PanelSettings(id="CH", known_events=str(path), **described)  # type: ignore[arg-type]
    return compose(Settings(panels=(settings,)))


def events(folder: Path, *rows: str, **panel: object) -> KnownEvents:
    return run(folder, "\n".join((HEADER, *rows)), **panel).panels[0].events


@pytest.mark.parametrize(
    ("region", "inside", "outside"),
    [
        ("CH04", ["CH04"], ["CH05", "online", "9999"]),
        ("CH0", ["CH04", "CH05"], ["online", "9999"]),
        ("CH", ["CH04", "CH05"], ["online", "9999"]),
        ("*", ["CH04", "online", "9999"], []),
        ("online", ["online"], ["CH04"]),
        ("9999", ["9999"], ["CH04"]),
        ("Ticino", ["CH07"], ["CH04"]),
        ("CH-TI", ["CH07"], ["CH04"]),
    ],
)
def test_a_region_holds_what_lies_within_it(region: str, inside: list[str], outside: list[str], tmp_path: Path) -> None:
    found = events(tmp_path, f"Fair,{DAY},{DAY},mute,{region},*", regions={"9999": "Elsewhere"})
    touched = [each for each in (*inside, *outside) if found.touches(found.events[0], each, "retail-food")]
    assert touched == inside


def test_regions_of_names_are_found_by_what_they_mean(tmp_path: Path) -> None:
    panel = {"region_level": "none", "any_region": True, "classification": "open", "holiday_countries": ("CH",)}
    found = events(tmp_path, f"Fair,{DAY},{DAY},mute,CH01,*", f"Strike,{DAY},{DAY},mute,Nowhere,x", **panel)
    fair, strike = found.events
    assert (found.touches(fair, "Lake Geneva", "x"), found.touches(fair, "Zurich", "x")) == (True, False)
    assert (found.touches(strike, "Nowhere", "x"), found.touches(strike, "Nowhere", "y")) == (True, False)


def test_a_sector_is_a_class_or_a_code_that_leads_to_one(tmp_path: Path) -> None:
    row = f"Fair,{DAY},{DAY},widen,*"
    found = events(tmp_path, f"{row},retail-fuel", f"{row},Accommodation")
    assert sorted(str(each.sector) for each in found.events) == ["accommodation", "retail-fuel"]


def test_the_fingerprint_is_that_of_the_events_in_whatever_order(tmp_path: Path) -> None:
    rows = [f"Fair,{DAY},{DAY},widen,*,*", f"Strike,{DAY},{DAY},mute,CH04,*"]

    def fingerprints(*given: str) -> tuple[str, str]:
        found = run(tmp_path, "\n".join((HEADER, *given)))
        return found.fingerprint, found.fold_fingerprint

    one, without = fingerprints(*rows), fingerprints()
    assert fingerprints(*reversed(rows)) == one
    assert fingerprints("# a remark", *rows) == one
    moved = fingerprints(rows[0], rows[1].replace("2024-03-04", "2024-03-03", 1))
    muted = fingerprints(rows[0].replace("widen", "mute"), rows[1])
    assert len({one[0], without[0], moved[0], muted[0]}) == 4
    assert len({one[1], without[1], moved[1], muted[1]}) == 1  # aggregators make the same of all of them
    bare = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",), classification="swiss-mcs"),)))
    assert without == (bare.fingerprint, bare.fold_fingerprint)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Fair,2024-02-30,2024-03-04,mute,*,*", "first_day '2024-02-30' is no date; write it as 2019-12-31"),
        ("Fair,2024-03-04,2024-03-03,mute,*,*", "last_day 2024-03-03 is before first_day 2024-03-04; swap them"),
        ("Fair,2024-03-04,2034-03-04,mute,*,*", "goes on for 3,653 days; give 366 at most"),
        ("Fair,1024-03-04,2024-03-04,mute,*,*", "first_day 1024-03-04: give a day between 1990 and 2100"),
        ("Fair,2024-03-04,2024-03-04,school,*,*", "effect 'school': give widen or mute; school holidays are a table"),
        ("Fair,2024-03-04,2024-03-04,mute,CH99,*", "region 'CH99' is neither NUTS nor of the panel"),
        ("Fair,2024-03-04,2024-03-04,mute,DE1,*", "region 'DE1' is in DE, and no country of the panel"),
        ("Fair,2024-03-04,2024-03-04,mute,CH011,*", "region 'CH011' is a part of CH01, which is judged as one"),
        ("Fair,2024-03-04,2024-03-04,mute,*,acommodation", "did you mean accommodation? (*: all)"),
        ("Fair,2024-03-04,2024-03-04,mute,*,7", "its classes are accommodation, food-beverage-services,"),
        ("Fair,2024-03-04,2024-03-04,mute,*,", "sector is empty; fill it in"),
        (f"{'F' * 101},2024-03-04,2024-03-04,mute,*,*", "name: give 100 letters at most"),
        ("4111 1111 1111 1111,2024-03-04,2024-03-04,mute,*,*", "name: give 100 letters at most, on one line, without"),
    ],
)
def test_a_row_that_means_nothing_is_named_with_what_would_do(row: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        events(tmp_path, f"Strike,{DAY},{DAY},mute,CH04,*", row)
    lines = str(error.value).split("\n")
    assert len(lines) == 1
    assert f"events.csv:3: {said}" in lines[0] or (lines[0].startswith("panel CH: ") and said in lines[0])


def test_every_problem_is_told_and_a_row_stands_once(tmp_path: Path) -> None:
    row = f"Fair,{DAY},{DAY},mute,CH04,*"
    with pytest.raises(ConfigError) as error:
        events(tmp_path, row, f"Fair,x,{DAY},mutes,CH04,*", row)
    told = str(error.value).split("\n")
    assert [line.partition("events.csv:")[2].partition(":")[0] for line in told] == ["3", "3", "4"]
    assert "stands in line 2; remove one" in told[2]


@pytest.mark.parametrize(
    ("effect", "spread", "said"),
    [("widen", "0", "above 0 to 1,000"), ("widen", "much", "above 0 to 1,000"), ("mute", "20", "leave it empty")],
)
def test_a_spread_is_a_share_that_an_event_may_move_a_day_by(
    effect: str, spread: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        run(tmp_path, f"{HEADER},spread_pct\nFair,{DAY},{DAY},{effect},*,*,{spread}\n")


def test_more_events_than_anyone_knows_of_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"10,001 events; give 10,000 at most"):
        events(tmp_path, *[f"Fair {at},{DAY},{DAY},mute,CH04,*" for at in range(10_001)])


def test_the_templates_are_tables_as_they_stand() -> None:
    panel = PanelSettings(
        id="CH",
        countries=("CH",),
        classification="swiss-mcs",
        known_events=str(EXAMPLES / "known_events.csv"),
        school_holidays=SCHOOLS,
    )
    equipped = compose(Settings(panels=(panel,))).panels[0]
    assert [(each.name, each.spread_pct) for each in equipped.events.on(date(2024, 7, 14))] == [
        ("Lake festival", 100),
        ("Lake festival", 50),
        ("Championship final", 50),
    ]
    assert equipped.features.names[-1] == "school"


def test_a_relative_table_is_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(f"{HEADER}\nFair,{DAY},{DAY},mute,CH04,*\n")
    config = tmp_path / "panel.toml"
    config.write_text('[[panels]]\nid = "CH"\ncountries = ["CH"]\nknown_events = "events.csv"\n')
    assert len(compose(load(config, {})).panels[0].events.events) == 1


def test_the_workers_of_a_replay_have_the_tables_of_its_options(tmp_path: Path) -> None:
    composed = run(tmp_path, f"{HEADER}\nFair,{DAY},{DAY},mute,CH04,*\n", school_holidays=SCHOOLS)
    told = worker_environment({}, None, composed.settings, inferred=True)
    theirs = compose(load(None, told))
    assert theirs.panels[0].events.events == composed.panels[0].events.events
    assert theirs.panels[0].described == composed.panels[0].described


def test_the_command_line_takes_tables_where_no_settings_name_a_panel(tmp_path: Path) -> None:
    rows = [f"2024-03-{day:02},CH04,05,10,100" for day in range(1, 9)]
    (tmp_path / "cells.csv").write_text("\n".join(("date,region,sector,transactions,amount", *rows)))
    (tmp_path / "events.csv").write_text(f"{HEADER}\nFair,{DAY},{DAY},mutes,CH04,05\n")
    base = ["run", str(tmp_path / "cells.csv"), "--country", "CH", "--out", str(tmp_path / "out"), "--no-report"]
    bad = CliRunner().invoke(app, [*base, "--known-events", str(tmp_path / "events.csv")])
    assert bad.exit_code == 1
    assert "events.csv:2: effect 'mutes': give widen or mute" in str(bad.exception) + bad.output
    config = tmp_path / "panel.toml"
    config.write_text('[[panels]]\nid = "CH"\ncountries = ["CH"]\n')
    refused = CliRunner().invoke(app, [*base, "--config", str(config), "--known-events", str(tmp_path / "events.csv")])
    assert refused.exit_code == 2
