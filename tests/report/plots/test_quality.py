"""Pictures of residuals: what is drawn is what the records say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flat import SHAPE, SIGMA

from pyfai_gridcal.judging.measures import standardised_residuals
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.report import plots


def test_residual_vectors_and_outliers(fit: DistortionFit) -> None:
    ax = plots.residuals(fit)
    arrows = ax.collections[0]
    assert len(arrows.U) == 62
    np.testing.assert_allclose(arrows.V, fit.residual_yx[0][fit.used[0], 0])
    assert ax.lines[0].get_xydata().tolist() == [[*fit.points[0].yx[5, ::-1]]]


def test_one_long_residual_is_cut_and_said_to_be(fit: DistortionFit) -> None:
    """A wrong spot that the fit used neither crosses the picture nor changes the scale of the others."""
    plain = plots.residuals(fit).collections[0]
    residual = fit.residual_yx[0].copy()
    residual[20] = (1.2, -0.9)
    ax = plots.residuals(replace(fit, residual_yx=(residual,)))
    drawn = ax.collections[0]
    row = 20 - 1  # the outlier before it is not an arrow
    assert drawn.scale == pytest.approx(plain.scale, rel=0.05)
    length = np.hypot(drawn.U, drawn.V) / drawn.scale
    assert length[row] == pytest.approx(length.max())
    assert length[row] < 3.3 * 17.3, "px of the drawing; the pitch is 17.3"
    assert drawn.V[row] / drawn.U[row] == pytest.approx(1.2 / -0.9), "it still points where it did"
    np.testing.assert_allclose(np.delete(drawn.V, row), np.delete(residual[fit.used[0], 0], row))
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[0].startswith("1 arrow cut at 0.1")
    assert words[0].endswith("the longest is 1.5 px")
    assert ax.lines[0].get_xydata().tolist() == [[*fit.points[0].yx[20, ::-1]]]


def test_the_worst_spots_have_numbered_rings(fit: DistortionFit) -> None:
    size = np.where(fit.used[0], np.hypot(*fit.residual_yx[0].T), 0)
    worst = np.argsort(-size)[:5]
    ax = plots.residuals(fit)
    assert [text.get_text() for text in ax.texts[-5:]] == ["1", "2", "3", "4", "5"]
    assert [text.xy for text in ax.texts[-5:]] == [tuple(place) for place in fit.points[0].yx[worst, ::-1]]
    at = plots.residual_against_sigma(fit).lines[-1].get_xydata()
    np.testing.assert_allclose(at[:, 1], size[worst])


def test_picture_of_the_demo_cuts_nothing_off(fit: DistortionFit, tmp_path, monkeypatch) -> None:
    from types import SimpleNamespace

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from pyfai_gridcal.cli.demo import save_picture

    shape = (128, 140)  # a square would fill its half of the picture anyhow
    image = np.random.default_rng(5).poisson(100.0, shape)
    fit = replace(fit, distortion=replace(fit.distortion, shape=shape, mask=None))
    spots = Spots.from_positions(fit.points[0].yx)
    figures = []
    real = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kw: (figures.append(self), real(self, *args, **kw)))
    save_picture(SimpleNamespace(images=(image,), spots=(spots,), fit=fit), tmp_path / "result.png")
    box = figures[0].get_tightbbox(FigureCanvasAgg(figures[0]).get_renderer())
    width, height = figures[0].get_size_inches()
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_directions_are_from_fast_to_slow(fit: DistortionFit) -> None:
    fit = replace(fit, residual_yx=(np.tile([0.1, 0.0], (63, 1)),))
    assert np.unique(plots.residual_directions(fit).collections[0].get_array()).tolist() == [90.0]


def test_histogram_counts_used_spots(fit: DistortionFit) -> None:
    ax = plots.residual_histogram(fit)
    assert sum(bar.get_height() for bar in ax.patches if hasattr(bar, "get_height")) == 2 * 62
    assert "rms 0.0" in ax.get_legend().get_texts()[0].get_text()


def test_pulls_of_a_straight_line_have_unit_width() -> None:
    """Residuals of a fit with much leverage: neither the plain nor the held-out ones have the width of their sigma."""
    rng, n, m = np.random.default_rng(8), 12, 400
    x = np.stack([np.ones(n), np.linspace(0, 1, n)], axis=1)
    hat = x @ np.linalg.pinv(x)
    noise = rng.normal(0, SIGMA, (n, m))
    r = (noise - hat @ noise).T.ravel()
    held_out = r / np.tile(1 - np.diag(hat), m)
    columns = [np.stack([v, v], axis=1) for v in (r, held_out)]
    count = n * m
    zero = np.zeros((count, 2))
    points = ControlPoints(zero, np.full((count, 2), SIGMA), zero, np.arange(count), np.zeros(count), np.eye(2))
    field = SampledField(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros((2, 2, 2)))
    fit = DistortionFit(
        Distortion(field, SHAPE, (1e-4, 1e-4)), Plate((1e-3, 1e-3)), (points,), (Pose(0.0, (0.0, 0.0)),),
        (columns[0],), (columns[1],), (np.ones(count, bool),),
    )  # fmt: skip
    z = standardised_residuals(fit)
    assert np.std(z) == pytest.approx(1, abs=0.03)
    assert np.std(r / SIGMA) < 0.93
    assert np.std(held_out / SIGMA) > 1.07
    text = plots.pulls(fit).get_legend().get_texts()[0].get_text()
    assert float(text.split("spread ")[1].split()[0]) == pytest.approx(1, abs=0.05)


def test_residual_against_sigma(fit: DistortionFit) -> None:
    used, out = plots.residual_against_sigma(fit).lines[:2]
    assert len(used.get_xdata()) == 62
    assert out.get_ydata() == pytest.approx([np.hypot(3, 2)])


def test_held_out_curve(fit: DistortionFit) -> None:
    ax = plots.held_out(fit)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["bspline: 0.0210 px", "polynomial: 0.0400 px"]
    assert ax.lines[0].get_linewidth() > ax.lines[2].get_linewidth()
    assert plots.held_out(replace(fit, trials=())).texts


def test_subpixel_bias_is_seen(fit: DistortionFit) -> None:
    yx = fit.points[0].yx
    wave = 0.1 * np.sin(2 * np.pi * (yx - np.rint(yx)))
    ax = plots.subpixel_bias(replace(fit, residual_yx=(wave,)), bins=5)
    drawn = ax.containers[0].lines[0]
    assert np.polyfit(drawn.get_xdata(), drawn.get_ydata(), 3)[0] < 0, "a sine: it bends back at both ends"
