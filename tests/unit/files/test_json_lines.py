"""Raw JSON Lines: every record once, with its line number, whatever the chunks, ends and compression."""

import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.adapters.files import InputFile, JsonBatch, ReadLimits, RowBatch, open_inputs
from earlywarn.adapters.files.lines import line_blocks
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.errors import InputError

RECORD = b'{"id":"%d","ts":1551702896000,"amount_minor":1234,"currency":"CHF","mcc":"5411","region":"CH04"}'

WORKBOOK = r"an Excel workbook; save the sheet as CSV \(UTF-8\) and run again"
NOBODY = 65_534


def records(file: InputFile) -> list[tuple[int, bytes]]:
    return [
        (line, value)
        for batch in file.batches()
        if isinstance(batch, JsonBatch)
        for line, value in zip(batch.lines, batch.values, strict=True)
    ]


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def zipped(*names: str) -> bytes:
    """Return an archive of files of these names."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(ZipInfo(name), "content")  # its date is fixed: workers must collect alike
    return packed.getvalue()


@pytest.fixture
def other_user() -> Iterator[Path]:
    """A folder of a user for whom files can be closed: of another one where this is root, for whom none can."""
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if before == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(before)


def test_lines_keep_their_numbers_over_blank_lines_crlf_bom_and_a_missing_last_line_end(tmp_path: Path) -> None:
    """Blank lines are skipped and counted; BOM and CR belong to no record."""
    content = b"\xef\xbb\xbf" + RECORD % 1 + b"\r\n\r\n   \r\n" + RECORD % 4 + b"\r\n\r\n" + RECORD % 6
    [file] = open_inputs([written(tmp_path / "a.jsonl", content)])
    assert file.kind == "transactions"
    assert records(file) == [(1, RECORD % 1), (4, RECORD % 4), (6, RECORD % 6)]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 1 << 20])
def test_chunks_of_any_size_give_the_same_records(tmp_path: Path, chunk_bytes: int) -> None:
    expected = [(number, RECORD % number) for number in range(1, 51)]
    content = b"\n".join(value for _, value in expected)
    [file] = open_inputs([written(tmp_path / "a.jsonl", content)], limits=ReadLimits(chunk_bytes=chunk_bytes))
    assert records(file) == expected
    assert records(file) == expected, "a second reading starts from the beginning"
    assert file.position_bytes == file.size_bytes == len(content)


@given(st.lists(st.sampled_from([b"", b"a", b"bb", b"{}" * 9, b"x" * 40]), max_size=12), st.integers(1, 30))
def test_line_blocks_agree_with_split(lines: list[bytes], size: int) -> None:
    """Whatever the chunks: the lines of the content, over-long ones measured and emptied."""
    content = b"\n".join(lines)
    chunks = iter([content[start : start + size] for start in range(0, len(content), size)])
    blocks = list(line_blocks(chunks, 20))
    numbered = {block.first + index: line for block in blocks for index, line in enumerate(block.lines)}
    expected = dict(enumerate(content.split(b"\n"), 1))
    too_long = {line: size for block in blocks for line, size in block.too_long}
    assert too_long == {line: len(text) for line, text in expected.items() if len(text) > 20}
    filled = {line: text for line, text in expected.items() if 0 < len(text) <= 20}
    assert {line: text for line, text in numbered.items() if text} == filled


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 20])
def test_an_over_long_line_is_one_reject_and_its_neighbours_live(tmp_path: Path, chunk_bytes: int) -> None:
    content = RECORD % 1 + b"\n" + b'{"id":"' + b"x" * 5000 + b'"}\n' + RECORD % 3 + b"\n"
    limits = ReadLimits(chunk_bytes=chunk_bytes, record_bytes=1000)
    [file] = open_inputs([written(tmp_path / "a.jsonl", content)], limits=limits)
    assert [line for line, _ in records(file)] == [1, 3]
    [rejects] = [batch for batch in file.batches() if isinstance(batch, RowBatch)]
    [reject] = rejects.records
    assert isinstance(reject, Reject)
    assert (reject.reason, rejects.place(0).line, reject.detail) == (
        RejectReason.TOO_LARGE,
        2,
        "5009 bytes, at most 1000",
    )


def test_gzip_and_zstd_are_seen_by_their_content_in_several_members(tmp_path: Path) -> None:
    """Concatenated members are one content; the name need not say that the file is compressed."""
    first, second = RECORD % 1 + b"\n", RECORD % 2 + b"\n"
    zstd = pa.compress(first, codec="zstd", asbytes=True) + pa.compress(second, codec="zstd", asbytes=True)
    names = [
        written(tmp_path / "a.jsonl.gz", gzip.compress(first) + gzip.compress(second)),
        written(tmp_path / "b.jsonl.zst", zstd),
        written(tmp_path / "c.jsonl", gzip.compress(first + second)),
    ]
    for file in open_inputs(names):
        assert records(file) == [(1, RECORD % 1), (2, RECORD % 2)]
        assert file.position_bytes == file.size_bytes


def test_a_cut_off_gzip_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    lines = b"\n".join(RECORD % (number * 7919 % 100_003) for number in range(20_000))
    name = written(tmp_path / "a.jsonl.gz", gzip.compress(lines)[:-5000])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: .*runcated.*complete copy"):
        [batch for file in open_inputs([name]) for batch in file.batches()]


def test_a_cut_off_file_says_how_far_it_was_read(tmp_path: Path) -> None:
    """Compressed files are read in large pieces: what was read of a small one is all of it, not nothing."""
    lines = b"\n".join(RECORD % (number * 7919 % 100_003) for number in range(20_000))
    cut = gzip.compress(lines)[:20_000]
    name = written(tmp_path / "a.jsonl.gz", cut)
    with pytest.raises(InputError, match="after 20,000 of 20,000 bytes of the file"):
        [batch for file in open_inputs([name]) for batch in file.batches()]


def test_globs_are_sorted_each_file_comes_once_and_no_match_is_an_error(tmp_path: Path) -> None:
    for stem in ("b", "a", "[c]"):
        written(tmp_path / f"{stem}.jsonl", RECORD % 1)
    patterns = [str(tmp_path / "b.jsonl"), str(tmp_path / "*.jsonl"), str(tmp_path / "[c].jsonl")]
    assert [Path(file.name).name for file in open_inputs(patterns)] == ["b.jsonl", "[c].jsonl", "a.jsonl"]
    with pytest.raises(InputError) as caught:
        open_inputs([str(tmp_path / "*.nothing"), str(tmp_path / "absent.csv"), str(tmp_path)])
    lines = str(caught.value).splitlines()
    expected = ["no file matches the pattern", "no such file", "is a folder, not a file"]
    assert [words in line for words, line in zip(expected, lines, strict=True)] == [True] * 3


@pytest.mark.parametrize("name", ["/dev/null", "-"])
def test_what_can_be_read_only_once_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="inputs are read twice; save it to a file first"):
        open_inputs([name])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "empty"),
        ("a.csv", b"\n \n", "empty"),
        ("a.json", b'[{"id":"1"}]', "JSON array"),
        ("a.bin", b"\x00\x01\x02binary", "neither text nor Parquet"),
        ("a.parquet", b"no parquet at all", "not"),
        ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml"), WORKBOOK),
        ("renamed.csv", zipped("docProps/app.xml", "xl/workbook.xml"), WORKBOOK),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), WORKBOOK),
        ("a.zip", zipped("a.csv"), "a.zip: a ZIP archive; unpack it and run again"),
        ("cut.xlsx", zipped("xl/workbook.xml")[:40], WORKBOOK),
        ("cut.csv", zipped("xl/workbook.xml")[:40], "a ZIP archive; unpack it and run again"),
        ("a.csv", b"date,region,sector,amount\n2019-01-01,CH01,x,1\n", "for cells it lacks transactions"),
        (
            "a.csv",
            b"DATE,Region,sector,transactions,amount\n2019-01-01,CH01,x,1,1\n",
            "for cells only the case differs: write date, region for DATE, Region",
        ),
        (
            "a.csv",
            b"Datum;Wert\n2024-01-01;5\n",
            "columns Datum, Wert; one series, without region and sector, is for .* score;",
        ),
        (
            "a.csv",
            b"timestamp,value,note\n2024-01-01,5,x\n",
            "one series, without region and sector, is for earlywarn score;",
        ),
        ("a.csv", b"day,region,value\n2024-01-01,x,1\n", "columns day, region, value; accepted are cells"),
        ("a.csv", b"when,where,what\n1,2,3\n", "found the columns when, where, what; accepted are cells"),
    ],
)
def test_a_file_of_no_known_form_says_what_was_found(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_inputs([written(tmp_path / name, content)])


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_that_this_user_may_not_read_is_not_called_damaged(other_user: Path, closed: str) -> None:
    name = written(other_user / "a.jsonl", RECORD % 1)
    Path(name if closed == "file" else other_user).chmod(0)
    try:
        with pytest.raises(InputError, match=r"a\.jsonl: this user \(uid \d+\) may not read it; give it the right"):
            open_inputs([name])
    finally:
        other_user.chmod(0o700)
