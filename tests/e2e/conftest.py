"""The command line as a user has it: the installed program in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "data/swiss_cards/region_sector_daily.csv.gz"
PANEL = REPOSITORY / "data/swiss_cards/panel.toml"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def earlywarn() -> Command:
    """Return a function that runs `earlywarn ARGS` and gives the finished process."""

    def run(*arguments: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "earlywarn", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=500)  # noqa: S603

    return run


@pytest.fixture(scope="session")
def swiss_run(earlywarn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the Swiss sample once for all tests; return the folder of its results."""
    out = tmp_path_factory.mktemp("swiss")
    finished = earlywarn("run", SAMPLE, "--config", PANEL, "--mapping", "swiss-cards", "--out", out)
    assert finished.returncode == 0, finished.stderr
    return out


def read_alerts(out: Path) -> Sequence[dict[str, object]]:
    """Return the alerts of a run, one revision each."""
    return [json.loads(line) for line in (out / "alerts.jsonl").read_text().splitlines()]
