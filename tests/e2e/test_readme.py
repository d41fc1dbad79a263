"""README's commands on the sample run as they stand there, from a fresh clone's folder."""

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from command_line import REPOSITORY, Command, read_alerts


def test_the_commands_on_the_sample_run_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line in a shell, with the installed program on the path; outputs are there, and the query finds them."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = next(text for text in re.findall(r"```sh\n(.+?)```", readme, re.DOTALL) if "data/swiss_cards" in text)
    commands = {line.split()[1] for line in block.splitlines() if line.startswith("earlywarn ")}
    assert commands == {"run", "backtest", "generate", "score", "config"}
    (tmp_path / "data").symlink_to(REPOSITORY / "data")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(  # noqa: S603  # our own page
        ["bash", "-euo", "pipefail", "-c", block],  # noqa: S607  # the shell that a reader has
        cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    for name in re.findall(r"(?:--out|>) (\S+)", block):
        assert (tmp_path / name).exists(), name
    [query] = re.findall(r"```sql\n(.+?)```", readme, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    assert len(duckdb.sql(query).fetchall()) == 8, "seven regions and Liechtenstein"


def test_the_alert_that_it_quotes_is_one_that_the_demo_prints(earlywarn: Command, tmp_path: Path) -> None:
    """Word by word, up to the dash; the remark says when it was raised, how surely, and which revision it is."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    quote = " ".join(line.removeprefix("> ") for line in readme.splitlines() if line.startswith("> "))
    quoted, _, remark = quote.partition(" \u2014 *")
    assert remark
    finished = earlywarn("demo", "--out", tmp_path / "demo", "--no-browser")
    assert finished.returncode == 0, finished.stderr
    printed, words = (" ".join(text.split()) for text in (finished.stdout, quoted))
    assert words in printed
    alerts = read_alerts(tmp_path / "demo")
    [told] = [alert for alert in alerts if " ".join(str(alert["text"]).split()) == words]
    first = next(alert for alert in alerts if alert["id"] == told["id"])
    raised, revised = (date.fromisoformat(str(each["as_of"])) for each in (first, told))
    probability = float(str(first["probability"]))
    surely = "above 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"
    assert f"raised on {raised.day} {raised:%B %Y} with a probability of {surely}," in remark
    assert f"in its revision of {revised.day} {revised:%B};" in remark
