"""Pictures: what is drawn is what the records say."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pyfai_gridcal.judging.measures import standardised_residuals
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.fit import DistortionFit, Pose, TrialScore
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.points import ControlPoints
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.report import plots
from pyfai_gridcal.report.plots.canvas import directions, nice
from pyfai_gridcal.report.plots.maps import reduced

SHAPE = (130, 210)
SIGMA = 0.02


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def distortion() -> Distortion:
    y, x = np.array([0.0, 129.0]), np.array([0.0, 209.0])
    # dy = 1 + y / 100, dx = -2 + x / 50
    dy, dx = np.meshgrid(1 + y / 100, -2 + x / 50, indexing="ij")
    mask = np.zeros(SHAPE, bool)
    mask[:, 150:] = True
    field = SampledField(y, x, np.stack([dy, dx], axis=-1))
    sigma = SampledField(y, x, np.full((2, 2, 2), 0.03))
    return Distortion(field, SHAPE, (50e-6, 46e-6), mask, sigma)


@pytest.fixture
def fit(distortion: Distortion) -> DistortionFit:
    rng = np.random.default_rng(3)
    ij = np.stack(np.meshgrid(np.arange(7), np.arange(9), indexing="ij"), axis=-1).reshape(-1, 2)
    yx = ij * (17.3, 21.7) + (8.1, 9.4)
    n = len(yx)
    points = ControlPoints(
        yx, np.full((n, 2), SIGMA), ij, np.arange(n), np.zeros(n), np.array([[17.3, 0.0], [0.0, 21.7]])
    )
    residual = rng.normal(0, SIGMA, (n, 2))
    residual[5] = (3.0, -2.0)
    used = np.ones(n, bool)
    used[5] = False
    trials = (
        TrialScore("bspline", 0.021, True, ((-1.0, 0.03), (0.0, 0.021), (1.0, 0.05))),
        TrialScore("polynomial", 0.04),
        TrialScore("tiles", float("nan"), note="no seam"),
    )
    return DistortionFit(
        distortion, Plate((1e-3, 1e-3)), (points,), (Pose(0.0, (0.0, 0.0)),), (residual,), (1.1 * residual,), (used,),
        trials=trials,
    )  # fmt: skip


def test_a_given_axes_is_used(distortion: Distortion) -> None:
    _, ax = plt.subplots()
    assert plots.displacement(distortion, ax=ax) is ax
    assert plots.vectors(distortion) is not ax


@pytest.mark.parametrize("component", ["dy", "dx", "magnitude"])
def test_displacement_map_shows_the_field(distortion: Distortion, component) -> None:
    mesh = plots.displacement(distortion, component).collections[0]
    shown = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(SHAPE)
    dy, dx = distortion.displacement_maps()
    expected = {"dy": dy, "dx": dx, "magnitude": np.hypot(dy, dx)}[component]
    np.testing.assert_allclose(shown[:, :150], expected[:, :150], atol=1e-12)
    assert np.isnan(shown[:, 150:]).all()


def test_maps_of_a_large_detector_are_sampled() -> None:
    field = SampledField(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones((2, 2, 2)))
    mesh = plots.displacement(Distortion(field, (4000, 3000), (1e-4, 1e-4))).collections[0]
    assert mesh.get_array().size < 500 * 500


def test_sigma(distortion: Distortion) -> None:
    shown = np.ma.filled(plots.sigma(distortion).collections[0].get_array().astype(float), np.nan)
    assert np.nanmax(abs(shown - 0.03)) < 1e-12
    assert plots.sigma(replace(distortion, sigma=None)).texts[0].get_text() == "no uncertainty is known"


def test_vectors_point_and_leave_out_what_is_not_known(distortion: Distortion) -> None:
    arrows = plots.vectors(distortion).collections[0]
    at = arrows.get_offsets()
    assert at[:, 0].max() < 150
    np.testing.assert_allclose(arrows.V, 1 + at[:, 1] / 100)
    np.testing.assert_allclose(arrows.U, -2 + at[:, 0] / 50)


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


def test_directions_are_seen_on_white_and_closed() -> None:
    colours = directions()(np.linspace(0, 1, 73))[:, :3]
    assert (colours @ (0.2126, 0.7152, 0.0722)).max() < 0.8
    np.testing.assert_allclose(colours[0], colours[-1], atol=0.1)


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
    assert float(text.split("width ")[1].split()[0]) == pytest.approx(1, abs=0.05)


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


def test_spots_in_three_colours() -> None:
    found = Spots.from_positions(np.random.default_rng(1).uniform(0, 100, (40, 2)))
    used = np.arange(40) > 3
    labels = [t.get_text() for t in plots.spots(found, used=used, shape=SHAPE).get_legend().get_texts()]
    assert labels == ["36 spots", "4 left out"]
    assert len(plots.spots(found, colour="sigma").collections[0].get_offsets()) == 40
    assert plots.spots(found, colour="chi2", data=np.eye(100)).images
    assert plots.contrast(found).patches
    assert plots.contrast(found.select([])).texts


def test_before_after() -> None:
    raw = np.random.default_rng(0).poisson(50, SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[:10] = True
    left, right = plots.before_after(raw, raw * 2.0, mask=mask)
    assert np.isnan(np.ma.filled(right.images[0].get_array(), np.nan)[:10]).all()
    assert (left.get_title(), right.get_title()) == ("as recorded", "corrected")


def test_reduced_keeps_the_mean_and_the_place() -> None:
    data = np.arange(30.0 * 47).reshape(30, 47)
    small, extent = reduced(data, 10)
    assert small.shape == (6, 9)
    assert small[0, 0] == pytest.approx(data[:5, :5].mean())
    assert extent == (-0.5, 44.5, -0.5, 29.5)


def test_constant_and_empty_images_are_drawn() -> None:
    plots.image(np.zeros((5, 8)), bar=True)
    plots.image(np.full((5, 8), np.nan))


@pytest.mark.parametrize(("value", "rounded"), [(1, 1), (1.99, 1), (2.0, 2), (0.04, 0.02), (730.0, 500.0)])
def test_nice_numbers(value: float, rounded: float) -> None:
    assert nice(value) == pytest.approx(rounded)


def test_accessor_draws_all_of_a_calibration(fit: DistortionFit) -> None:
    from types import SimpleNamespace

    from pyfai_gridcal.base.errors import UsageError

    image = np.random.default_rng(5).poisson(100.0, SHAPE)
    spots = Spots.from_positions(fit.points[0].yx)
    calibration = SimpleNamespace(images=(image,), masks=(None,), spots=(spots,), fit=fit)
    pictures = plots.Plots(calibration)
    names = [name for name in dir(pictures) if not name.startswith("_")]
    assert "residuals" in repr(pictures)
    for name in names:
        assert getattr(pictures, name)() is not None
    assert pictures.spots().get_legend().get_texts()[1].get_text() == "1 left out"
    _, (left, right) = plt.subplots(1, 2)
    pictures.before_after(axes=(left, right))
    assert np.ma.is_masked(np.ma.masked_invalid(right.images[0].get_array()))
    with pytest.raises(UsageError, match="exposure 1"):
        pictures.residuals(1)
