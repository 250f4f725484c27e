"""The figures of the page: which there are, what is to be looked for in them, and each as an inline PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..judging.measures import pair_distances
from ..records.result import Result
from . import pictures, plots
from .pictures import contrasts_of

if TYPE_CHECKING:
    from ..judging.validation import Validation

__all__ = ["Picture", "as_data_uri", "loop_pictures", "pictures_of"]

#: Exposures of which all pictures are shown; more would make the page too large.
MOST_EXPOSURES = 4


@dataclass(frozen=True)
class Picture:
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
    draw: Callable[..., Any]
    size: tuple[float, float] = (6.0, 4.6)


def as_data_uri(picture: Picture, *, dpi: int = 105) -> str:
    """The picture as the address of an inline PNG of 256 colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=picture.size, dpi=dpi, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    picture.draw(ax=figure.add_subplot())
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    small = io.BytesIO()
    colours = Image.fromarray(np.ascontiguousarray(pixels)).quantize(256, dither=Image.Dither.NONE)
    colours.save(small, format="png", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")


def pictures_of(calibration: Result) -> Iterator[Picture]:
    """All pictures but those of the closed loop."""
    count = len(calibration.fit.points)
    for k in range(min(count, MOST_EXPOSURES)):
        name = f" of exposure {k + 1}" if count > 1 else ""
        if k < len(calibration.images):
            yield from _image(calibration, k, name)
        yield from _residuals(calibration, k, name)
    yield from _displacement(calibration)
    yield from _noise(calibration)
    yield from _model(calibration)


def _image(c: Result, k: int, name: str) -> Iterator[Picture]:
    points, data = c.points[k], c.images[k]
    wide = _fitting(c.shape)
    every = int(np.ptp(points.ij, axis=0).max()) // 70 + 1
    lines = "Every line joins" if every == 1 else f"One line of the lattice in {every} is drawn; it joins"

    def overview(ax: Any) -> None:
        plots.image(data, ax=ax, mask=c.masks[k] if k < len(c.masks) else None)
        pictures.grid(points, ax=ax, width=0.5, every=every)
        out = points.yx[~c.fit.used[k]]
        if len(out):
            ax.plot(out[:, 1], out[:, 0], "x", color="#d62728", ms=6, label=f"{len(out)} outliers")
            ax.legend(fontsize="small")

    yield Picture(
        "image",
        f"Image{name} with the lattice that was found",
        f"{lines} neighbouring nodes. A line that skips a row or crosses another is a wrong index. i and j are the "
        "axes of the indices at the node (0, 0).",
        overview,
        wide,
    )
    pitch = max(points.pitch_px)
    half = min(1.8 * pitch, min(c.shape) / 2)
    size = np.where(c.fit.used[k], np.hypot(*c.fit.residual_yx[k].T), -1)
    places = {
        "in the middle": np.median(points.yx, axis=0),
        "at the rim": _outermost(points.yx, c.shape),
        f"of the largest residual ({size.max():.2g} px)": points.yx[np.argmax(size)],
    }
    for where, place in places.items():
        middle = np.clip(place, half, np.array(c.shape) - 1 - half)
        yield Picture(
            "image",
            f"Close-up {where}{name}",
            "The crosses are the spots with 100 times their standard uncertainty; they should stand in the middle of "
            "the holes.",
            partial(pictures.close_up, data, points, middle, half),
            (4.8, 4.6),
        )
    found = contrasts_of(data, c.masks[k] if k < len(c.masks) else None, c.spots[k], points)
    if found is not None:
        yield Picture(
            "spots",
            f"Contrast of everything that stood out{name}",
            "Holes and the rest should be two groups with the threshold between them. Control points left of it were "
            "found at the second look, where the lattice said that there is a hole; what is grey right of it was "
            "looked at and left out: cut by the border, or no hole of the lattice.",
            partial(pictures.contrasts, found),
        )
    hole = c.spots[k].profile
    if hole is not None:
        yield Picture(
            "spots",
            f"The hole as the image shows it{name}",
            "The profile that was learned and fitted, blur and pixel area included.",
            partial(pictures.profile, hole),
        )


def _outermost(yx: Any, shape: tuple[int, int]) -> Any:
    """A spot near a corner of the image."""
    middle = np.array(shape) / 2
    return yx[np.argmax(np.abs(yx - middle).min(axis=1) - 0.02 * np.abs(yx - middle).max(axis=1))]


def _fitting(shape: tuple[int, int], height: float = 6.0) -> tuple[float, float]:
    """Size in inches of a picture of the whole detector, axis labels and all."""
    ratio = shape[1] / shape[0]
    return (float(np.clip(height * ratio + 1, 4.5, 9.5)), float(np.clip(8.5 / ratio + 0.6, 2.5, height)))


def _residuals(c: Result, k: int, name: str) -> Iterator[Picture]:
    size = _fitting(c.shape, 5.0)
    yield Picture(
        "residuals",
        f"Residuals{name}",
        "Corrected minus true place of every spot. Arrows that agree over several spots are distortion that was "
        "missed. One that is far longer than the others is cut and has a ring.",
        partial(plots.residuals, c.fit, k),
        size,
    )
    yield Picture(
        "residuals",
        f"Directions of the residuals{name}",
        "Confetti is good. Patches of one colour are distortion that was missed, or errors of the plate.",
        partial(plots.residual_directions, c.fit, k),
        (size[0] + 0.8, size[1]),
    )


def _displacement(c: Result) -> Iterator[Picture]:
    size = _fitting(c.shape, 5.0)
    size = (size[0] + 0.8, size[1])

    yield Picture(
        "displacement",
        "Displacement",
        f"Corrected minus observed place of every pixel; white where it is not known. Gauge: {c.distortion.gauge}.",
        partial(pictures.displacement_with_arrows, c.distortion),
        size,
    )
    components: tuple[tuple[Literal["dy", "dx"], str], ...] = (("dy", "along slow (y)"), ("dx", "along fast (x)"))
    for component, words in components:
        yield Picture(
            "displacement",
            f"Displacement {words}",
            "A jump along a line asks for tiles (--model mosaic).",
            partial(plots.displacement, c.distortion, component),
            size,
        )
    if c.distortion.sigma is not None:
        yield Picture(
            "displacement",
            "Uncertainty of the displacement",
            "Standard uncertainty per axis. It grows away from the spots; pixels beyond the limit are masked.",
            partial(plots.sigma, c.distortion),
            size,
        )


def _noise(c: Result) -> Iterator[Picture]:
    fit = c.fit
    yield Picture(
        "residuals",
        "Histogram of the residuals",
        "The outline is what each spot misses when it is left out of the fit. Much wider than the residuals: too few "
        "spots for such a field, or too flexible a model.",
        partial(plots.residual_histogram, fit),
    )
    yield Picture(
        "residuals",
        "Pulls",
        "Residuals over their uncertainty, freed of the pull that a spot has on the field (the geometric mean of the "
        "residual with and without the spot). A width of 1 says that the uncertainties are honest.",
        partial(plots.pulls, fit),
    )
    yield Picture(
        "residuals",
        "Residual against uncertainty",
        "Points far above the line were measured worse than they say.",
        partial(plots.residual_against_sigma, fit),
    )
    yield Picture(
        "noise",
        "Sub-pixel bias",
        "Flat within the error bars, or spots are pulled to the middle (or the edge) of their pixel.",
        partial(plots.subpixel_bias, fit),
    )
    yield Picture(
        "noise",
        "Correlation of the residuals",
        "0 for noise; a little below it at short distances, since the field follows what neighbours share. Above the "
        "grey band there: distortion that the model misses.",
        partial(pictures.correlation, fit),
    )
    pairs = pair_distances(fit)
    if pairs:
        for one in (pairs[0], pairs[-1]) if len(pairs) > 1 else pairs[:1]:
            yield Picture(
                "noise",
                "Distances of neighbours" if one.steps == 1 else "Distances at long range",
                "Distances between corrected spots beside the true ones. Only the long range tells of a field that is "
                "wrong as a whole.",
                partial(pictures.distance_histogram, one),
            )
        yield Picture(
            "noise",
            "Distances at all ranges",
            "Flat is good: an error that grows with the distance is distortion, not noise.",
            partial(pictures.distances_by_range, pairs),
        )


def _model(c: Result) -> Iterator[Picture]:
    if c.fit.trials:
        yield Picture(
            "model",
            "Held-out error of the models",
            "How well points that were left out are predicted, against the smoothness where the model has one. The "
            "star is what was taken.",
            partial(pictures.models, c.fit),
            (7.0, 4.6),
        )


def loop_pictures(c: Result, validation: Validation, exposure: int = 0) -> Iterator[Picture]:
    """The image before and after, with what distortion is left."""
    size = _fitting(c.shape, 5.5)
    if exposure < len(c.images):
        yield Picture(
            "loop",
            "As recorded",
            "The image of the grid as the camera gave it.",
            partial(plots.image, c.images[exposure]),
            size,
        )
    yield Picture(
        "loop",
        "Corrected, with what is left",
        "The image corrected by pyFAI with the detector of this calibration; the arrows tell how far the spots found "
        "in it are from a perfect grid.",
        partial(pictures.closed_loop, validation),
        size,
    )
