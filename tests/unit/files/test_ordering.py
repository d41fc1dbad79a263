"""The external sort: time order and every record once, however small the runs."""

from pathlib import Path

import msgspec
import pytest

from earlywarn.adapters.files import InputDefaults, JsonBatch, RowBatch, ordering, sorted_transactions
from earlywarn.adapters.files.inputs import open_inputs
from earlywarn.errors import InputError

BASE_MS = 1_551_702_896_000


def time_of(value: bytes) -> int | None:
    try:
        return int(msgspec.json.decode(value)["ts"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


def test_records_of_several_files_come_by_time_and_keep_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of a few records and merges in passes give the order of one sort; ties stay as read."""
    monkeypatch.setattr(ordering, "FAN_IN", 3)
    expected = []
    for name, count in (("a", 200), ("b", 150)):
        lines = [
            f'{{"id":"{name}{line}","ts":{BASE_MS + line * 7919 % 97},"amount_minor":1,"currency":"CHF"}}'
            for line in range(1, count)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join([*lines, "broken"]))
        expected += [(BASE_MS + line * 7919 % 97, str(path), line) for line in range(1, count)]
    (tmp_path / "c.csv").write_text("id,ts,amount_minor,currency\nc1,1551702896005,1,CHF\nc2,x,1,CHF\n")
    expected.append((BASE_MS + 5, str(tmp_path / "c.csv"), 2))
    files = open_inputs([str(tmp_path / "*.jsonl"), str(tmp_path / "c.csv")])
    batches = list(sorted_transactions(files, time_of, tmp_path, run_bytes=500))
    unread = [batch for batch in batches if isinstance(batch, RowBatch) or not batch.files]
    assert [(Path(batch.file).name, list(batch.lines)) for batch in unread] == [
        ("a.jsonl", [200]),
        ("b.jsonl", [150]),
        ("c.csv", [3]),
    ]
    found = [
        (time_of(value), batch.place(index).file, batch.place(index).line)
        for batch in batches
        if isinstance(batch, JsonBatch) and batch.files
        for index, value in enumerate(batch.values)
    ]
    assert found == sorted(expected, key=lambda item: item[0])
    assert not list(tmp_path.glob("earlywarn-sort-*")), "the spill files are gone"


def test_cells_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,region,sector,transactions,amount\n2019-01-01,R,s,1,2\n")
    files = open_inputs([str(path)], defaults=InputDefaults(currency="CHF"))
    with pytest.raises(InputError, match="cells are sorted as they are read"):
        list(sorted_transactions(files, time_of, tmp_path))
