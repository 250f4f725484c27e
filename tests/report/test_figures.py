"""The figures of the page: each stands in a section that there is, under a title of its own, and is a picture."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.judging.validation import Validation
from pyfai_gridcal.report.figures import MOST_EXPOSURES, PageFigure, as_data_uri, figures_of, loop_figures
from pyfai_gridcal.report.page import _SECTIONS


def test_figures_have_a_place_and_a_title(made: Calibration, loop: Validation) -> None:
    drawn = [*figures_of(made), *loop_figures(made, loop)]
    assert {figure.section for figure in drawn} <= set(_SECTIONS)
    assert len({figure.title for figure in drawn}) == len(drawn) >= 18
    assert all(figure.caption.endswith(".") for figure in drawn)
    assert len({figure.caption for figure in drawn if "Distances" in figure.title}) == 3


def test_what_is_not_there_is_not_drawn(made: Calibration) -> None:
    bare = replace(made, images=(), masks=(), fit=replace(made.fit, trials=()))
    sections = {figure.section for figure in figures_of(bare)}
    assert sections == {"verdict", "residuals", "displacement", "noise"}
    n = MOST_EXPOSURES + 2
    repeated = {k: getattr(made.fit, k) * n for k in ("points", "poses", "residual_yx", "held_out_yx", "used")}
    many = replace(made, images=(), masks=(), spots=made.spots * n, fit=replace(made.fit, **repeated))
    titles = [figure.title for figure in figures_of(many)]
    assert f"Residuals of exposure {MOST_EXPOSURES}" in titles
    assert f"Residuals of exposure {MOST_EXPOSURES + 1}" not in titles


def test_an_address_is_the_picture_itself() -> None:
    figure = PageFigure("", "", "", lambda ax: ax.axvspan(0, 0.5, color="k"), (3.0, 2.0))
    head, data = as_data_uri(figure, dpi=50).split(",", 1)
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (150, 100)
        assert np.asarray(picture.convert("L")).min() == 0
