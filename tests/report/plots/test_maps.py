"""Maps: what is drawn is what the records say."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from flat import SHAPE

from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.report import plots
from pyfai_gridcal.report.plots.maps import reduced


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
