"""Kafka's batches of records made byte by byte, as only a hostile sender makes them, and sent as they are."""

import asyncio
import struct
import time
import zlib
from collections.abc import Iterable, Sequence

import cramjam
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC_COVERS = struct.calcsize(">qiibI")
_LENGTH_COVERS = struct.calcsize(">qi")
_TIMEOUT_MS = 60_000
_RETRY_SECONDS = 0.1
ZEROS = bytes(1 << 20)


def varint(number: int) -> bytes:
    """Return a number as Kafka writes it."""
    left, found = number << 1 ^ number >> 63, bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*found, left))


def record(
    delta: int, value: bytes | None, headers: bytes = b"", number: int = 0, *, key: bytes | None = None
) -> bytes:
    """Return one record, `delta` behind its batch's first, with a number of headers as they are written (`header`)."""
    body = b"".join((b"\0", varint(delta), varint(delta), sized(key), sized(value), varint(number), headers))
    return varint(len(body)) + body


def header(name: bytes, text: bytes | None) -> bytes:
    """Return one header; its name may be no text."""
    return sized(name) + sized(text)


def sized(text: bytes | None) -> bytes:
    """Return bytes with their number before them."""
    return varint(-1) if text is None else varint(len(text)) + text


def batch(records: int, packed: bytes, codec: str, *, first_ms: int | None = None) -> bytes:
    """Return a batch of packed records. The broker gives it its place."""
    first_ms = int(time.time() * 1000) if first_ms is None else first_ms
    fields = (CODECS.index(codec), records - 1, first_ms, first_ms + records - 1, -1, -1, -1, records)
    length = _HEADER.size - _LENGTH_COVERS + len(packed)
    covered = _HEADER.pack(0, length, -1, 2, 0, *fields)[_CRC_COVERS:] + packed
    return _HEADER.pack(0, length, -1, 2, calc_crc32c(covered), *fields) + packed


def packed(parts: Iterable[bytes], codec: str) -> bytes:
    """Return parts compressed as one, without all of them in memory at once."""
    if codec == "none":
        return b"".join(parts)
    if codec == "gzip":
        gzip = zlib.compressobj(wbits=31)
        return b"".join([*map(gzip.compress, parts), gzip.flush()])
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(b"".join(parts)))
    compressor = cramjam.lz4.Compressor(block_linked=False) if codec == "lz4" else cramjam.zstd.Compressor()
    found = []
    for part in parts:
        compressor.compress(part)
        if len(part) == len(ZEROS):
            found.append(bytes(compressor.flush()))
    return b"".join([*found, bytes(compressor.finish())])


def zeros(size: int) -> Iterable[bytes]:
    """Yield so many bytes of nothing."""
    for _ in range(size // len(ZEROS)):
        yield ZEROS
    yield bytes(size % len(ZEROS))


def huge_value(size: int, codec: str) -> bytes:
    """Return a batch of one record, whose value is so many bytes of nothing."""
    before, behind = b"".join((b"\0", varint(0), varint(0), varint(-1), varint(size))), varint(0)
    length = varint(len(before) + size + len(behind))
    return batch(1, packed((length, before, *zeros(size), behind), codec), codec)


def append(brokers: str, topic: str, batches: Sequence[tuple[int, bytes]]) -> None:
    """Append batches, each to its partition, as they are."""

    async def send() -> None:
        client = AIOKafkaClient(bootstrap_servers=brokers, request_timeout_ms=_TIMEOUT_MS)
        await client.bootstrap()
        try:
            await client._wait_on_metadata(topic)
            for partition, raw in batches:
                while code := await _sent(client, TopicPartition(topic, partition), raw):
                    if not for_code(code).retriable:  # as what a broker says of a partition made just now
                        raise for_code(code)(f"{topic}-{partition} refuses a batch")
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await client.close()

    asyncio.run(send())


async def _sent(client: AIOKafkaClient, place: TopicPartition, raw: bytes) -> int:
    """Send a batch, and return the broker's code: 0 if it has taken it."""
    request = ProduceRequest(None, -1, _TIMEOUT_MS, [(place.topic, [(place.partition, raw)])])
    answer = await client.send(client.cluster.leader_for_partition(place), request)
    [(_, [(_, code, *_)])] = answer.topics
    return int(code)
