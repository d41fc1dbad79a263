"""`earlywarn config check` takes its file as its argument, and as every other command does."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.cli.app import app
from earlywarn.errors import ConfigError


def test_a_file_is_taken_as_argument_and_as_option(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[[panels]]\nid = "CH"\ncountries = ["CH"]\n', encoding="utf-8")
    ways = [[str(path)], ["--config", str(path)], ["-c", str(path)]]
    shown = [CliRunner().invoke(app, ["config", "check", *way]) for way in ways]
    assert [(each.exit_code, each.output) for each in shown] == [(0, shown[0].output)] * 3
    assert f"{path}: no problems" in shown[0].output
    both = CliRunner().invoke(app, ["config", "check", str(path), "--config", str(path)])
    assert (both.exit_code, "give one of them" in both.output) == (2, True)


@pytest.mark.parametrize("way", [(), ("--config",)])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, way: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["config", "check", *way, str(tmp_path / "none.toml")])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == f"{tmp_path}/none.toml: cannot be read: No such file or directory"
