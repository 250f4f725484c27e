"""The figures of the page: which pictures there are, with what is to be looked for in them, and each as an inline PNG.

What draws them is in :mod:`.plots` (for everybody) and :mod:`.pictures` (for the page only).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import Floats
from ..judging.measures import pair_distances
from ..records.result import Result
from . import pictures, plots
from .pictures import contrasts_of

if TYPE_CHECKING:
    from ..judging.validation import Validation


#: Exposures of which all pictures are shown; more would make the page too large.
MOST_EXPOSURES = 4


@dataclass(frozen=True)
class PageFigure:
    """One figure of the page.

    Attributes
    ----------
    section : of the page, by its key
    title, caption : what it shows; how to read it
    draw : draws on the Axes that it gets as `ax`
    size : inches
    """

    section: str
    title: str
    caption: str
    draw: Callable[..., object]
    size: tuple[float, float] = (6.0, 4.6)


def as_data_uri(figure: PageFigure, *, dpi: int = 105) -> str:
    """The figure as the address of an inline PNG of 256 colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    canvas: Any = FigureCanvasAgg(Figure(figsize=figure.size, dpi=dpi, layout="constrained"))
    figure.draw(ax=canvas.figure.add_subplot())
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    small = io.BytesIO()
    colours = Image.fromarray(np.ascontiguousarray(pixels)).quantize(256, dither=Image.Dither.NONE)
    colours.save(small, format="png", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")


def figures_of(calibration: Result) -> Iterator[PageFigure]:
    """All figures but those of the corrected image."""
    count = len(calibration.fit.points)
    for k in range(min(count, MOST_EXPOSURES)):
        name = f" of exposure {k + 1}" if count > 1 else ""
        if k < len(calibration.images):
            yield from _image(calibration, k, name)
        yield from _residuals(calibration, k, name)
    yield from _maps(calibration)
    for figure in _OF_THE_FIT:
        yield replace(figure, draw=partial(figure.draw, calibration.fit))
    yield from _distances(calibration)
    if calibration.fit.trials:
        words = (
            "How well left-out spots are predicted, against the smoothness if the model has one. The star is the "
            "chosen model."
        )
        draw = partial(pictures.models, calibration.fit)
        yield PageFigure("model", "Prediction error of the models at left-out holes", words, draw, (7.0, 4.6))


def _image(c: Result, k: int, name: str) -> Iterator[PageFigure]:
    """One exposure: the lattice over it, parts of it at full size, and what its spots look like."""
    points, data, mask = c.points[k], c.images[k], c.masks[k] if k < len(c.masks) else None
    every = int(np.ptp(points.ij, axis=0).max()) // 70 + 1
    lines = "Every line joins" if every == 1 else f"One line of the lattice in {every} is drawn; it joins"
    words = (
        f"{lines} neighbouring nodes. A line that skips a row or crosses another is a wrong index. i and j are the "
        "axes of the indices at the node (0, 0). Numbers are the worst spots of the list."
    )
    draw = partial(pictures.overview, data, c.fit, k, mask=mask, every=every)
    section = "image" if k else "verdict"
    yield PageFigure(section, f"Image{name} with the lattice that was found", words, draw, _fitting(c.shape))
    half = min(1.8 * max(points.pitch_px), min(c.shape) / 2)
    words = (
        "The crosses are the spots with 100 times their standard uncertainty; they should stand in the middle of the "
        "holes."
    )
    for where, place in _places(c, k).items():
        middle = np.clip(place, half, np.array(c.shape) - 1 - half)
        draw = partial(pictures.close_up, data, points, middle, half)
        yield PageFigure("image", f"Close-up {where}{name}", words, draw, (4.8, 4.6))
    found = contrasts_of(data, mask, c.spots[k], points)
    if found is not None:
        words = (
            "Holes and everything else should be two groups, with the threshold between them. Control points on its "
            "left were found at the second look, where the grid predicts a hole. Grey places on its right were "
            "rejected: they are cut by the border, or are no holes of the grid."
        )
        title = f"Contrast of everything that stood out{name}"
        yield PageFigure("spots", title, words, partial(pictures.contrasts, found))
    hole = c.spots[k].profile
    if hole is not None:
        words = "The profile that was learned from the image and fitted to every spot, with blur and pixel area."
        yield PageFigure("spots", f"The hole as the image shows it{name}", words, partial(pictures.profile, hole))


def _places(c: Result, k: int) -> dict[str, Floats]:
    """Where one exposure is looked at closely, in words and px."""
    yx = c.points[k].yx
    size = np.where(c.fit.used[k], np.hypot(*c.fit.residual_yx[k].T), -1)
    return {
        "in the middle": np.median(yx, axis=0),
        "at the rim": _outermost(yx, c.shape),
        f"of the largest residual ({size.max():.2g} px)": yx[np.argmax(size)],
    }


def _outermost(yx: Floats, shape: tuple[int, int]) -> Floats:
    """A spot near a corner of the image."""
    middle = np.array(shape) / 2
    return np.asarray(yx[np.argmax(np.abs(yx - middle).min(axis=1) - 0.02 * np.abs(yx - middle).max(axis=1))])


def _fitting(shape: tuple[int, int], height: float = 6.0) -> tuple[float, float]:
    """Size in inches of a picture of the whole detector, axis labels and all."""
    ratio = shape[1] / shape[0]
    return (float(np.clip(height * ratio + 1, 4.5, 9.5)), float(np.clip(8.5 / ratio + 0.6, 2.5, height)))


def _residuals(c: Result, k: int, name: str) -> Iterator[PageFigure]:
    """Residuals of one exposure over the detector."""
    wide, high = _fitting(c.shape, 5.0)
    words = (
        "Corrected minus true position of every spot. Arrows that agree over several spots are distortion that was "
        "missed. One that is far longer than the others is cut and has a ring. Numbers are the worst spots of the list."
    )
    yield PageFigure("residuals", f"Residuals{name}", words, partial(plots.residuals, c.fit, k), (wide, high))
    words = "Random colours are good. Patches of one colour are distortion that was missed, or errors of the plate."
    draw = partial(plots.residual_directions, c.fit, k)
    yield PageFigure("residuals", f"Directions of the residuals{name}", words, draw, (wide + 0.8, high))


def _maps(c: Result) -> Iterator[PageFigure]:
    """The displacement and its uncertainty over the detector."""
    wide, high = _fitting(c.shape, 5.0)
    size, d = (wide + 0.8, high), c.distortion
    words = f"Corrected minus observed position; white where it is not known. Reference frame: {d.gauge}."
    yield PageFigure("verdict", "Displacement", words, partial(pictures.displacement_with_arrows, d), size)
    words = "If it jumps along a line, the detector has tiles: use --model mosaic."
    draw = partial(plots.displacement, d)
    yield PageFigure("displacement", "Displacement along slow (y)", words, partial(draw, "dy"), size)
    yield PageFigure("displacement", "Displacement along fast (x)", words, partial(draw, "dx"), size)
    if d.sigma is not None:
        words = "Standard uncertainty per axis. It grows away from the spots; pixels beyond the limit are masked."
        yield PageFigure("displacement", "Uncertainty of the displacement", words, partial(plots.sigma, d), size)


#: Figures of the whole fit; what draws them takes it first.
_OF_THE_FIT = (
    PageFigure("residuals", "Histogram of the residuals",
               "The outline is the prediction error of each spot when it is left out of the fit. If it is much wider "
               "than the residuals, there are too few spots for this field, or the model is too flexible.",
               plots.residual_histogram),
    PageFigure("residuals", "Residual / uncertainty",
               "Residuals divided by their uncertainty. Each spot also draws the field to itself; that effect is "
               "removed (geometric mean of the residual with and without the spot). A spread of 1 is ideal: the "
               "uncertainties are right.",
               plots.pulls),
    PageFigure("residuals", "Residual against uncertainty",
               "Spots far above the line are farther off than their uncertainty says. Numbers are the worst spots of "
               "the list.",
               plots.residual_against_sigma),
    PageFigure("noise", "Sub-pixel bias",
               "It should be flat within the error bars. Otherwise spots are drawn to the middle, or the edge, of "
               "their pixel.",
               plots.subpixel_bias),
    PageFigure("noise", "Correlation of the residuals",
               "Noise gives 0, and a little less at short distances, since the field follows what neighbours share. "
               "Values above the grey band there are distortion that the model misses.",
               pictures.correlation),
)  # fmt: skip


#: Title and caption of the distances at the shortest and at the longest range.
_NEAR = (
    "Distances of neighbours",
    "Distances between neighbouring corrected spots, minus the true ones. Their width is the noise of two spots.",
)
_FAR = (
    "Distances at long range",
    "The same for the spots farthest apart. Only these tell of a field that is wrong as a whole. Good: no wider.",
)


def _distances(c: Result) -> Iterator[PageFigure]:
    """Distances between spots, at the shortest, the longest and all ranges."""
    pairs = pair_distances(c.fit)
    for one in dict.fromkeys((*pairs[:1], *pairs[-1:])):
        title, words = (_NEAR if one.steps == 1 else _FAR) if len(pairs) > 1 else _NEAR
        yield PageFigure("noise", title, words, partial(pictures.distance_histogram, one))
    if pairs:
        words = "Flat is good. An error that grows with the distance is distortion, not noise."
        yield PageFigure("noise", "Distances at all ranges", words, partial(pictures.distances_by_range, pairs))


def loop_figures(c: Result, validation: Validation, exposure: int = 0) -> Iterator[PageFigure]:
    """The image before and after, with what distortion is left."""
    size = _fitting(c.shape, 5.5)
    if exposure < len(c.images):
        draw = partial(plots.image, c.images[exposure])
        yield PageFigure("loop", "As recorded", "The image of the grid as the camera gave it.", draw, size)
    words = (
        "The image corrected by pyFAI with the detector of this calibration; the arrows tell how far the spots found "
        "in it are from a perfect grid."
    )
    yield PageFigure("loop", "Corrected, with what is left", words, partial(pictures.closed_loop, validation), size)
