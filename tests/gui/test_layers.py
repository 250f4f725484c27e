"""What is drawn over the image lies where the records say, half pixels included."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.gui.work.layers import (
    MAPS,
    GridLines,
    SpotKind,
    SpotLayer,
    grid_lines,
    map_image,
    plot_xy,
    spot_layer,
    vector_lines,
    yx_of_plot,
)
from pyfai_gridcal.gui.work.state import ExposureResults
from pyfai_gridcal.gui.work.thinning import Window, thinned_lines, thinned_spots
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots

SHAPE = (90, 160)
PIXEL = (50e-6, 40e-6)
DISPLACEMENT = np.array([2.0, -3.0])


@pytest.fixture
def fit() -> DistortionFit:
    """A plate of 2 mm x 1 mm in front of a detector that shifts everything by 2 px up and 3 px left."""
    axes = [np.array([0.0, n - 1.0]) for n in SHAPE]
    field = SampledField(*axes, np.broadcast_to(DISPLACEMENT, (2, 2, 2)))
    mask = np.zeros(SHAPE, bool)
    mask[60:] = True
    distortion = Distortion(field, SHAPE, PIXEL, mask, SampledField(*axes, np.full((2, 2, 2), 0.01)))
    plate, pose = Plate((2e-3, 1e-3)), Pose(0.0, (0.5e-3, 0.3e-3))
    ij = np.stack(np.meshgrid(np.arange(2), np.arange(6), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = pose.corrected(plate.positions(ij), PIXEL) - DISPLACEMENT
    residual = np.tile([0.03, -0.04], (12, 1))
    used = np.arange(12) != 7
    points = ControlPoints(
        yx, np.full((12, 2), 0.02), ij, np.arange(1, 13), np.zeros(12), np.array([[40.0, 0.0], [0.0, 25.0]])
    )
    return DistortionFit(distortion, plate, (points,), (pose,), (residual,), (residual,), (used,))


@pytest.fixture
def work(fit: DistortionFit) -> ExposureResults:
    """The spots of the fit after one that was removed by hand, before one that has no node and one added."""
    points = fit.points[0]
    spots = Spots.from_positions(np.vstack([(3.0, 4.0), (70.0, 80.0), points.yx, (80.0, 10.0)]), sigma=0.02)
    kept = np.arange(15) != 0
    return ExposureResults(spots=spots, kept=kept, points=points)


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
    assert image.scale == (4.0, 4.0)
    assert image.label == MAPS[name]


def test_residual_map_has_the_value_of_the_nearest_spot(fit: DistortionFit) -> None:
    from dataclasses import replace

    points, length = fit.points[0], np.arange(12.0)
    image = map_image("residual", replace(fit, residual_yx=(np.stack([length, 0 * length], axis=1),)))
    assert image is not None
    assert image.scale == (3.0, 3.0), "an eighth of the pitch"
    cell = ((points.yx + 0.5) / 3).astype(int)
    inside = fit.used[0] & (cell >= 0).all(axis=1) & (cell < image.values.shape).all(axis=1)
    np.testing.assert_array_equal(image.values[tuple(cell[inside].T)], length[inside])
    assert np.isnan(image.values[-1, -1]), "no spot is near"


def test_map_that_is_not_known(fit: DistortionFit) -> None:
    from dataclasses import replace

    assert map_image("sigma", replace(fit, distortion=replace(fit.distortion, sigma=None))) is None


def many(side: int, kind: SpotKind) -> SpotLayer:
    ij = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2)
    n = len(ij)
    none = np.zeros(n)
    return SpotLayer(10.0 * ij[:, 1], 10.0 * ij[:, 0], np.full(n, kind), none, none, none, ij)


def test_too_many_spots_are_thinned_to_a_sub_lattice() -> None:
    layer = many(60, SpotKind.USED)
    layer.kind[61] = SpotKind.OUTLIER
    everything = Window(0, 600, 0, 600)
    drawn, step = thinned_spots(layer, everything, 500)
    assert step == 3
    assert drawn.sum() == 20 * 20 + 1
    assert drawn[61], "an outlier is always drawn"
    assert thinned_spots(layer, everything, 5000)[1] == 1
    near, step = thinned_spots(layer, Window(0, 100, 200, 260), 500)
    assert step == 1
    assert near.sum() == 16 * 13
    found, step = thinned_spots(many(60, SpotKind.FOUND), everything, 500)
    assert found.sum() == 3600 / step**2


def test_too_many_lines_are_thinned_to_every_nth() -> None:
    number = np.repeat(np.arange(50), 40)
    x = np.tile(np.arange(40.0), 50)[:, None] + [0.0, 1.0]
    lines = GridLines(x, number[:, None] + [0.0, 0.0], number)
    assert thinned_lines(lines, Window(0, 50, 0, 50), 5000).all()
    drawn = thinned_lines(lines, Window(0, 50, 0, 50), 500)
    assert set(number[drawn]) == set(range(0, 50, 4))


def test_pair_for_the_slider_is_small_and_at_its_place():
    """silx draws all pixels of both images: large ones are shown as means, at the same place."""
    from types import SimpleNamespace

    from pyfai_gridcal.gui.work.views import SLIDER_SIDE, prepare_pair

    shape = (1500, 2900)
    raw = np.zeros(shape, np.uint16)
    raw[600:603, 2400:2403] = 900
    corrected = np.zeros(shape)
    corrected[1200:1203, 300:303] = 450.0
    view = SimpleNamespace(image=SimpleNamespace(data=raw), levels=(), limits=(1.0, 900.0))
    pair = prepare_pair(view, corrected)
    assert pair.step == 3
    assert max(pair.coarse[0].shape) <= SLIDER_SIDE
    for image, place, value in zip(pair.coarse, ((200, 800), (400, 100)), (900, 450), strict=True):
        assert image.dtype == np.float32
        assert np.unravel_index(image.argmax(), image.shape) == place
        assert image.max() == value
    assert pair.images[0] is raw
    assert [levels[0].shape for levels in pair.levels] == [shape, shape]
    small = prepare_pair(
        SimpleNamespace(image=SimpleNamespace(data=raw[:900, :1300]), levels=(), limits=(0, 1)), raw[:900, :1300]
    )
    assert small.step == 1
