"""The spline with the fewest knots that stays within a wanted deviation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hub import PIXEL, corner_gap, wave

from pyfai_gridcal.base.errors import FittingError
from pyfai_gridcal.io.kinds.maps import distortion_of_centres
from pyfai_gridcal.io.kinds.splinefit import fit_spline
from pyfai_gridcal.records.distortion import Distortion


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
def test_the_wanted_deviation_is_kept(tolerance):
    fit = fit_spline(wave(), tolerance=tolerance)
    dy, dx = (
        a - b for a, b in zip(wave().displacement_nodes(), fit.spline.distortion().displacement_nodes(), strict=True)
    )
    size = np.hypot(dy, dx)
    assert size.max() <= tolerance
    assert size.max() == pytest.approx(fit.largest, rel=1e-6)
    assert np.sqrt(np.mean(size**2)) == pytest.approx(fit.rms, rel=1e-6)


def test_a_closer_spline_needs_more_knots():
    knots = [fit_spline(wave(), tolerance=t).spline.knots for t in (0.1, 0.01, 0.001)]
    assert knots == sorted(set(knots))


def test_no_knot_is_left_that_is_not_needed():
    """A cubic polynomial needs no inner knot; one that bends in one place gets few, and there."""

    class Bent:
        def on_grid(self, y, x):
            y, x = np.asarray(y, float)[:, None], np.asarray(x, float)[None, :]
            bend = np.maximum(x - 200, 0) ** 3 * 4e-6
            return np.stack([1e-7 * y**3 - 1e-3 * x + 0 * y, bend + 0.01 * y], axis=-1)

    fit = fit_spline(Distortion(Bent(), (200, 300), PIXEL), tolerance=0.01)
    assert [len(t) - 8 for t in (fit.spline.dy.knots_x, fit.spline.dy.knots_y, fit.spline.dx.knots_y)] == [0, 0, 0]
    inner = fit.spline.dx.knots_x[4:-4]
    assert 1 <= len(inner) <= 2
    assert np.abs(inner - 200).min() < 45


def test_masked_pixels_do_not_count():
    truth = wave(masked=True)
    spoilt = wave(masked=True, scale=1.0)

    class Spoilt:
        def on_grid(self, y, x):
            values = np.array(spoilt.field.on_grid(y, x))
            yy, xx = np.asarray(y)[:, None], np.asarray(x)[None, :]
            values[(yy > 11) & (yy < 23) & (xx > 42) & (xx < 87)] += 500
            return values

    from dataclasses import replace

    fit = fit_spline(replace(truth, field=Spoilt()), tolerance=0.01)
    assert fit.largest <= 0.01
    assert corner_gap(truth, fit.spline.distortion())[0] <= 0.011


@pytest.mark.parametrize("inverse", [False, True])
def test_known_pixels_alone_decide_about_a_spline(inverse):
    """Two corners that the grid did not reach and a beam stop, with rubbish in them: no kink, no runaway knots."""
    whole = wave()
    y, x = np.indices(whole.shape)
    unknown = (y + 0.8 * x < 90) | (y - 0.5 * x > 170) | ((y - 200) ** 2 + (x - 250) ** 2 < 15**2)
    dy, dx = whole.displacement_maps()
    dy, dx = (np.where(unknown, np.nan, one) for one in (dy, dx))
    for distortion in (replace(whole, mask=unknown), distortion_of_centres(dy, dx, PIXEL)):
        result = fit_spline(distortion, tolerance=0.01, inverse=inverse)
        assert result.largest <= 0.01
        assert result.spline.dy.coefficients.size + result.spline.dx.coefficients.size < 1000


@pytest.mark.parametrize("inverse", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_strongly_bent_field_with_a_bitten_border_fits(inverse):
    """Many bends everywhere, and a border that draws a search for knots to itself."""
    from pyfai_gridcal.records.field import SampledField

    shape = (420, 510)
    y, x = np.indices((shape[0] + 1, shape[1] + 1)) - 0.5
    bent = np.stack(
        [9 * np.sin(y / 62 + 1) * np.cos(x / 94) + x * y / 4000, 14 * np.cos(y / 86) * np.sin(x / 58) + (x / 100) ** 2],
        axis=-1,
    )
    y, x = np.indices(shape)
    unknown = (y < 6) | (x < 5 + 3 * np.sin(y / 20))
    unknown |= ((y - 210) ** 2 + (x - 560) ** 2 < 95**2) | ((x - 260) ** 2 + (y + 20) ** 2 < 40**2)
    axes = (np.arange(n + 1) - 0.5 for n in shape)
    fit = fit_spline(Distortion(SampledField(*axes, bent), shape, PIXEL, mask=unknown), inverse=inverse)
    assert fit.largest <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
def test_a_taper_with_dark_corners_needs_hardly_more_knots_than_a_whole_one(inverse):
    from pyfai_gridcal.synthetic import fields

    shape = (1300, 1400)
    whole = Distortion(fields.taper(shape, np.random.default_rng(0)), shape, PIXEL)
    y, x = np.indices(shape)
    dark = np.hypot(y - 650, x - 700) > 0.56 * 1400
    assert 0.05 < dark.mean() < 0.2
    sizes = []
    for distortion in (whole, replace(whole, mask=dark)):
        fit = fit_spline(distortion, inverse=inverse)
        assert fit.largest <= 0.01
        sizes.append(fit.spline.dy.coefficients.size + fit.spline.dx.coefficients.size)
    assert sizes[0] < 500
    assert sizes[1] < 1.6 * sizes[0]


def test_a_spline_tells_how_far_its_fit_is():
    said = []
    fit_spline(wave(), progress=lambda fraction, text: said.append((fraction, text)))
    fractions = [fraction for fraction, _ in said]
    assert 0 <= min(fractions) < 0.2
    assert 0.8 < max(fractions) <= 1
    assert any("knots" in text for _, text in said)


@pytest.mark.parametrize("tolerance", [0, -1])
def test_tolerance_is_positive(tolerance):
    with pytest.raises(FittingError):
        fit_spline(wave(), tolerance=tolerance)


def test_unreachable_deviation_is_refused_unless_forced():

    class Rough:
        def on_grid(self, y, x):
            y, x = np.asarray(y, float)[:, None], np.asarray(x, float)[None, :]
            return np.stack([np.sin(1.7 * y + 1.3 * x), np.cos(1.1 * y - 2.1 * x)], axis=-1)

    rough = Distortion(Rough(), (60, 80), PIXEL)
    with pytest.raises(FittingError, match="off by up to"):
        fit_spline(rough)
    assert fit_spline(rough, force=True).largest > 0.5
