"""What a file may say about its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.io.kinds.options import believed_size


def test_sizes_of_pixels_that_are_believed():
    assert believed_size((48e-6, 53e-6), "a.edf") == (48e-6, 53e-6)
    assert believed_size(np.array([2e-9, 0.09]), "a.edf") == (2e-9, 0.09)


@pytest.mark.parametrize("size", [(48.0, 53.0), (0.0, 1e-4), (-1e-4, 1e-4), (1e-4,), (1e-4,) * 3, (np.nan, 1e-4), ()])
def test_others_are_refused_with_the_name_of_the_file(size):
    with pytest.raises(FileFormatError, match=r"a\.edf declares a pixel size"):
        believed_size(size, "a.edf")
