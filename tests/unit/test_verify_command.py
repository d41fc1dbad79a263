"""What `earlywarn verify` says of an outcome, and with which exit code."""

import json
from types import SimpleNamespace

import msgspec
import pytest
from typer.testing import CliRunner

from earlywarn.application.verification import Verification
from earlywarn.cli import run_settings, verify
from earlywarn.cli.app import app

EQUAL = Verification(
    run="live", messages=38, accepted=38, rejected=0, transactions=38, compared=7, still_open=38, revised_later=0,
    capped=0, cut_off=0, behind=0, found=0, differences=[], remarks=[],
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, 0, "what is published equals the count: 7 buckets"),
        ({"compared": 0}, 3, "nothing could be compared, so nothing is verified: 38 transactions in 38 records"),
        ({"compared": 0, "cut_off": 9, "still_open": 0}, 3, "left out: 9 begun before what is left of the log"),
        ({"compared": 0, "behind": 4}, 1, "4 buckets of series or dead letters are complete in transactions"),
        ({"found": 2}, 1, "2 differences, 2 of them not listed, in 7 buckets"),
    ],
)
def test_nothing_compared_is_not_equal(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], code: int, words: str
) -> None:
    """Who asks a script is told by the exit code; and by the line, and as JSON."""
    outcome = msgspec.structs.replace(EQUAL, **changes)
    monkeypatch.setattr(verify, "running", lambda _config, _run: None)
    monkeypatch.setattr(verify, "verify_run", lambda _run, _tell: outcome)
    told = CliRunner().invoke(app, ["verify"])
    assert (told.exit_code, words in told.stdout) == (code, True), told.stdout
    assert json.loads(CliRunner().invoke(app, ["verify", "--json"]).stdout)["equal"] == (code == 0)


def test_without_settings_the_way_to_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panel that a replay inferred stands nowhere: who verifies its run is not sent to a file that there is not."""
    manifest = SimpleNamespace(block_size=1_000)
    monkeypatch.setattr(run_settings, "read_manifest", lambda _: manifest)
    monkeypatch.delenv("EARLYWARN_CONFIG", raising=False)
    told = str(CliRunner().invoke(app, ["verify", "--run", "inferred"]).exception)
    assert told == "environment: panels: a run needs at least one; give --config FILE, or set EARLYWARN_CONFIG"
    monkeypatch.setenv("EARLYWARN_PANELS", "[]")
    told = str(CliRunner().invoke(app, ["verify", "--run", "inferred"]).exception)
    assert told == "environment (EARLYWARN_PANELS): panels: a run needs at least one; name one there, or unset it"
