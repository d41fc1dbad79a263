"""What a run leaves behind that could not even begin, since its inputs are empty: the same as one without a record."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

import earlywarn
from earlywarn.adapters.run_folder import RunFolder


def leave_failure(out: Path, inputs: Sequence[Path], why: str) -> None:
    """Write summary.json and rejects.jsonl, or failed.* beside results of an earlier run, which stay.

    Raises:
        InputError: they cannot be written.
    """
    summary = {
        "earlywarn": earlywarn.__version__,
        "failed": why,
        "inputs": [str(path) for path in inputs],
        "records": 0,
        "accepted_records": 0,
        "rejected": {},
    }
    with RunFolder(out, inputs) as folder:
        (folder.draft / "rejects.jsonl").write_bytes(b"")
        (folder.draft / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        folder.tell_failure()
