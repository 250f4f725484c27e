"""What a result file holds to be looked at: maps of the displacement, the images, before and after.

They are made and compressed before they are written, beside other work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from .._typing import AnyArray
from ..distortion import Distortion
from ..field import by_rows
from ..frames import pixel_centres
from .arrays import Packed, packed
from .nexus import write_data
from .preview import cell_means

__all__ = ["Products", "make_products", "write_products"]

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
    maps = write_data(
        group,
        "displacement",
        "displacement",
        products.displacement,
        auxiliary=("dx", "dy"),
        title="Displacement (corrected - observed), px",
        units={"displacement": "px", "dx": "px", "dy": "px"},
        attributes={"interpretation": "image"},
    )
    maps["dy"].attrs["long_name"] = "displacement along slow (y), px"
    maps["dx"].attrs["long_name"] = "displacement along fast (x), px"
    if products.sigma:
        write_data(
            group,
            "sigma",
            "sigma",
            products.sigma,
            axes=("y", "x"),
            auxiliary=("sigma_x", "sigma_y"),
            title="Standard uncertainty of the displacement, px",
            units=dict.fromkeys(("sigma", "sigma_x", "sigma_y", "y", "x"), "px"),
            attributes={"interpretation": "image"},
        )
    known: dict[int, h5py.Dataset] = {}
    many = len(images) > 1
    for k, (image, stored, pictures) in enumerate(zip(images, products.images, products.before_after, strict=True)):
        data = write_data(
            group,
            f"grid_image_{k}" if many else "grid_image",
            "counts",
            {"counts": stored},
            title=f"Grid image {k + 1}" if many else "Grid image",
            attributes={"interpretation": "image"},
        )
        known[id(image)] = data["counts"]
        if pictures:
            step = _preview_step(image)
            write_data(
                group,
                f"before_after_{k}" if many else "before_after",
                "corrected",
                pictures,
                axes=("y", "x"),
                auxiliary=("recorded",),
                title=f"After and before the correction, means of {step} x {step} px",
                units={"y": "px", "x": "px"},
                attributes={"interpretation": "image"},
            )
    return known


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
