"""The records' bytes of one of Kafka's batches, unpacked as they are read, so that no batch is held as a whole.

A few kilobytes may unpack to gigabytes. pyarrow's streams unpack gzip, LZ4 and Zstandard as far as they are asked to;
Snappy knows only blocks, none of which can grow to more than some twenty times its size.
"""

import struct
from collections.abc import Callable, Iterator

import cramjam
import pyarrow as pa
from aiokafka.errors import CorruptRecordException

NO_CODEC = 0
_CODECS = {1: "gzip", 3: "lz4", 4: "zstd"}
_SNAPPY = 2
_XERIAL = b"\x82SNAPPY\x00"  # how the Java library's framing of Snappy's blocks begins
_XERIAL_BYTES = 16
_LONGEST_VARINT = 10
_STEP_BYTES = 1 << 20

Read = Callable[[int], bytes]
"""Returns so many bytes, less at the end alone."""


class Payload:
    """What is still to be read of a batch's records; `position` is how many bytes were.

    Args:
        raw: as it stands in the batch.
        codec: of the batch's attributes.
    """

    def __init__(self, raw: memoryview, codec: int) -> None:
        self._ahead = raw if codec == NO_CODEC else memoryview(b"")
        self._read = None if codec == NO_CODEC else _reader(raw, codec)
        self.position = 0

    def look(self, size: int) -> memoryview:
        """Return what comes next: `size` bytes at least, unless the end is nearer."""
        if len(self._ahead) < size and self._read is not None:
            self._ahead = memoryview(bytes(self._ahead) + self._read(size - len(self._ahead)))
        return self._ahead

    def go(self, size: int) -> None:
        """Leave behind what was looked at."""
        self._ahead = self._ahead[size:]
        self.position += size

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            CorruptRecordException: there are less.
        """
        ahead = bytes(self._ahead[:size])
        self._ahead = self._ahead[size:]
        found = ahead + self._read(size - len(ahead)) if len(ahead) < size and self._read is not None else ahead
        if len(found) < size:
            raise CorruptRecordException(f"a batch of records ends after {self.position + len(found)} unpacked bytes")
        self.position += size
        return found

    def skip(self, size: int) -> Iterator[int]:
        """Pass over the next bytes in steps, each of which is told as the number of its bytes."""
        while size > 0:
            step = min(size, _STEP_BYTES)
            self.take(step)
            size -= step
            yield step

    def varint(self) -> int:
        """Return the next number, of variable length (zigzag)."""
        found = 0
        for at, byte in enumerate(bytes(self.look(_LONGEST_VARINT)[:_LONGEST_VARINT])):
            found |= (byte & 0x7F) << 7 * at
            if byte < 0x80:
                self.go(at + 1)
                return found >> 1 ^ -(found & 1)
        raise CorruptRecordException(f"no number stands at byte {self.position} of an unpacked batch of records")


def _reader(raw: memoryview, codec: int) -> Read:
    if codec == _SNAPPY:
        return _joined(_snappy_blocks(raw))
    if codec not in _CODECS:
        raise CorruptRecordException(f"a batch of records is compressed with codec {codec}, which is unknown")
    read: Read = pa.CompressedInputStream(pa.BufferReader(raw), _CODECS[codec]).read
    return read


def _snappy_blocks(raw: memoryview) -> Iterator[memoryview]:
    """Yield the unpacked blocks: those of the Java library's framing, or all as one."""
    if raw[: len(_XERIAL)] != _XERIAL:
        yield memoryview(cramjam.snappy.decompress_raw(raw))
        return
    at = _XERIAL_BYTES
    while at < len(raw):
        [size] = struct.unpack_from(">i", raw, at)
        at += 4 + size
        yield memoryview(cramjam.snappy.decompress_raw(raw[at - size : at]))


def _joined(blocks: Iterator[memoryview]) -> Read:
    """Return a function that reads blocks as one stream."""
    block = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal block
        found = bytearray()
        while len(found) < size:
            if not block:
                following = next(blocks, None)
                if following is None:
                    break
                block = following
            part = block[: size - len(found)]
            block = block[len(part) :]
            found += part
        return bytes(found)

    return read
