"""States as bytes: nested plain values and numpy arrays, without pickle and without executing anything.

The bytes are MessagePack, compressed with zlib. An array is an extension value (dtype, shape, bytes), its
last axis first, so that what is of one kind (a feature of all series) stands together, its bytes laid out
little-endian and shuffled (all first bytes, then all second ones, ...), because the exponents of numbers of a kind are
alike: zlib finds that. Integers beyond 64
bits are an extension value of their own. Equal values in equal order give equal bytes (with one build of
zlib); sets are refused, since their order is none. Tuples come back as lists.

Example:
    >>> state = {"day": "2020-02-24", "level": np.arange(3.0), "total": 1 << 80, "open": {"a": [1, None, True]}}
    >>> back = decode_state(encode_state(state))
    >>> back["level"].tolist(), back["total"] == 1 << 80, back["open"]
    ([0.0, 1.0, 2.0], True, {'a': [1, None, True]})
    >>> encode_state(back) == encode_state(state)
    True
"""

import zlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.errors import SnapshotError

State = dict[str, Any]
"""What a stateful class returns from `state` and takes in `restore`."""

INTEGER_EXTENSION = 2
ARRAY_EXTENSION = 3
COMPRESSION_LEVEL = 3
"""Level 6 gains 1 % on model states and costs twice the time."""
DEFAULT_LIMIT_BYTES = 1 << 30
"""A state larger than this when unpacked is refused rather than allowed to exhaust the memory."""
ARRAY_KINDS = "biufc"
"""numpy's kinds with a fixed size and no references: bool, integers, floats, complex."""
INTEGER_64_RANGE = range(-(1 << 63), 1 << 64)
"""What MessagePack holds itself."""


def encode_state(state: dict[str, Any]) -> bytes:
    """Return `state` as compressed bytes.

    Args:
        state: dicts (keys str or int), lists, tuples, int of any size, float, bool, str, bytes, None, numpy
            arrays of numbers (any shape, copied in C order) and numpy scalars (kept as arrays of shape ()).

    Raises:
        SnapshotError: a value of another type; the message says where it stands.
    """
    return zlib.compress(msgspec.msgpack.encode(_pack(state, "state")), COMPRESSION_LEVEL)


def decode_state(data: bytes, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> dict[str, Any]:
    """Return the state that `encode_state` wrote; arrays are fresh, contiguous and writable.

    Raises:
        SnapshotError: the bytes are damaged, are no state, or unpack to more than `limit_bytes`.
    """
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, limit_bytes)
        if not unpacker.eof:
            raise SnapshotError(
                f"a state of {len(data)} bytes is cut short or unpacks to more than {limit_bytes} bytes"
            )
        state = msgspec.msgpack.decode(plain, ext_hook=_extension, strict=True)
    except (zlib.error, msgspec.DecodeError, ValueError, TypeError) as error:
        raise SnapshotError(f"a state of {len(data)} bytes cannot be read: {error}") from error
    if not isinstance(state, dict):
        raise SnapshotError(f"a state of {len(data)} bytes holds a {type(state).__name__}, not a dictionary")
    return state


def _pack(value: object, place: str) -> object:
    """Return `value` in terms that MessagePack knows, `place` saying where it stands."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str | int):
                raise SnapshotError(f"{place}: a key of type {type(key).__name__} cannot be stored; use str or int")
        return {key: _pack(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, np.ndarray | np.generic):
        return _pack_array(np.asarray(value), place)
    if isinstance(value, int) and not isinstance(value, bool) and value not in INTEGER_64_RANGE:
        length = value.bit_length() // 8 + 1
        return msgspec.msgpack.Ext(INTEGER_EXTENSION, value.to_bytes(length, "big", signed=True))
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    raise SnapshotError(f"{place}: a value of type {type(value).__name__} cannot be stored")


def _pack_array(array: npt.NDArray[Any], place: str) -> msgspec.msgpack.Ext:
    if array.dtype.kind not in ARRAY_KINDS:
        raise SnapshotError(f"{place}: an array of dtype {array.dtype} cannot be stored; use numbers or bool")
    by_kind = np.moveaxis(array, -1, 0) if array.ndim > 1 else array
    little = np.ascontiguousarray(by_kind, dtype=array.dtype.newbyteorder("<"))
    shuffled = np.frombuffer(little.tobytes(), dtype=np.uint8).reshape(-1, little.dtype.itemsize).T.tobytes()
    header = (little.dtype.str, list(array.shape), shuffled)
    return msgspec.msgpack.Ext(ARRAY_EXTENSION, msgspec.msgpack.encode(header))


def _extension(code: int, data: memoryview) -> object:
    if code == INTEGER_EXTENSION:
        return int.from_bytes(data, "big", signed=True)
    if code != ARRAY_EXTENSION:
        raise ValueError(f"extension {code} is unknown")
    name, shape, shuffled = msgspec.msgpack.decode(data, type=tuple[str, list[int], bytes])
    dtype = np.dtype(name)
    if dtype.kind not in ARRAY_KINDS:
        raise ValueError(f"an array of dtype {name} is not allowed")
    plain = np.frombuffer(shuffled, dtype=np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    by_kind = np.frombuffer(plain, dtype=dtype).reshape(shape[-1:] + shape[:-1])
    return np.array(np.moveaxis(by_kind, 0, -1) if shape else by_kind, dtype=dtype.newbyteorder("="), order="C")
