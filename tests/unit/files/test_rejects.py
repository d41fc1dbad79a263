"""rejects.jsonl: one line per reject, bounded, everything counted."""

from pathlib import Path

import msgspec

from earlywarn.adapters.files import Place, RejectsWriter
from earlywarn.domain.reject import Reject, RejectReason


def test_the_file_is_bounded_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with RejectsWriter(path, lines_kept=2) as writer:
        for line in range(5):
            reason = RejectReason.NOT_JSON if line < 3 else RejectReason.TIME_INVALID
            writer.add(Place("a.jsonl", line), Reject(reason=reason, field="ts", detail="x"))
        assert (writer.total, writer.left_out) == (5, 3)
        assert writer.by_reason == {"not_json": 3, "time_invalid": 2}
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert lines == [
        {"file": "a.jsonl", "line": line, "field": "ts", "reason": "not_json", "detail": "x"} for line in range(2)
    ]
