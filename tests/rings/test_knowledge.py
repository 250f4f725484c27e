"""What is known and what is not: depths of modules within their sigma, the plane through them not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ringdrawing import PIXEL, modular, perfect, ring_points_of, three_images, without_noise

from pyfai_gridcal.io.nexus.detector import to_detector
from pyfai_gridcal.io.nexus.result import save_result
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.rings.solution import fit_rings

pytestmark = pytest.mark.usefixtures("not_left_out")

SHAPE = (220, 250)


def test_modules_in_a_plane_have_no_depth() -> None:
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    images = three_images(truth, rng, seen=~mask)
    found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, mask=mask, depths=True, max_sigma=0.5)
    pull = np.array([np.divide(m.depth, m.depth_sigma) for m in found.modules])
    assert 0.2 < np.sqrt((pull**2).mean()) < 1.8
    assert max(m.depth_sigma[0] for m in found.modules) < 2e-5
    assert any("plane through all modules" in one for one in found.undetermined)
    assert "depth" in found.report()


def test_chips_out_of_the_plane_are_written_where_they_are(tmp_path) -> None:
    """A detector that is read by pyFAI has straight rings with its depths, and not without."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    rng = np.random.default_rng(5)
    truth, mask = modular(SHAPE, rng)
    of = np.maximum(truth.field.labels, 0)
    y, x = np.indices(SHAPE) - np.array([np.argwhere(of == k).mean(axis=0) for k in range(4)])[of].transpose(2, 0, 1)
    behind = np.array([4e-5, -6e-5, -2e-5, 5e-5])[of]
    behind = behind + PIXEL[0] * y * np.array([0.004, 0, -0.003, 0])[of] + PIXEL[1] * x * np.array([0, 0.005, 0, 0])[of]
    truth = replace(truth, depth=np.where(mask, 0, behind))
    images = []
    for flat in three_images(truth, rng, seen=~mask, noise_px=0.0):
        points = without_noise(flat, truth, flat.geometry)
        noisy = points.yx + rng.normal(0, 0.01, points.yx.shape)
        images.append(replace(points, yx=noisy, sigma=np.full(len(noisy), 0.01)))
    found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, mask=mask, depths=True, max_sigma=0.5)

    def off_px(distortion: Distortion, name: str) -> float:
        ai = AzimuthalIntegrator(detector=str(save_result(distortion, tmp_path / name)), **found.geometries[0])
        true = AzimuthalIntegrator(detector=to_detector(truth), **images[0].geometry)
        angles = [one.center_array(SHAPE, unit="2th_rad", scale=False)[~found.distortion.mask] for one in (ai, true)]
        return float(np.std(angles[0] - angles[1]) * images[0].geometry["dist"] / PIXEL[0])

    assert off_px(found.distortion, "deep.h5") < 0.02
    assert off_px(replace(found.distortion, depth=None), "flat.h5") > 0.06
    pull = (found.distortion.depth - truth.depth)[~mask]
    assert np.std(pull) < 6e-5  # the plane through all goes with the geometry


@pytest.mark.slow
def test_one_image_tells_less_than_four() -> None:
    """A single centre of the rings says little of what lies along them: sigma is larger, and more is masked."""
    rng = np.random.default_rng(2)
    few = fit_rings([ring_points_of(perfect(SHAPE), rng)], shape=SHAPE, pixel_size=PIXEL, max_sigma=5.0)
    many = fit_rings(three_images(perfect(SHAPE), rng), shape=SHAPE, pixel_size=PIXEL, max_sigma=5.0)
    y, x = (np.linspace(20, n - 20, 9) for n in SHAPE)
    assert few.distortion.sigma.on_grid(y, x).mean() > 2 * many.distortion.sigma.on_grid(y, x).mean()


def test_sigma_does_not_depend_on_what_is_believed_of_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of everything, which no ring tells, moves modules by it times their displacement, too."""
    rng = np.random.default_rng(3)
    truth, mask = modular(SHAPE, rng)
    images, told = three_images(truth, rng, seen=~mask), []
    for prior in (0.003, 0.03):
        monkeypatch.setattr("pyfai_gridcal.rings.witness.TURN_PRIOR", prior)
        found = fit_rings(images, shape=SHAPE, pixel_size=PIXEL, mask=mask)
        told.append([m.shift_sigma for m in found.modules])
    np.testing.assert_allclose(told[1], told[0], rtol=0.05)
