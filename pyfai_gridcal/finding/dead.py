"""Areas of an image that no light reaches, or that no pixel reads: dead corners, gaps between modules, seams of a
mosaic.

They hold the pedestal and nothing else. In the histogram they are a narrow population at the low end with nothing
above it for a while; in the image they are larger than holes.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools
from ..base.robust import spread

#: Empty stretch of the histogram above the dead population, in its own widths (normal tails end at six on each side)
#: and as a share of the way to the median (a convention: the dark corners of uneven light end gradually).
_GAP_WIDTHS, _GAP_SHARE = 12.0, 0.25


def dead_level(image: AnyArray, mask: Bools | None = None, *, step: int = 3) -> float | None:
    """Reading that separates dead pixels from live ones, or None when there is no dead population.

    Parameters
    ----------
    image : (ny, nx) counts
    mask : (ny, nx), True = ignore this pixel
    step : only every `step`-th pixel along each axis is looked at
    """
    values = np.asarray(image[::step, ::step], dtype=np.float32)
    values = values[np.isfinite(values)] if mask is None else values[np.isfinite(values) & ~mask[::step, ::step]]
    if values.size < 1000:
        return None
    values = np.sort(values)
    middle = float(values[values.size // 2])
    # zero light is at least a ten-thousandth of the image, and a gap in the histogram may hold a few strays
    stray = max(1, values.size // 20_000)
    least = max(4 * stray, 20)
    low = values[: int(0.7 * values.size)]
    if low.size <= least + stray:
        return None
    gap = low[stray:] - low[:-stray]
    gap[:least] = 0
    k = int(gap.argmax())
    cluster = low[: k + 1]
    width = max(spread(cluster), 0.3)
    if gap[k] > _GAP_WIDTHS * width and gap[k] > _GAP_SHARE * (middle - float(np.median(cluster))):
        return float(low[k] + 0.5 * gap[k])
    return None


def dead_areas(image: AnyArray, mask: Bools | None, *, larger_than: float, level: float | None = None) -> Bools | None:
    """Dead pixels (ny, nx) in areas that extend over more than `larger_than` px, or None when there are none.

    Opaque dots read the pedestal as well; that is why small areas do not count.
    """
    level = dead_level(image, mask) if level is None else level
    if level is None:
        return None
    low = image < level
    labels, count = ndimage.label(low)
    if not count:
        return None
    extent = np.zeros(count + 1)
    for k, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            extent[k] = max(s.stop - s.start for s in box)
    dead: Bools = (extent > larger_than)[labels]
    return dead if dead.any() else None


#: Nearly all pixels of an unlit line read less than nearly all of the image; of the lit lines beside it, few do.
_UNLIT, _DARKEST, _LIT = 0.9, 0.05, 0.5
#: Light rises beside a gap by so many times what varies within it; of light that fades most of the fall is within.
_AT_ONCE = 3.0


def dark_lines(image: AnyArray, mask: Bools | None = None, *, widest: int = 40) -> Bools | None:
    """Rows and columns (ny, nx) between the parts of a mosaic that no light reaches, or None when there are none.

    Where the plate lets through next to nothing between its holes, a gap is no darker than the noise of single pixels,
    and :func:`dead_level` does not see it; whole lines tell. Light that fades gradually has no such lines.

    Parameters
    ----------
    image : (ny, nx) counts
    mask : (ny, nx), True = ignore this pixel
    widest : of the gaps, px
    """
    known = np.isfinite(image) if mask is None else np.isfinite(image) & ~mask
    if known.sum() < 1000:
        return None
    dark = known & (image < np.quantile(image[known][::7], _DARKEST))
    out = np.zeros(image.shape, dtype=bool)
    for axis in (0, 1):
        share = dark.sum(axis=1 - axis) / np.maximum(known.sum(axis=1 - axis), 1)
        runs, count = ndimage.label(share > _UNLIT)
        for (run,) in ndimage.find_objects(runs, max_label=count):
            # the pixel next to a gap may be lit in part
            beside = [max(run.start - 2, 0), min(run.stop + 1, len(share) - 1)]
            if run.stop - run.start > widest or (share[beside] >= _LIT).any():
                continue
            inside, around = (np.moveaxis(image, axis, 0)[rows] for rows in (run, beside))
            middles = np.nanmedian(inside, axis=1)
            # all of a gap is equally dark, and it ends at once
            rise = float(np.nanmedian(around, axis=1).min() - middles.max())
            if rise > _AT_ONCE * (float(np.ptp(middles)) + spread(inside[np.isfinite(inside)])):
                out[(slice(None), run) if axis else run] = True
    return out if out.any() else None
