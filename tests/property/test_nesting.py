"""Whether a record is nested too deep hangs on its bytes alone: not on who reads it, nor on how deep that stands."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.feeds import FileFeed, feeds_of
from earlywarn.adapters.files import load_mapping, open_inputs
from earlywarn.adapters.kafka.recount import unpacked
from earlywarn.aggregation.intake import decode, decode_one
from earlywarn.aggregation.nesting import NESTING_LIMIT, is_nested_too_deep
from earlywarn.application.aggregator import RECEIVED_HEADER, Aggregator, BlockStart
from earlywarn.application.compose import Run, compose
from earlywarn.application.mending import mended, refusal
from earlywarn.application.recount import Recount
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.mended_letters import read_edits
from earlywarn.domain.reject import Reject
from earlywarn.errors import InputError

TS = 1_551_702_896_000
RECEIVED_MS = TS + 3_600_000
FIELDS = b'{"id":"%d","ts":1551702896000,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04","x":'
DEPTHS = [1, 2, 64, 199, 200, 201, 202, 400, 978, 982, 5_000]
CALLERS = [0, 50, 300]
"""Frames below whoever reads; a decoder gives up some 980 levels above the first of all."""


def nested(depth: int, number: int = 0) -> bytes:
    """Return a record of so many levels, itself the first of them."""
    return FIELDS % number + b"[" * (depth - 1) + b"0" + b"]" * (depth - 1) + b"}"


RECORDS = [nested(depth, number) for number, depth in enumerate(DEPTHS)]
REJECTED = [number for number, depth in enumerate(DEPTHS) if depth > NESTING_LIMIT]


def called_from(frames: int, read: Callable[[], list[int]]) -> list[int]:
    """Return what is rejected where so many more frames are below."""
    return read() if frames == 0 else called_from(frames - 1, read)


def run_of(blocks: int) -> Run:
    settings = Settings(panels=(PanelSettings(id="CH", countries=("CH",)),))
    fold = msgspec.structs.replace(settings.fold, block_size=len(DEPTHS), deduplicate_blocks=blocks)
    return compose(msgspec.structs.replace(settings, fold=fold))


@dataclass
class Batch:
    """Records of one partition from an offset on, with their time of receipt as a header or as the log's time."""

    start: int
    values: Sequence[bytes | None]
    headers: list[list[tuple[str, bytes | None]]] | None = None
    timestamps_ms: int = RECEIVED_MS

    @property
    def offsets(self) -> list[int]:
        return list(range(self.start, self.start + len(self.values)))

    @property
    def next(self) -> int:
        return self.start + len(self.values)


def in_one_go(_folder: Path) -> list[int]:
    return [at for at, outcome in enumerate(decode(RECORDS)) if isinstance(outcome, Reject)]


def one_by_one(_folder: Path) -> list[int]:
    return [at for at, value in enumerate(RECORDS) if isinstance(decode_one(value), Reject)]


def among_short_ones(_folder: Path) -> list[int]:
    return [at for at, value in enumerate(RECORDS) if isinstance(decode([nested(1), value, nested(1)])[1], Reject)]


def rejected_lines(feed: FileFeed) -> list[int]:
    return [
        batch.place(at).line - 1
        for batch in feed.batches()
        for at, each in enumerate(batch.outcomes)
        if isinstance(each, Reject)
    ]


def file_of_transactions(folder: Path) -> list[int]:
    path = folder / "a.jsonl"
    path.write_bytes(b"\n".join(RECORDS))
    [feed] = feeds_of(open_inputs([str(path)]), run_of(0).panels[0].panel.calendar)
    return rejected_lines(feed)


def file_with_a_mapping(folder: Path) -> list[int]:
    (folder / "ours.yaml").write_text(
        "{ name: ours, kind: transactions, columns: "
        "{ id: id, ts: ts, amount_minor: amount_minor, currency: currency, mcc: mcc, region: region } }"
    )
    path = folder / "a.jsonl"
    path.write_bytes(b"\n".join(RECORDS))
    [feed] = feeds_of(open_inputs([str(path)], load_mapping(folder / "ours.yaml")), run_of(0).panels[0].panel.calendar)
    return rejected_lines(feed)


def letters(blocks: int, *batches: Batch, start: int = 0) -> dict[int, str]:
    """Return the reasons of dead letters by offset, of a worker that begins at the start of a block."""
    worker = Aggregator(run_of(blocks), arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0)
    worker.assign({0: BlockStart(start, TS if start else None)}, 1, now_seconds=0.0)
    emissions = [worker.partitions[0].take(batch, 0.0) for batch in batches]
    return {each.offset: each.reject.reason.value for emission in emissions for each in emission.dead_letters}


def partition_of_a_log(_folder: Path) -> list[int]:
    return list(letters(0, Batch(0, RECORDS)))


def partition_of_a_recorded_log(_folder: Path) -> list[int]:
    return list(letters(0, Batch(0, RECORDS, [[(RECEIVED_HEADER, b"%d" % RECEIVED_MS)]] * len(RECORDS))))


def partition_that_is_looked_back_at(_folder: Path) -> list[int]:
    """What is accepted before the block that is read again makes a copy of what comes again; the rejected does not."""
    size = len(RECORDS)
    found = letters(1, Batch(1, RECORDS[1:]), Batch(size, RECORDS[1:]), start=size)
    copies = [offset - size + 1 for offset, reason in found.items() if reason == "duplicate"]
    assert copies == [at for at in range(1, size) if at not in REJECTED]
    return [offset - size + 1 for offset, reason in found.items() if reason == "not_json"]


def recount(_folder: Path) -> list[int]:
    counts = Recount(run_of(0), unpacked, finite=False)
    found = []
    for offset, value in enumerate(RECORDS):
        before = counts.rejected["not_json"]
        counts.take(0, offset, value, [], RECEIVED_MS)
        found += [offset] * (counts.rejected["not_json"] - before)
    return found


def dead_letters(_folder: Path) -> list[int]:
    """Where a letter cannot be mended by a field, it stays as it is, and is refused again."""
    values = [mended(value, {"mcc": "5812"}) for value in RECORDS]
    assert [at for at, value in enumerate(values) if value == RECORDS[at]] == REJECTED
    return [at for at, value in enumerate(values) if refusal(run_of(0), value, RECEIVED_MS) is not None]


@pytest.mark.parametrize("frames", CALLERS)
@pytest.mark.parametrize(
    "read",
    [
        in_one_go, one_by_one, among_short_ones, file_of_transactions, file_with_a_mapping, partition_of_a_log,
        partition_of_a_recorded_log, partition_that_is_looked_back_at, recount, dead_letters,
    ],
)  # fmt: skip
def test_every_reader_rejects_the_same_records(tmp_path: Path, read: Callable[[Path], list[int]], frames: int) -> None:
    assert called_from(frames, lambda: read(tmp_path)) == REJECTED


def test_edits_nested_too_deep_are_told(tmp_path: Path) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_bytes(b'{"key":"0/0/0","value":' + nested(5_000) + b"}")
    with pytest.raises(InputError, match="nested more than 200 deep"):
        read_edits(path)


class Piece(NamedTuple):
    """Some JSON, and how many levels it has."""

    text: str
    depth: int


TEXTS = st.text(st.sampled_from('[]{}"\\ax\n\u00e9'), max_size=300)
LEAVES = TEXTS.map(lambda text: Piece(json.dumps(text, ensure_ascii=False), 0))


@st.composite
def documents(draw: st.DrawFn) -> Piece:
    """Return a document of lists and objects round a leaf, beside texts that are full of brackets."""
    found = draw(LEAVES)
    for _ in range(draw(st.sampled_from([0, 3, *range(195, 206), 300]))):
        beside = draw(st.sampled_from(["", '"[[{{", ', '"\\"[", ', '"\\\\", ', "[], "]))
        is_list = draw(st.booleans())
        inside = found.text if is_list or not beside else f"[{beside}{found.text}]"
        depth = found.depth + (0 if is_list or not beside else 1)
        found = Piece(f"[{beside}{inside}]" if is_list else f'{{"k[": {inside}}}', max(depth, beside == "[], ") + 1)
    return found


@given(document=documents())
@example(document=Piece(json.dumps("[" * 500), 0))
@example(document=Piece('"' + '\\"[' * 500 + '"', 0))
def test_brackets_in_texts_are_none(document: Piece) -> None:
    json.loads(document.text)
    assert is_nested_too_deep(document.text.encode()) == (document.depth > NESTING_LIMIT)


@given(value=st.binary(max_size=20).flatmap(lambda each: st.integers(0, 4_000).map(lambda times: each * times)))
@example(value=b"[" * 60_000)
@example(value=b'"\\' * 30_000)
@example(value=b'{"":' * 15_000)
def test_whatever_the_bytes_are_they_end_no_reader(value: bytes) -> None:
    assert called_from(300, lambda: [isinstance(decode_one(value), Reject)]) == [True]
    assert [type(each) for each in decode([value])] == [Reject]
