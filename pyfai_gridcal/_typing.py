"""Names for the arrays that are handed around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
AnyArray = NDArray[Any]


def frozen_array(values: object, dtype: object = np.float64, ndim: int | None = None) -> AnyArray:
    """Return `values` as a contiguous read-only array (a copy only where the dtype or the layout asks for it)."""
    array = np.ascontiguousarray(values, dtype=dtype)  # type: ignore[call-overload]
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"array of {array.ndim} dimensions given, expected {ndim}")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
