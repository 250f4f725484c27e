"""Names for the arrays that are handed around, and what keeps them from being changed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
AnyArray = NDArray[Any]
AnyDtype = np.dtype[Any]
#: No counter holds more than 64 bit do; programs write 1e30 and the like where nothing was measured.
_NO_COUNT = 2.0**64
_Record = TypeVar("_Record", bound=Any)


def frozen_array(values: object, dtype: object = np.float64, ndim: int | None = None) -> AnyArray:
    """Return `values` as a contiguous read-only array (a copy only where the dtype or the layout asks for it)."""
    array = np.ascontiguousarray(values, dtype=dtype)  # type: ignore[call-overload]
    if ndim is not None and array.ndim != ndim:
        raise UsageError(f"array of {array.ndim} dimensions given, expected {ndim}")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def measured(values: AnyArray) -> Bools:
    """Where floating-point numbers can be meant: finite, and none of the huge ones that stand for nothing measured."""
    out: Bools = np.abs(values.astype(np.float32) if values.dtype.itemsize < 4 else values) < _NO_COUNT
    return out


def largest_of(moves: AnyArray) -> AnyArray:
    """Largest component (...) of moves (..., k), without its sign: for few components many times as quick as numpy's
    own reduction, and so are the others here."""
    return reduce(np.maximum, np.abs(np.moveaxis(moves, -1, 0)))


def every(conditions: Bools) -> Bools:
    """Where (...) all of a few conditions (..., k) are met."""
    return reduce(np.logical_and, np.moveaxis(conditions, -1, 0))


def length(vectors: AnyArray) -> AnyArray:
    """Lengths (...) of vectors (..., 2) of which none is near the limits of a number."""
    a, b = vectors[..., 0], vectors[..., 1]
    out: AnyArray = np.sqrt(a * a + b * b)
    return out


def block_sums(values: AnyArray, size: int, dtype: type | None = None) -> AnyArray:
    """Sums over blocks of `size` x `size` of an image (ny, nx), (ny / size, nx / size) rounded up: those at the far
    border are of what there is. Shifted views are added, several times as quick as numpy's reductions of small blocks.
    """
    for axis in (0, 1):
        along = np.swapaxes(values, 0, axis)
        sums = np.array(along[::size], dtype)
        for k in range(1, size):
            more = along[k::size]
            sums[: len(more)] += more
        values = np.swapaxes(sums, 0, axis)
    return values


def freeze(record: object, ndim: int, *names: str, dtype: object = np.float64) -> None:
    """Make fields of a frozen dataclass read-only arrays of one type, in its `__post_init__`; None stays None."""
    for name in names:
        if getattr(record, name) is not None:
            object.__setattr__(record, name, frozen_array(getattr(record, name), dtype, ndim))


def select_rows(record: _Record, which: AnyArray, *names: str) -> _Record:
    """Copy of a record with these rows only of the columns named; a column that is None stays None."""
    columns = {name: getattr(record, name) for name in names}
    return replace(record, **{name: column if column is None else column[which] for name, column in columns.items()})


def join_rows(record: _Record, more: _Record, *names: str) -> _Record:
    """Copy of a record whose columns named go on with those of another one; a column that is None stays None."""
    columns = {name: (getattr(record, name), getattr(more, name)) for name in names}
    return replace(record, **{name: a if a is None else np.concatenate([a, b]) for name, (a, b) in columns.items()})


def with_rows(record: _Record, rows: AnyArray, columns: Mapping[str, AnyArray]) -> _Record:
    """Copy of a record of columns in which these columns hold other values at `rows`."""
    changed = {name: np.array(getattr(record, name)) for name in columns}
    for name, column in changed.items():
        column[rows] = columns[name]
    return replace(record, **changed)


def in_a_line(record: object) -> str:
    """A record in one line, for its ``__repr__``: arrays by their shape, records inside by their class."""

    def told(value: object) -> str:
        if isinstance(value, np.ndarray):
            return f"{value.dtype}{list(value.shape)}"
        if is_dataclass(value) or (isinstance(value, tuple) and any(map(is_dataclass, value))):
            return f"{len(value)} x {type(value[0]).__name__}" if isinstance(value, tuple) else type(value).__name__
        return f"{value:.6g}" if isinstance(value, float) else repr(value)

    text = ", ".join(f"{one.name}={told(getattr(record, one.name))}" for one in fields(record))  # type: ignore[arg-type]
    return f"{type(record).__name__}({text if len(text) < 150 else text[:147] + '...'})"
