"""What a result file holds to be looked at: maps of the displacement, the images, before and after.

They are made and compressed before they are written, beside other work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from ...base.arrays import AnyArray, Floats, block_sums
from ...base.frames import pixel_centres, raster_places
from ...records.budget import PlateBudget, PlateErrors
from ...records.distortion import Distortion
from ...records.field import by_rows
from .groups import write_data
from .packing import Packed, packed

Arrays = Mapping[str, AnyArray | Packed]

#: A ten-thousandth of a pixel is below what is ever known, and rounded numbers take half the room.
_STEPS = np.float32(8192)
_SIGMA_SIDE, _PREVIEW_SIDE = 512, 1024  # px, at most, of the pictures of sigma and of before and after


@dataclass(frozen=True, eq=False)
class Products:
    """Arrays by the name that they get in the file.

    Attributes
    ----------
    displacement : displacement, dx, dy, (ny, nx) each, px, NaN where masked
    sigma : sigma, sigma_x, sigma_y and the axes y, x, px; empty when no uncertainty is known
    images : as recorded, one per exposure
    before_after : corrected, recorded and the axes y, x, one per exposure; empty for an image of another shape
    """

    displacement: Arrays
    sigma: Arrays
    images: tuple[AnyArray | Packed, ...]
    before_after: tuple[Arrays, ...]


def make_products(distortion: Distortion, images: Sequence[AnyArray] = ()) -> Products:
    """Evaluate and compress all that :func:`write_products` writes; no file is needed yet."""
    maps = _maps(distortion)
    dy, dx = maps["dy"], maps["dx"]
    return Products(
        {name: packed(array) for name, array in maps.items()},
        _sigma(distortion),
        tuple(packed(image) for image in images),
        tuple(_before_after(one, (dy, dx)) if one.shape == distortion.shape else {} for one in images),
    )


def write_products(group: h5py.Group, products: Products, images: Sequence[AnyArray] = ()) -> dict[int, h5py.Dataset]:
    """Write them as NXdata for silx; returns where each image is, by id()."""
    maps = _write_picture(
        group,
        "displacement",
        "displacement",
        products.displacement,
        title="Displacement (corrected - observed), px",
        auxiliary=("dx", "dy"),
        px=("displacement", "dx", "dy"),
    )
    maps["dy"].attrs["long_name"] = "displacement along slow (y), px"
    maps["dx"].attrs["long_name"] = "displacement along fast (x), px"
    if products.sigma:
        title, components = "Standard uncertainty of the displacement, px", ("sigma_x", "sigma_y")
        lengths = ("sigma", *components, "y", "x")
        _write_picture(group, "sigma", "sigma", products.sigma, title=title, auxiliary=components, px=lengths)
    known: dict[int, h5py.Dataset] = {}
    many = len(images) > 1
    for k, (image, stored, pictures) in enumerate(zip(images, products.images, products.before_after, strict=True)):
        number, title = (f"_{k}", f"Grid image {k + 1}") if many else ("", "Grid image")
        data = _write_picture(group, f"grid_image{number}", "counts", {"counts": stored}, title=title)
        known[id(image)] = data["counts"]
        if pictures:
            step = _preview_step(image)
            title = f"After and before the correction, means of {step} x {step} px"
            name = f"before_after{number}"
            _write_picture(group, name, "corrected", pictures, title=title, auxiliary=("recorded",), px=("y", "x"))
    return known


def write_budget(group: h5py.Group, sigma: Mapping[str, Any], distortion: Distortion, budget: PlateBudget) -> None:
    """Write the uncertainty of a map of :class:`Products` together with that of the plate, for silx."""
    if not sigma or not budget.told:
        return
    y, x = sigma["y"], sigma["x"]
    at = raster_places(y, x).reshape(-1, 2)
    of_plate = PlateErrors.of(budget, at, distortion.shape, distortion.pixel_size).variance(at)
    both = np.stack([sigma["sigma_y"], sigma["sigma_x"]], axis=-1) ** 2 + of_plate.reshape(len(y), len(x), 2)
    sy, sx = np.sqrt(both, dtype=np.float32).transpose(2, 0, 1)
    arrays = {"sigma": np.hypot(sy, sx), "sigma_x": sx, "sigma_y": sy, "y": y, "x": x}
    title = f"Standard uncertainty with the plate ({', '.join(budget.words)}), px"
    components = ("sigma_x", "sigma_y")
    _write_picture(group, "sigma_with_plate", "sigma", arrays, title=title, auxiliary=components, px=tuple(arrays))


def _write_picture(
    group: h5py.Group,
    name: str,
    signal: str,
    arrays: Arrays,
    *,
    title: str,
    auxiliary: Sequence[str] = (),
    px: Sequence[str] = (),
) -> h5py.Group:
    """One picture for silx, with axes where it has them; `px` are those of its arrays that are in pixels."""
    axes = ("y", "x") if "y" in arrays else ()
    units, kind = dict.fromkeys(px, "px"), {"interpretation": "image"}
    return write_data(
        group, name, signal, arrays, title=title, axes=axes, auxiliary=auxiliary, units=units, attributes=kind
    )


def _maps(distortion: Distortion) -> dict[str, AnyArray]:
    """Length of the displacement and its components, (ny, nx) each, px, NaN where masked."""
    length, dx, dy = (np.empty(distortion.shape, np.float32) for _ in range(3))
    for rows, values in by_rows(distortion.field, *pixel_centres(distortion.shape)):
        for k, out in enumerate((dy, dx)):
            out[rows] = values[..., k]
            _round(out[rows])
            if distortion.mask is not None:
                out[rows][distortion.mask[rows]] = np.nan
        _round(np.hypot(dy[rows], dx[rows], out=length[rows]))
    return {"displacement": length, "dx": dx, "dy": dy}


def _round(values: AnyArray) -> None:
    values *= _STEPS
    np.rint(values, out=values)
    values /= _STEPS


def _sigma(distortion: Distortion) -> Arrays:
    step = max(1, -(-max(distortion.shape) // _SIGMA_SIDE))
    sigma = distortion.sigma_maps(step)
    if sigma is None:
        return {}
    y, x = (np.arange(0, n, step, dtype=np.float64) for n in distortion.shape)
    sy, sx = (np.asarray(v, np.float32) for v in sigma)
    return {"sigma": np.hypot(sy, sx), "sigma_x": sx, "sigma_y": sy, "y": y, "x": x}


def _preview_step(image: AnyArray) -> int:
    return max(2, -(-max(image.shape) // _PREVIEW_SIDE))


def _before_after(image: AnyArray, maps: tuple[AnyArray, AnyArray]) -> Arrays:
    """The image as recorded and as corrected, both as means over a few pixels, to be looked at."""
    step = _preview_step(image)
    both = (np.asarray(cell_means(image, step, d), np.float32) for d in (maps, None))
    # Three digits are enough to look at, and take a third of the room.
    corrected, recorded = ((v.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for v in both)
    y, x = (np.arange(n) * float(step) + (step - 1) / 2 for n in corrected.shape)
    return {"corrected": packed(corrected), "recorded": packed(recorded), "y": y, "x": x}


_ROWS = 32  # at a time, for the sake of the cache


def cell_means(image: AnyArray, step: int, displacement: tuple[AnyArray, AnyArray] | None = None) -> Floats:
    """Means of the pixels that come to lie in each cell of `step` x `step` px.

    Parameters
    ----------
    image : (ny, nx) counts
    step : px; from 2 on, fields that stretch less than that leave no cell empty
    displacement : (dy, dx), (ny, nx) each, px: where each pixel belongs; NaN = nowhere. Without it, where it is.

    Returns
    -------
    (ceil(ny / step), ceil(nx / step)), NaN where no pixel lies
    """
    if displacement is None:
        return _binned(image, step)
    ny, nx = image.shape
    rows, columns = -(-ny // step), -(-nx // step)
    total, count = np.zeros(rows * columns), np.zeros(rows * columns)
    down, right = (np.arange(n, dtype=np.float32) + np.float32(0.5) for n in image.shape)
    for top in range(0, ny, _ROWS):
        part = slice(top, top + _ROWS)
        values = np.asarray(image[part], float)
        y, x = displacement[0][part] + down[part, None], displacement[1][part] + right  # from the edge of the raster
        good = (y >= 0) & (y < ny) & (x >= 0) & (x < nx) & np.isfinite(values)  # NaN is nowhere
        if not good.all():
            y, x, values = y[good], x[good], values[good]
        if not values.size:
            continue
        cell = (y.astype(np.int32) // step * columns + x.astype(np.int32) // step).ravel()
        first = int(cell.min())  # a few rows come to lie in a few rows
        cell = (cell - first).astype(np.intp)
        for out, weights in ((total, values.ravel()), (count, None)):
            sums = np.bincount(cell, weights)
            out[first : first + len(sums)] += sums
    with np.errstate(invalid="ignore"):
        return (total / count).reshape(rows, columns)


def _binned(image: AnyArray, step: int) -> Floats:
    """Means of the finite pixels of each cell of the raster itself."""
    rows, means = step * max(1, _ROWS // step), []
    for top in range(0, len(image), rows):
        part = image[top : top + rows]
        good = np.isfinite(part)
        with np.errstate(invalid="ignore"):
            means.append(block_sums(np.where(good, part, 0), step, float) / block_sums(good, step, float))
    return np.concatenate(means)
