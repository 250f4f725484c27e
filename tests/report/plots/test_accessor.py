"""All pictures of a calibration by name."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from flat import SHAPE

from pyfai_gridcal.records.fit import DistortionFit
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.report import plots


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
