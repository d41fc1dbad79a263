"""The command line as a user has it: the installed program in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PANEL, REPOSITORY, SAMPLE, Command


@pytest.fixture(scope="session")
def earlywarn() -> Command:
    """Return a function that runs `earlywarn ARGS` and gives the finished process."""

    def run(*arguments: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "earlywarn", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=500)  # noqa: S603  # our own program

    return run


@pytest.fixture(scope="session")
def swiss_run(earlywarn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the Swiss sample once for all tests; return the folder of its results."""
    out = tmp_path_factory.mktemp("swiss")
    finished = earlywarn("run", SAMPLE, "--config", PANEL, "--mapping", "swiss-cards", "--out", out)
    assert finished.returncode == 0, finished.stderr
    return out
