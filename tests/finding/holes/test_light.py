"""Level and gradients of the light from the spots, where both are known."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.arrays import Floats
from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.finding.holes.light import light_of
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.spots import Polarity, SpotFlag
from pyfai_gridcal.synthetic import Light as Lamp
from pyfai_gridcal.synthetic import Scene, fields, match_spots, place

PITCH = 25.0


@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_gradients_that_vary_over_some_spots(turn: float) -> None:
    """A wave of thirty pitches: a plain local line makes its slopes too small by five per cent."""
    at = np.stack(np.meshgrid(*[np.arange(32) * PITCH] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    yx = at @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    k = 2 * np.pi / (30 * PITCH) * np.array([0.8, 0.6])
    level = 1000 + 200 * np.sin(yx @ k)
    slope = 200 * np.cos(yx @ k)[:, None] * k / level[:, None]
    found = light_of(yx, level, level / 5, spacing=PITCH, polarity="bright").at(yx)
    inside = (np.abs(at - at.mean(axis=0)) < 12 * PITCH).all(axis=1)
    for gradient in (found.slope_a, found.slope_b):
        gain = (gradient[inside] * slope[inside]).sum() / (slope[inside] ** 2).sum()
        assert gain == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(found.amplitude[inside], level[inside], rtol=2e-3)


def test_a_corner_where_the_light_falls_off_steeply() -> None:
    """Spots there look odd as long as the gradient is not known, and all would be off the same way without it."""
    shape = (900, 950)
    camera = Distortion(fields.linear(shape), shape, (50e-6, 50e-6))
    plate = Plate((1.3e-3, 1.3e-3), hole_m=0.5e-3)
    lamp = Lamp(peak=4000.0, background=600.0, vignetting=0.8, uneven=0.4, seed=3, polarity="dark")
    picture = Scene(camera, plate, place(camera, plate, angle_deg=4.0), lamp).render(np.random.default_rng(1))
    spots = find_spots(picture.image)
    level = lamp.lamp(shape)[tuple(np.rint(spots.yx).astype(int).T)]
    corner = spots.select((level < 0.35) & ((spots.flags & SpotFlag.BORDER) == 0))
    assert len(corner) > 15
    score = match_spots(corner, picture.truth)
    assert score.over_crlb < 2.0
    assert score.over_sigma < 1.6


@pytest.mark.parametrize(("polarity", "peak"), [("bright", 40000.0), ("dark", 8000.0)])
def test_a_glow_on_top_is_no_light_of_the_holes(polarity: Polarity, peak: float) -> None:
    """Where the ground climbs and the amplitudes stay, its slope says nothing of the light on a hole."""
    shape, rng = (520, 610), np.random.default_rng(3)
    camera = Distortion(fields.linear(shape), shape, (50e-6, 54e-6))
    plate = Plate((0.9e-3, 0.9e-3), hole_m=0.33e-3)
    lamp = Lamp(peak=8000.0, background=600.0, vignetting=0.02, polarity=polarity)
    picture = Scene(camera, plate, place(camera, plate, angle_deg=7.0), lamp).render(rng)
    y, x = np.ogrid[: shape[0], : shape[1]]
    glow = peak / (1 + np.exp((0.6 * x + 0.8 * y - 480) / 20.0))
    spots = find_spots(picture.image + rng.poisson(glow))
    here = glow[tuple(np.rint(spots.yx).astype(int).clip(0, np.array(shape) - 1).T)] / peak
    steep = (here > 0.05) & (here < 0.95) & ((spots.flags & SpotFlag.BORDER) == 0)
    assert steep.sum() > 220
    score = match_spots(spots.select(steep), picture.truth)
    assert score.rms_px < 0.03
    assert score.over_sigma < 1.2


def test_a_glow_is_told_from_uneven_light() -> None:
    at = np.stack(np.meshgrid(np.arange(19.0), np.arange(23.0), indexing="ij"), axis=-1).reshape(-1, 2) * PITCH
    even, glow = np.full(len(at), 900.0), 5000 / (1 + np.exp(-(at[:, 1] - 300) / 40))

    def dark(amplitude: Floats, background: Floats, polarity: Polarity = "bright") -> float | None:
        return light_of(at, amplitude, background, spacing=PITCH, polarity=polarity).at(at[:3]).dark

    assert dark(even, 80 + glow) is None
    assert dark(even, -2000 - glow, "dark") is None
    assert dark(even, np.full(len(at), 80.0)) == 0
    assert dark(even + glow, 80 + 0.2 * (even + glow)) == pytest.approx(80, abs=5)
    assert dark(even + glow, -80 - 4 * (even + glow), "dark") == 0
    # dots that are sharper where there is less light have more contrast there, and are lit alike
    light = 1 + 0.25 * np.sin(at[:, 0] / 130)
    assert dark(900 * light * (1 - 0.07 * np.sin(at[:, 0] / 130)), -1100 * light, "dark") == 0
