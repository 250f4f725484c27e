"""What a result file holds to be looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hub import wave

from pyfai_gridcal.io.nexus.products import cell_means, make_products
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField


def test_before_and_after_are_at_their_places(tmp_path):
    """A spot is seen where it was recorded, and where the field takes it; what is masked is missing."""
    shape = (90, 130)
    y, x = np.array([0.0, 89.0]), np.array([0.0, 129.0])
    # dy = 6 + y / 89, dx = -9 - x / 129: no symmetry
    dy, dx = np.meshgrid(6 + y / 89, -9 - x / 129, indexing="ij")
    mask = np.zeros(shape, bool)
    mask[:20, :30] = True
    distortion = Distortion(SampledField(y, x, np.stack([dy, dx], axis=-1)), shape, (50e-6, 46e-6), mask)
    image = np.full(shape, 10.0)
    image[40:42, 100:102] = 810.0
    before = cell_means(image, 2)
    assert before.shape == (45, 65)
    assert np.unravel_index(before.argmax(), before.shape) == (20, 50)
    assert before.max() == 810
    maps = [np.where(mask, np.nan, d) for d in distortion.displacement_maps()]
    after = cell_means(image, 2, tuple(maps))
    row, column = np.unravel_index(np.nanargmax(after), after.shape)
    (at,) = distortion.correct([[40.5, 100.5]])
    assert abs(2 * row + 0.5 - at[0]) <= 1.5
    assert abs(2 * column + 0.5 - at[1]) <= 1.5
    assert np.isnan(after[:3]).all(), "everything went away from there"
    assert np.isnan(after[5:12, :9]).all(), "of what is masked nothing is known"
    assert np.isfinite(after[14:40, 12:50]).all(), "no cell is left empty"
    assert np.nansum(cell_means(np.ones((7, 5)), 2)) == 12


@pytest.mark.parametrize("step", [2, 3, 5])
def test_means_of_cells_by_hand(step):
    """Cells at the border that are not full are means of fewer; what is not finite does not count."""
    image = np.random.default_rng(0).normal(10, 3, (17, 22))
    image[3, 4], image[10:, 20:] = np.nan, np.inf
    found = cell_means(image, step)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            cell = image[row * step : (row + 1) * step, column * step : (column + 1) * step]
            good = cell[np.isfinite(cell)]
            np.testing.assert_allclose(found[row, column], good.mean() if good.size else np.nan)
    still = np.zeros(image.shape)
    np.testing.assert_allclose(cell_means(image, step, (still, still)), found)


def test_maps_are_those_of_the_field():
    d = wave((41, 63), masked=True)
    made = make_products(d, [np.ones(d.shape), np.ones((5, 6))])
    dy, dx = d.displacement_maps()
    free = ~d.mask
    for name, true in (("dy", dy), ("dx", dx), ("displacement", np.hypot(dy, dx))):
        np.testing.assert_allclose(made.displacement[name][free], true[free], atol=3e-4)
        assert np.isnan(made.displacement[name][~free]).all()
    assert made.sigma == {}
    assert sorted(made.before_after[0]) == ["corrected", "recorded", "x", "y"]
    assert made.before_after[1] == {}, "an image of another shape"
