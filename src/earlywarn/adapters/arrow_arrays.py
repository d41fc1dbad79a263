"""Single Arrow arrays from outside as numpy arrays, checked: nothing here trusts that their parts fit each other."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from earlywarn.adapters.arrow_message import DamagedError
from earlywarn.aggregation.columns import BATCH_LIMIT, Codes, Integers

Mask = npt.NDArray[np.bool_]


def nulls(array: pa.Array) -> Mask:
    """Return which rows are null."""
    mask: Mask = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def numbers(array: pa.Array, absent: int) -> Integers:
    """Return an array of integers, null as `absent`.

    Raises:
        pa.ArrowInvalid: damaged.
    """
    array.validate(full=True)
    if array.null_count:
        array = array.cast(pa.int64()).fill_null(absent)
    found: Integers = array.to_numpy().astype(np.int64, copy=False)
    return found


def dictionary_and_codes(array: pa.Array) -> tuple[pa.Array, Codes]:
    """Return the distinct texts of a column, and each row's code; that of null is the one behind the last.

    Raises:
        pa.ArrowInvalid, DamagedError: damaged.
    """
    if not pa.types.is_dictionary(array.type):
        array.validate(full=True)
        array = array.dictionary_encode()
    indices, dictionary = array.indices, array.dictionary
    dictionary.validate(full=True)  # before anything else: its very length may be negative
    if len(dictionary) > BATCH_LIMIT:
        raise DamagedError(f"a dictionary of {len(dictionary)} texts; at most {BATCH_LIMIT}")
    if indices.null_count:
        array.validate(full=True)
        indices = indices.cast(pa.int64(), safe=False).fill_null(len(dictionary))
    indices.validate(full=True)
    codes: npt.NDArray[Any] = indices.to_numpy()
    if codes.dtype == np.uint64:
        codes = codes.astype(np.int64)  # which mixes with other integers
    if len(codes) and (codes.min() < 0 or codes.max() >= len(dictionary) + (array.null_count > 0)):
        raise DamagedError("a code beyond its dictionary")
    return dictionary, codes


def lengths(array: pa.Array) -> npt.NDArray[Any]:
    """Return the length of each text in bytes, which are at least as many as its characters; null has none.

    Raises:
        pa.ArrowInvalid: damaged, or not UTF-8.
    """
    present, ends, data = array.buffers()
    if present is not None or array.null_count or ends is None:
        array.validate(full=True)
        known: npt.NDArray[Any] = compute.binary_length(array).fill_null(0).to_numpy()
        return known
    array.validate()
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    offsets: npt.NDArray[Any] = np.frombuffer(ends, width)[array.offset : array.offset + len(array) + 1]
    # Plain ASCII between ascending ends needs no closer look, which would cost 4 ns a text.
    ascending = bool((offsets[1:] >= offsets[:-1]).all())
    if not ascending or (data is not None and np.frombuffer(data, np.uint8).max(initial=0) > 0x7F):
        array.validate(full=True)
    found: npt.NDArray[Any] = offsets[1:] - offsets[:-1]
    return found
