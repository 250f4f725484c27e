"""What is known and what is not: depths of modules within their sigma, the plane through them not at all."""

from __future__ import annotations

import numpy as np
import pytest
from ringdrawing import PIXEL, modular, perfect, ring_points_of, three_images

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
