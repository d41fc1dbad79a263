"""The command line of workers: their settings' file, and nothing that is not obeyed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[3] / "services"


def started(service: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, str(SERVICES / service), *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("EARLYWARN_")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("service", ["aggregator", "detector"])
def test_a_worker_starts_with_no_argument_that_it_does_not_obey(service: str, tmp_path: Path) -> None:
    helped = started(service, "--help")
    assert (helped.returncode, "--config FILE" in helped.stdout) == (0, True), helped.stderr
    unknown = started(service, "--run", "live")
    assert (unknown.returncode, "unrecognized arguments: --run live" in unknown.stderr) == (2, True), unknown.stderr
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('run = "no name"\n', encoding="utf-8")
    refused = started(service, "--config", str(wrong))
    assert (refused.returncode, f"{wrong}: run = 'no name'" in refused.stderr) == (1, True), refused.stderr
