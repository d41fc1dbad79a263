"""Settings: every problem of a file at once, with its place and the way out."""

from pathlib import Path

import pytest

from earlywarn.application.compose import compose
from earlywarn.application.settings import load_settings
from earlywarn.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "panel.toml"
    path.write_text(text)
    return path


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        rum = "x"
        [fold]
        lateness_seconds = "an hour"
        [alerts]
        quiet_days = 0
        [[panels]]
        id = "A"
        region_level = 7
        """,
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert any("rum: no such setting; did you mean run?" in line for line in lines)
    assert any("fold.lateness_seconds = 'an hour'" in line for line in lines)
    assert any("quiet_days = 0: must be at least 1 day" in line for line in lines)
    assert any("panels[0].region_level = 7" in line for line in lines)


def test_a_zone_with_a_fraction_of_an_hour_needs_a_finer_base_bucket(tmp_path: Path) -> None:
    text = '[[panels]]\nid = "IN"\ncurrency = "INR"\ntime_zone = "Asia/Kolkata"\nany_region = true\nregion_level = 2\n'
    with pytest.raises(ConfigError, match="Asia/Kolkata"):
        compose(load_settings(write(tmp_path, text)))
    run = compose(load_settings(write(tmp_path, text + "base_bucket_seconds = 1800\n")))
    assert run.settings.fold.base_bucket_seconds == 1800


def test_panels_may_not_overlap(tmp_path: Path) -> None:
    text = (
        '[[panels]]\nid = "A"\ncountries = ["CH"]\n[[panels]]\nid = "B"\ncountries = ["CH"]\n[[panels]]\nid = "A/B"\n'
    )
    with pytest.raises(ConfigError) as caught:
        compose(load_settings(write(tmp_path, text)))
    assert "both take CH" in str(caught.value)
    assert "may not be empty or hold" in str(caught.value)


def test_the_fingerprint_changes_with_what_decides_results(tmp_path: Path) -> None:
    """The same settings give the same fingerprint; another threshold, mapping or holiday country another one."""
    base = '[[panels]]\nid = "A"\ncountries = ["CH"]\n'
    one = compose(load_settings(write(tmp_path, base))).fingerprint
    assert compose(load_settings(write(tmp_path, base))).fingerprint == one
    assert compose(load_settings(write(tmp_path, 'run = "other"\n' + base))).fingerprint == one
    for changed in (
        base + "[alerts]\nalarm_evidence = 8.5\n",
        base.replace('"CH"', '"AT"'),
        base + 'classification = "swiss-mcs"\n',
    ):
        assert compose(load_settings(write(tmp_path, changed))).fingerprint != one


def test_rates_are_read_and_checked(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("currency,since,rate\nEUR,2019-01-01,1.1\nXXQ,2019-01-01,2\nUSD,soon,x\n")
    text = '[[panels]]\nid = "A"\ncountries = ["CH"]\nrates = "rates.csv"\n'
    with pytest.raises(ConfigError) as caught:
        compose(load_settings(write(tmp_path, text)))
    assert "rates.csv:3" in str(caught.value)
    assert "rates.csv:4" in str(caught.value)
    (tmp_path / "rates.csv").write_text("currency,since,rate\nEUR,2019-01-01,1.1\n")
    panel = compose(load_settings(write(tmp_path, text))).panels[0].panel
    assert panel.rates.convert(105, "EUR", 737_425) == 116
    assert panel.rates.convert(105, "USD", 737_425) is None
