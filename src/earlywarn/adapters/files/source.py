"""Bytes of a file, decompressed, in chunks, with the position on disk for a progress bar."""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from earlywarn.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PARQUET_MAGIC = b"PAR1"
UTF8_BOM = codecs.BOM_UTF8
UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ByteSource:
    """The content of one file, decompressed by what its first bytes say (gzip, zstd or plain).

    Several gzip members or zstd frames one after the other are read as one content.
    `position_bytes` is how far the file on disk has been read, compressed bytes counted as they lie.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position_bytes = 0

    def head(self, count: int) -> bytes:
        """Return the first `count` decompressed bytes, fewer if the file ends; the position is left alone."""
        position = self.position_bytes
        try:
            parts: list[bytes] = []
            for chunk in self.chunks(count):
                parts.append(chunk)
                if sum(map(len, parts)) >= count:
                    break
            return b"".join(parts)[:count]
        finally:
            self.position_bytes = position

    def chunks(self, chunk_bytes: int) -> Iterator[bytes]:
        """Yield the content in pieces of at most `chunk_bytes`.

        Raises:
            InputError: not readable, or the compressed stream is damaged or cut off.
        """
        self.position_bytes = 0
        require_file(self.path)
        try:
            with pa.OSFile(str(self.path), "rb") as raw:
                codec = _codec(raw.read(4))
                raw.seek(0)
                stream = raw if codec is None else pa.CompressedInputStream(raw, codec)
                while chunk := self._read(stream, raw, chunk_bytes):
                    yield chunk
        except PermissionError as error:
            raise _forbidden(self.path) from error
        except OSError as error:
            raise InputError(
                f"{self.path}: {error}, after {self.position_bytes:,} of {_size_bytes(self.path):,} bytes of the file; "
                "get a complete copy and run again"
            ) from error

    def _read(self, stream: pa.NativeFile, raw: pa.NativeFile, chunk_bytes: int) -> bytes:
        """Return the next piece, and note how far the file was read for it, even if it is damaged there."""
        try:
            return bytes(stream.read(chunk_bytes))
        finally:
            self.position_bytes = raw.tell()


def require_file(path: Path) -> None:
    """Check that `path` is a file that can be read from its beginning again and again.

    Raises:
        InputError: it is not there, a folder, or a pipe such as standard input, which can be read only once; or
            this user may not enter its folder.
    """
    try:
        if path.is_file():
            return
    except PermissionError as error:
        raise _forbidden(path) from error
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a file; name its files, or a glob such as {path / '*.jsonl'}")
    if path.exists() or str(path) == "-":
        raise InputError(f"{path}: a pipe or a device, and inputs are read twice; save it to a file first")
    raise InputError(f"{path}: no such file")


def _forbidden(path: Path) -> InputError:
    return InputError(
        f"{path}: this user (uid {os.geteuid()}) may not read it; give it the right to read the file and to enter its "
        "folder, or run as a user who has it"
    )


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _codec(magic: bytes) -> str | None:
    if magic.startswith(GZIP_MAGIC):
        return "gzip"
    return "zstd" if magic == ZSTD_MAGIC else None


def as_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield text of any `encoding` as UTF-8 without a byte order mark; what does not decode stays as broken bytes."""
    first = next(chunks, b"")
    if codecs.lookup(encoding).name == "utf-8":
        if first := first.removeprefix(UTF8_BOM):
            yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    yield decoder.decode(first).encode("utf-8", "surrogateescape")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
