"""Arrow arrays from Python's and numpy's values, by their buffers.

`pyarrow.array` imports pandas where that is installed, which takes longer than to write a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

pa.set_memory_pool(pa.system_memory_pool())  # its own keeps what it once had


def column(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """An array of `type_` (text, a list of texts, bool, a number); None is null."""
    if pa.types.is_string(type_):
        return texts(values)
    if pa.types.is_list(type_):
        return _lists(values)
    given = np.fromiter((value is not None for value in values), np.bool_, len(values))
    if pa.types.is_boolean(type_):
        return flags(np.fromiter(map(bool, values), np.bool_, len(values)), given)
    kept = [0 if value is None else value for value in values]
    return numbers(np.array(kept, type_.to_pandas_dtype()), given)


def texts(values: Sequence[str | None]) -> pa.Array:
    """An array of texts, all of which UTF-8 can hold; None is null."""
    raw = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(raw) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw)), out=ends[1:])
    bits = _bits(np.fromiter((value is not None for value in values), np.bool_, len(raw)))
    is_large = ends[-1] >= 2**31
    kind, starts = (
        (pa.LargeStringArray, ends) if is_large else (pa.StringArray, ends.astype(np.int32))
    )
    return kind.from_buffers(len(raw), pa.py_buffer(starts), pa.py_buffer(b"".join(raw)), bits)


def numbers(values: NDArray[Any], given: NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of numbers, null where not `given`."""
    values = np.ascontiguousarray(values)
    type_ = pa.from_numpy_dtype(values.dtype)
    buffers = [None if given is None else _bits(given), pa.py_buffer(values)]
    return pa.Array.from_buffers(type_, len(values), buffers)


def flags(values: NDArray[np.bool_], given: NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of yes and no, null where not `given`."""
    buffers = [None if given is None else _bits(given), _bits(values)]
    return pa.Array.from_buffers(pa.bool_(), len(values), buffers)


def _lists(values: Sequence[Sequence[str] | None]) -> pa.Array:
    items = [item for value in values for item in value or ()]
    ends = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter((len(v or ()) for v in values), np.int32, len(values)), out=ends[1:])
    given = np.fromiter((value is not None for value in values), np.bool_, len(values))
    return pa.Array.from_buffers(
        pa.list_(pa.string()),
        len(values),
        [_bits(given), pa.py_buffer(ends)],
        children=[texts(items)],
    )


def _bits(flags_: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags_, bitorder="little"))
