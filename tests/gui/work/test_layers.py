"""What is drawn over the image lies where the records say, half pixels included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyfai_gridcal.gui.work.layers import (
    MAPS,
    SpotKind,
    grid_lines,
    map_image,
    plot_xy,
    spot_layer,
    vector_lines,
    yx_of_plot,
)
from pyfai_gridcal.gui.work.state import ExposureResults
from pyfai_gridcal.records.fit import DistortionFit

#: Of the field of the fixture `fit`.
DISPLACEMENT = np.array([2.0, -3.0])


def test_pixel_centres_are_half_way(fit: DistortionFit) -> None:
    x, y = plot_xy([[2.0, 5.0]])
    assert (x.item(), y.item()) == (5.5, 2.5)
    assert yx_of_plot(5.5, 2.5) == (2.0, 5.0)


def test_kinds_of_spots(fit: DistortionFit, work: ExposureResults) -> None:
    layer = spot_layer(work, fit)
    assert layer is not None
    expected = [SpotKind.REMOVED, SpotKind.STRAY, *[SpotKind.USED] * 12, SpotKind.STRAY]
    expected[2 + 7] = SpotKind.OUTLIER
    assert layer.kind.tolist() == expected
    assert layer.residual[2:14] == pytest.approx(0.05)
    assert np.isnan(layer.residual[[0, 1, 14]]).all()
    assert layer.sigma == pytest.approx(0.02)
    assert layer.ij[4].tolist() == [0, 2]
    assert layer.count(SpotKind.USED) == 11


def test_kinds_before_the_fit(work: ExposureResults) -> None:
    assert spot_layer(ExposureResults(), None) is None
    found = spot_layer(ExposureResults(found=work.spots), None)
    assert found is not None
    assert found.count(SpotKind.FOUND) == len(found) == 15
    indexed = spot_layer(work, None)
    assert indexed is not None
    assert (indexed.count(SpotKind.USED), indexed.count(SpotKind.STRAY)) == (12, 2)


def test_grid_runs_through_the_spots(fit: DistortionFit) -> None:
    lines = grid_lines(fit)
    ends = np.stack([lines.x, lines.y], axis=-1)
    assert len(ends) == 6 + 2 * 5
    expected = {tuple(np.round(p, 3)) for p in np.stack(plot_xy(fit.points[0].yx), axis=1)}
    assert {tuple(np.round(p, 3)) for p in ends.reshape(-1, 2)} == expected
    length = np.abs(ends[:, 1] - ends[:, 0])
    assert sorted(set(np.round(length[:, 0], 6))) == pytest.approx([0, 25])
    assert sorted(set(np.round(length[:, 1], 6))) == pytest.approx([0, 40])
    assert sorted(lines.number[length[:, 1] > 1]) == list(range(6)), "those along i, by their j"
    x, y = lines.line(lines.number == 1)
    assert np.isnan(x.reshape(-1, 3)[:, 2]).all()
    assert len(y) == 3 * (1 + 5)


def test_arrows_point_from_observed_to_corrected(fit: DistortionFit) -> None:
    arrows = vector_lines(fit.distortion, count=8)
    pieces = np.stack([arrows.x, arrows.y], axis=1).reshape(-1, 6, 2)
    assert len(pieces) == 8 * 3, "none where the displacement is not known"
    np.testing.assert_allclose(pieces[:, 1] - pieces[:, 0], np.tile(arrows.scale * DISPLACEMENT[::-1], (24, 1)))
    assert arrows.scale == 5.0, "the longest of 3.6 px fills less than 20 px"
    assert f"{arrows.scale:g} ×" in arrows.text


@pytest.mark.parametrize(("name", "value"), [("dy", 2.0), ("dx", -3.0), ("magnitude", 13**0.5), ("sigma", 0.01)])
def test_maps(fit: DistortionFit, name, value: float) -> None:
    image = map_image(name, fit, nodes=50)
    assert image is not None
    assert image.values.shape == (23, 40)
    assert np.isnan(image.values[15:]).all()
    np.testing.assert_allclose(image.values[:14], value)
    assert image.step == 4
    assert image.label == MAPS[name]


def test_residual_map_has_the_value_of_the_nearest_spot(fit: DistortionFit) -> None:
    points, length = fit.points[0], np.arange(12.0)
    image = map_image("residual", replace(fit, residual_yx=(np.stack([length, 0 * length], axis=1),)))
    assert image is not None
    assert image.step == 3, "an eighth of the pitch"
    cell = ((points.yx + 0.5) / 3).astype(int)
    inside = fit.used[0] & (cell >= 0).all(axis=1) & (cell < image.values.shape).all(axis=1)
    np.testing.assert_array_equal(image.values[tuple(cell[inside].T)], length[inside])
    assert np.isnan(image.values[-1, -1]), "no spot is near"


def test_map_that_is_not_known(fit: DistortionFit) -> None:
    assert map_image("sigma", replace(fit, distortion=replace(fit.distortion, sigma=None))) is None
