"""What tests of the command line share: the sample, and reading what a run wrote."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "data/swiss_cards/region_sector_daily.csv.gz"
PANEL = REPOSITORY / "data/swiss_cards/panel.toml"

Command = Callable[..., subprocess.CompletedProcess[str]]


def read_alerts(out: Path) -> Sequence[dict[str, Any]]:
    """Return the alerts of a run, one revision each."""
    return [json.loads(line) for line in (out / "alerts.jsonl").read_text().splitlines()]
