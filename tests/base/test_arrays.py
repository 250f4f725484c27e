"""Arrays that are handed around cannot be changed on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pyfai_gridcal.base.arrays import block_sums, frozen_array, with_rows


def test_frozen_array_is_read_only_and_no_copy() -> None:
    values = np.arange(6.0).reshape(2, 3)
    frozen = frozen_array(values, np.float64, 2)
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 1.0
    assert np.shares_memory(frozen, values)
    assert values.flags.writeable, "the caller's own array stays as it was"


def test_frozen_array_copies_where_it_must() -> None:
    values = np.arange(6, dtype=np.int16).reshape(2, 3)
    converted = frozen_array(values)
    assert converted.dtype == np.float64
    across = frozen_array(values.T, np.int16)
    assert across.flags.c_contiguous
    assert not np.shares_memory(across, values)
    np.testing.assert_array_equal(across, [[0, 3], [1, 4], [2, 5]])


def test_frozen_array_of_a_frozen_one_is_itself() -> None:
    frozen = frozen_array([1.0, 2.0])
    assert frozen_array(frozen) is frozen


def test_frozen_array_knows_its_dimensions() -> None:
    with pytest.raises(ValueError, match="1 dimensions given, expected 2"):
        frozen_array([1.0, 2.0], np.float64, 2)


@dataclass(frozen=True)
class Columns:
    a: np.ndarray
    b: np.ndarray
    c: str


def test_with_rows_changes_these_rows_of_a_copy() -> None:
    record = Columns(frozen_array([1.0, 2.0, 3.0]), frozen_array([[1, 2], [3, 4], [5, 6]], np.int64), "kept")
    changed = with_rows(record, np.array([2, 0]), {"a": np.array([30.0, 10.0]), "b": np.array([[50, 60], [10, 20]])})
    np.testing.assert_array_equal(changed.a, [10, 2, 30])
    np.testing.assert_array_equal(changed.b, [[10, 20], [3, 4], [50, 60]])
    assert changed.c == "kept"
    np.testing.assert_array_equal(record.a, [1, 2, 3])


@pytest.mark.parametrize(("size", "dtype"), [(1, None), (2, float), (3, None), (5, float)])
def test_sums_over_blocks_by_hand(size: int, dtype: type | None) -> None:
    """Those at the far border are cut; whole numbers stay what they are unless asked otherwise."""
    values = np.random.default_rng(0).integers(0, 50, (7, 11)).astype(np.int16)
    sums = block_sums(values, size, dtype)
    assert sums.shape == (-(-7 // size), -(-11 // size))
    assert sums.dtype == (dtype or np.int16)
    for row, column in np.ndindex(sums.shape):
        part = values[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert sums[row, column] == part.sum()
    assert values.sum() == sums.sum()
