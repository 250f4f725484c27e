"""What a NeXus detector file says about itself, and what readers will trip over: entries, orientation, units, half
pixels, order of corners.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import h5py
import numpy as np

from ..base.arrays import AnyArray
from ..base.errors import FileFormatError
from ..base.frames import CORNERS
from ..base.opening import is_hdf5, open_hdf5
from ..io.nexus.contents import ORIENTATIONS, find_detector
from .findings import Finding

#: Corners are looked at on at most so many pixels along an axis.
LOOK = 64


def inspect(path: str | PathLike[str]) -> Iterator[Finding]:
    """Findings about a file; none for one that is not HDF5."""
    path = Path(path)
    if not is_hdf5(path):
        return
    try:
        with open_hdf5(path) as file:
            yield from _entries(file, find_detector(file))
            yield from _detector(find_detector(file))
    except FileFormatError:
        return  # the reader says it better
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        yield Finding(f"parts of the file cannot be looked at: {error}", wrong=True)


def _entries(file: h5py.File, taken: h5py.Group) -> Iterator[Finding]:
    """A file that was saved twice: pyFAI takes the newest entry, ImageD11 and others the first."""
    found = [g for g in _detectors(file) if "pixel_corners" in g]
    if len(found) < 2:
        return
    first = next((g for g in found if g.name.startswith("/entry_0000/")), found[0])
    if first.name == taken.name:
        yield Finding(f"the file holds {len(found)} detectors; pyFAI takes {taken.name}")
        return
    size = np.asarray(taken["pixel_size"][()], float)
    here, there = (_sampled(g) for g in (taken, first))
    if here.shape == there.shape:
        gap = float(np.nanmax(np.abs((here - there)[..., 1:] / size), initial=0))
        text = f"up to {gap:.3g} px apart" if gap > 1e-4 else "the same"
    else:
        gap, text = float("inf"), "of another shape"
    yield Finding(
        f"stale first entry: pyFAI takes {taken.name}, other programs {first.name}, {text}; "
        "write the file anew with convert",
        wrong=gap > 2e-3,
    )


def _detectors(file: h5py.File) -> list[h5py.Group]:
    found: list[h5py.Group] = []

    def visit(name: str, node: h5py.HLObject) -> bool | None:
        nx_class = node.attrs.get("NX_class", "")
        if (
            isinstance(node, h5py.Group)
            and (nx_class.decode() if isinstance(nx_class, bytes) else nx_class) == "NXdetector"
        ):
            found.append(node)
        return True if len(found) > 100 else None

    file.visititems(visit)
    return found


def _looked_at(shape: tuple[int, ...]) -> tuple[AnyArray, AnyArray]:
    """Rows and columns of the pixels that are looked at."""
    rows, columns = (np.unique(np.linspace(0, n - 1, min(n, LOOK)).astype(int)) for n in shape[:2])
    return rows, columns


def _sampled(group: h5py.Group) -> AnyArray:
    """Corners of some pixels."""
    dataset = group["pixel_corners"]
    rows, columns = _looked_at(dataset.shape)
    return np.stack([np.asarray(dataset[row], float)[columns] for row in rows])


def _detector(group: h5py.Group) -> Iterator[Finding]:
    if "mask" not in group:
        yield Finding("no mask: pyFAI's Distortion raises a TypeError for such a detector", wrong=True)
    size = np.asarray(group["pixel_size"][()], float) if "pixel_size" in group else np.array([np.nan, np.nan])
    if not ((size > 1e-7) & (size < 1e-2)).all():
        yield Finding(f"pixels of {size[0]:g} x {size[1]:g} m: µm for m?", wrong=True)
        return
    if "pixel_corners" not in group:
        yield Finding("no pixel corners: a regular detector without distortion")
        return
    if group["pixel_corners"].ndim == 4 and group["pixel_corners"].shape[2:] == (4, 3):
        yield from _corners(group, size)


def _corners(group: h5py.Group, size: AnyArray) -> Iterator[Finding]:
    ny, nx = group["pixel_corners"].shape[:2]
    rows, columns = _looked_at((ny, nx))
    corners = _sampled(group)
    p = corners[..., 1:] / size
    p[~np.isfinite(p).all(axis=(2, 3))] = np.nan
    if np.nanmax(np.abs(corners[..., 0]), initial=0) > 0:
        yield Finding("the detector is not flat: the third coordinate is not zero")
    if np.isnan(p).all():
        yield Finding("no pixel has finite corners", wrong=True)
        return
    extent = np.nanmax(p, axis=(0, 1, 2)) - np.nanmin(p, axis=(0, 1, 2))
    ratio = float(np.sqrt(np.prod(extent) / (ny * nx)))
    if not 0.2 < ratio < 5:
        yield Finding(f"the corners span {ratio:.3g} times what the pixel size tells: µm for m?", wrong=True)
        return
    centre = np.nanmean(p, axis=2)
    down = float(np.nanmedian(np.diff(centre[..., 0], axis=0) / np.diff(rows)[:, None])) if len(rows) > 1 else 1.0
    across = (
        float(np.nanmedian(np.diff(centre[..., 0], axis=1) / np.diff(columns)[None, :])) if len(columns) > 1 else 0.0
    )
    if abs(across) > abs(down):
        yield Finding("transposed: the slow coordinate runs along the fast axis", wrong=True)
        return
    along = float(np.nanmedian(np.diff(centre[..., 1], axis=1) / np.diff(columns))) if len(columns) > 1 else 1.0
    back = down < 0, along < 0
    if any(back):
        turned = next(number for number, axes in ORIENTATIONS.items() if axes == back)
        yield Finding(f"places run backwards: for images in orientation {turned}, each pixel where pyFAI has it then")
        p = np.where(back, (ny, nx) - p, p)
    yield from _offsets(p, np.nanmean(p, axis=2), rows, columns)


def _offsets(p: AnyArray, centre: AnyArray, rows: AnyArray, columns: AnyArray) -> Iterator[Finding]:
    order = np.array(CORNERS, float) - 0.5
    expected = centre[:, :, None] + order
    if np.nanmedian(np.abs(p - expected)) > 0.25:
        yield Finding("the corners are not in the order A(0,0) B(1,0) C(1,1) D(0,1)", wrong=True)
    edge = np.stack([centre[..., 0] - rows[:, None], centre[..., 1] - columns[None, :]], axis=-1) - 0.5
    mean, spread = np.nanmean(edge, axis=(0, 1)), float(np.nanstd(edge))
    if (np.abs(mean + 0.5) < (0.1 if spread < 0.5 else 0.03)).all():
        yield Finding(
            f"half-pixel dialect? on average pixels lie ({mean[0]:+.3f}, {mean[1]:+.3f}) px from where pyFAI expects "
            "them, as if their centres were taken for their corners",
            wrong=spread < 0.5,
        )
