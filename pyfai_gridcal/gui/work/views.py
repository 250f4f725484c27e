"""Everything that is shown of the results, prepared in the thread that computed them. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.arrays import AnyArray, Bools
from ...io.images.images import Image
from ...records.fit import DistortionFit
from ...report.plots.maps import reduced
from .layers import (
    GridLines,
    MapImage,
    MapName,
    SpotLayer,
    VectorLines,
    build_pyramid,
    grid_lines,
    map_image,
    spot_layer,
    vector_lines,
)
from .state import Results

#: Longest side of the images under the slider, px: silx goes through all their pixels several times to draw them.
SLIDER_SIDE = 1400


@dataclass(frozen=True, eq=False)
class WorkView:
    """What is drawn for one exposure.

    Attributes
    ----------
    results : where it comes from
    exposure : which exposure
    image : the image, None before it was read
    levels, limits : its pyramid, and the counts at the ends of the colours
    spots, grid, vectors, overlay, unknown : layers; None where there is nothing to show
    origin : (y, x) px of node (0, 0), index frame
    """

    results: Results
    exposure: int = 0
    image: Image | None = None
    levels: tuple[AnyArray, ...] = ()
    limits: tuple[float, float] = (0.0, 1.0)
    spots: SpotLayer | None = None
    grid: GridLines | None = None
    vectors: VectorLines | None = None
    overlay: MapImage | None = None
    unknown: Bools | None = None
    origin: tuple[float, float] | None = None

    @property
    def fit(self) -> DistortionFit | None:
        """The fit, once there is one."""
        return None if self.results.calibration is None else self.results.calibration.fit


def colour_limits(image: Image) -> tuple[float, float]:
    """Counts at the ends of a logarithmic colour scale: nearly all values, the lower one positive."""
    step = max(1, int(np.sqrt(image.data.size / 250_000)))
    sample = np.asarray(image.data[::step, ::step], np.float64)[~image.mask[::step, ::step]]
    if not sample.size:
        return 1.0, 10.0
    low, high = np.percentile(sample, (0.5, 99.8))
    positive = sample[sample > 0]
    if low <= 0:
        low = float(positive.min()) if positive.size else 1.0
    return float(low), float(max(high, 1.01 * low))


def prepare_view(
    results: Results, exposure: int = 0, overlay: MapName | None = None, old: WorkView | None = None
) -> WorkView:
    """Collect what is to be drawn.

    Parameters
    ----------
    overlay : map that is laid over the image
    old : the view before; what did not change is taken from it
    """
    if exposure >= len(results.exposures):
        return WorkView(results, exposure)
    # The image: its pyramid takes longest and is kept as long as the pixels are the same.
    work = results.exposures[exposure]
    fit: DistortionFit | None = None if results.calibration is None else results.calibration.fit
    levels: tuple[AnyArray, ...] = ()
    limits = (0.0, 1.0)
    if work.picture is not None:
        if old is not None and old.image is not None and old.image.data is work.picture.data:
            levels, limits = old.levels, old.limits
        else:
            levels, limits = build_pyramid(work.picture.data), colour_limits(work.picture)
    # The spots change with each edit.
    layers: dict[str, Any] = {"spots": spot_layer(work, fit, exposure)}
    if layers["spots"] is not None:
        _ = layers["spots"].tree  # grown here, not when the mouse moves
    # What follows from the fit only is kept with it; the map is another one whenever the user asks for it.
    if fit is not None:
        if old is not None and old.fit is fit and old.exposure == exposure:
            layers |= {"grid": old.grid, "vectors": old.vectors, "unknown": old.unknown}
        else:
            mask = fit.distortion.mask
            layers |= {
                "grid": grid_lines(fit, exposure),
                "vectors": vector_lines(fit.distortion, stretch=2.0),
                "unknown": mask if mask is not None and mask.any() else None,
            }
        layers["overlay"] = None if overlay is None else map_image(overlay, fit, exposure)
    # The origin, once there are nodes.
    points = fit.points[exposure] if fit is not None and exposure < len(fit.points) else work.points
    if points is not None:
        zero = points.yx[(points.ij == 0).all(axis=1)]
        layers["origin"] = (float(zero[0, 0]), float(zero[0, 1])) if len(zero) else None
    return WorkView(results, exposure, work.picture, levels, limits, **layers)


@dataclass(frozen=True, eq=False)
class Pair:
    """The image as recorded and as corrected, to be compared.

    Attributes
    ----------
    images : both, (ny, nx)
    levels : their pyramids
    coarse : both as block means of `step` x `step` pixels, float32, small enough to be drawn at once
    limits : counts at the ends of the colours
    """

    images: tuple[AnyArray, AnyArray]
    levels: tuple[tuple[AnyArray, ...], tuple[AnyArray, ...]]
    coarse: tuple[AnyArray, AnyArray]
    step: int
    limits: tuple[float, float]


def prepare_pair(view: WorkView, corrected: AnyArray) -> Pair:
    """Collect what is drawn of the image of `view` and of the corrected one, both (ny, nx)."""
    assert view.image is not None
    raw = view.image.data
    levels = view.levels or build_pyramid(raw), build_pyramid(corrected)
    step = -(-max(raw.shape) // SLIDER_SIDE)
    coarse = tuple(np.array(reduced(image, SLIDER_SIDE)[0], np.float32) for image in (raw, corrected))
    return Pair((raw, corrected), levels, coarse, step, view.limits)  # type: ignore[arg-type]
