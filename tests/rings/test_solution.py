"""Detectors by rings alone: modules and smooth fields as they are, and no more than the rings can know."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import PIXEL, bent, differs, modular, perfect, three_images

from pyfai_gridcal.base.errors import FittingError, UsageError
from pyfai_gridcal.rings.solution import fit_rings

SHAPE = (220, 250)


def test_modules_are_found() -> None:
    """Shifts of 0.3 px and turns of 0.3 mrad within 0.01 px and 0.1 mrad, and as sigma says."""
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    found = fit_rings(three_images(truth, rng, seen=~mask), shape=SHAPE, pixel_size=PIXEL, mask=mask)
    assert np.abs(differs(found.distortion, truth, rng)).max() < 0.015
    assert found.held_out_px == pytest.approx(0.03, rel=0.15)
    before, now = found.residual_px
    assert now < 0.5 * before
    assert all(max(m.shift_sigma) < 0.02 for m in found.modules)
    assert found.scale is None
    assert "size of the pixels" in found.report()
    assert (found.distortion.mask & mask).sum() == mask.sum()


def test_a_smooth_field_is_found_and_its_scale_only_by_steps_of_the_distance() -> None:
    rng = np.random.default_rng(5)
    truth = bent(SHAPE, 0.8, rng)
    images = three_images(truth, rng)
    told = [p.geometry["dist"] + 0.01 + rng.normal(0, 1e-6) for p in images]
    alone = fit_rings(images, shape=SHAPE, pixel_size=PIXEL)
    steps = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, distances=(told, 1e-6))
    assert alone.scale is None
    assert any("size of the pixels" in one for one in alone.undetermined)
    assert steps.scale is not None
    assert not any("size of the pixels" in one for one in steps.undetermined)
    # how large the two inversions are is known of four values only: their mean square over that told is (2/π) F(2, 4),
    # of which one drawing in a hundred is beyond 11.5
    for found, scaled, times in ((alone, True, 3.4), (steps, False, 1.5)):
        error = differs(found.distortion, truth, rng, scaled=scaled)
        y, x = (np.linspace(5, n - 5, 15) for n in SHAPE)
        assert np.sqrt((error**2).mean()) < times * np.sqrt((found.distortion.sigma.on_grid(y, x) ** 2).mean())
        assert found.held_out_px < 0.035
    assert steps.aspect is not None


@pytest.mark.usefixtures("not_left_out")
def test_wild_points_do_not_decide() -> None:
    rng = np.random.default_rng(3)
    truth, mask = modular(SHAPE, rng)
    images = three_images(truth, rng, seen=~mask)
    for points in images:
        wild = rng.random(len(points)) < 0.05
        points.yx.setflags(write=True)
        points.yx[wild] += rng.normal(0, 1.5, (wild.sum(), 2))
        points.yx.setflags(write=False)
    found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, mask=mask)
    assert np.abs(differs(found.distortion, truth, rng)).max() < 0.02
    assert sum((~u).sum() for u in found.used) > 0.03 * sum(map(len, images))


@pytest.mark.usefixtures("not_left_out")
def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(4)
    images = three_images(perfect(SHAPE), rng)
    with pytest.raises(UsageError, match="without gaps"):
        fit_rings(images, shape=SHAPE, pixel_size=PIXEL, modules=True)
    with pytest.raises(UsageError, match="2 distances for 4"):
        fit_rings(images, shape=SHAPE, pixel_size=PIXEL, distances=([1.0, 2.0], 1e-6))
    with pytest.raises(FittingError, match="displacement of no pixel"):
        fit_rings(images[:1], shape=SHAPE, pixel_size=PIXEL, max_sigma=1e-6)
