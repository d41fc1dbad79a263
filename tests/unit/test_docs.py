"""The generated pages are fresh and no link is broken."""

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[2] / "docs/build.py"


def test_generated_pages_are_fresh_and_links_whole() -> None:
    finished = subprocess.run([sys.executable, BUILD, "--check"], capture_output=True, text=True, check=False)  # noqa: S603  # our own script
    assert finished.returncode == 0, finished.stdout + finished.stderr
