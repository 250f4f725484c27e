"""Names for the arrays that are handed around, and what keeps them from being changed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
AnyArray = NDArray[Any]
AnyDtype = np.dtype[Any]
_Record = TypeVar("_Record", bound=Any)


def frozen_array(values: object, dtype: object = np.float64, ndim: int | None = None) -> AnyArray:
    """Return `values` as a contiguous read-only array (a copy only where the dtype or the layout asks for it)."""
    array = np.ascontiguousarray(values, dtype=dtype)  # type: ignore[call-overload]
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"array of {array.ndim} dimensions given, expected {ndim}")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def with_rows(record: _Record, rows: AnyArray, columns: Mapping[str, AnyArray]) -> _Record:
    """Copy of a record of columns in which these columns hold other values at `rows`."""
    changed = {name: np.array(getattr(record, name)) for name in columns}
    for name, column in changed.items():
        column[rows] = columns[name]
    return replace(record, **changed)
