"""Images without their distortion: every count goes where it belongs, none is invented.

Each pixel's counts are shared out among the pixels of a perfect raster by the area of its true quadrilateral that
falls into each. pyFAI's ``Distortion`` computes these shares once; a frame is then one product of a sparse matrix.

Masked pixels give nothing. A corrected pixel that lies partly on masked ones is scaled up from the part that is known,
as long as that is at least `coverage` of it; with less, and where the detector does not reach, it gets the dummy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..base.arrays import AnyArray, AnyDtype, Bools, frozen_array, measured
from ..base.errors import ImageError, UsageError
from ..base.silence import silenced_stdout
from ..base.units import Region
from ..io.images.masks import dummies
from ..io.images.regions import why_not
from ..records.distortion import Distortion
from ..records.traits import NO_TRAITS, Traits
from .table import Table, build_table

__all__ = ["Corrector", "correct_image"]


#: Corrected pixels at a time whose shares scipy copies for float64: 4 MB of numbers.
_ROWS = 2**19


@dataclass(frozen=True, eq=False)
class Corrector:
    """Corrects frames of one detector; may be used by several threads at once.

    Attributes
    ----------
    table : of the detector
    mask : (ny, nx), True = ignore, on top of what the detector masks
    dark : (ny, nx) subtracted from each frame, None for none
    flat : (ny, nx) by which each frame is divided after that, None for none; where it is not positive, pixels are
    masked
    coverage : least known part of a corrected pixel
    dummy : value of pixels that are not known
    device : pyFAI's name of an OpenCL device ("gpu", "cpu" or (platform, device)), None for the processor
    region : part of the detector that the images show, where the first of them tells
    notes : remarks, in words
    traits : of the detector: its sensor is told beside what is corrected, and counts at its dummy are no measurement
    """

    table: Table
    mask: Bools | None = None
    dark: AnyArray | None = None
    flat: AnyArray | None = None
    coverage: float = 0.5
    dummy: float = float("nan")
    device: str | tuple[int, int] | None = None
    region: Region | None = None
    notes: tuple[str, ...] = ()
    traits: Traits = NO_TRAITS
    _flat_inverse: AnyArray | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        shape = self.table.shape_in
        for name in ("mask", "dark", "flat"):
            array = getattr(self, name)
            if array is not None and np.shape(array) != shape:
                raise UsageError(
                    f"{name} of shape {np.shape(array)} for a detector of {shape} pixels", expected="the same shape"
                )
        if not 0 < self.coverage <= 1:
            raise UsageError(f"coverage {self.coverage:g}", expected="more than 0, at most 1")
        bad = np.zeros(shape, bool)
        for mask in (self.mask, self.table.mask):
            if mask is not None:
                bad |= np.asarray(mask, bool)
        if self.dark is not None:
            bad |= ~np.isfinite(self.dark)
            object.__setattr__(self, "dark", frozen_array(np.nan_to_num(self.dark), np.float32))
        if self.flat is not None:
            good = np.isfinite(self.flat) & (np.asarray(self.flat) > 0)
            bad |= ~good
            inverse = np.divide(1, self.flat, out=np.zeros(shape, np.float32), where=good, casting="same_kind")
            object.__setattr__(self, "_flat_inverse", frozen_array(inverse, np.float32))
        object.__setattr__(self, "mask", frozen_array(bad, np.bool_))

    @cached_property
    def _prepared(self) -> tuple[AnyArray | None, Bools, AnyArray]:
        """(factor of each corrected pixel of which a part is known, None for 1, unknown corrected pixels, known area of
        each).
        """
        matrix, good = self.table.matrix, ~np.asarray(self.mask).ravel()
        all_area = matrix @ self.table.area
        known = all_area if good.all() else matrix @ np.where(good, self.table.area, 0).astype(np.float32)
        share = np.divide(known, all_area, out=np.zeros_like(known), where=all_area > 0)
        unknown = (share < self.coverage) | (all_area <= 0)
        if good.all():
            return None, unknown, known
        share = np.where(share > 1 - 1e-5, 1.0, np.maximum(share, 1e-6)).astype(np.float32)
        return np.where(unknown, 0, 1 / share).astype(np.float32), unknown, known

    @cached_property
    def _engine(self) -> Any:
        """pyFAI's integrator on the OpenCL device, with our table."""
        from pyFAI.detectors import Detector
        from pyFAI.distortion import Distortion as PyFAIDistortion
        from pyFAI.opencl import ocl

        if ocl is None:
            raise UsageError(
                "no OpenCL device",
                expected="pyopencl and a driver",
                hint="python3 -m pip install pyopencl, or leave --device away",
            )
        ny, nx = self.table.shape_in
        detector = Detector(1e-4, 1e-4, max_shape=(ny, nx), orientation=3)
        detector.uniform_pixel = False
        detector.mask = np.zeros((ny, nx), np.int8)
        engine = PyFAIDistortion(detector, shape=self.table.shape_out, method="csr", device=self.device)
        engine.lut = tuple(np.array(part) for part in (self.table.weights, self.table.columns, self.table.rows))
        with silenced_stdout():
            engine.calc_init()
        return engine.integrator

    def prepare(self) -> Corrector:
        """Do now what the first frame would have to wait for."""
        _ = self._prepared, None if self.device is None else self._engine
        return self

    def __call__(self, frame: AnyArray) -> AnyArray:
        """The corrected frame, float32 (float64 for a float64 frame), the dummy where nothing is known.

        Pixels that are not finite or beyond what counters hold, and for whole numbers those that are negative or at the
        upper end of an unsigned type (of eight bit: when nothing comes near it), count as masked.

        Raises
        ------
        ImageError
            The frame has another shape than the detector.
        """
        out, unknown = self._corrected(frame)
        out[unknown] = self.dummy
        return out.reshape(self.table.shape_out)

    def as_type(self, frame: AnyArray, dtype: AnyDtype) -> AnyArray:
        """The same in a type of numbers: whole ones are rounded, clipped to what fits, and :meth:`stand_in` in place of
        what is not known.
        """
        out, unknown = self._corrected(frame)
        if dtype.kind != "f":
            # The largest number of 64 bit is none of float64, and the next one is too large.
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            most = high if dtype.itemsize < 8 else np.nextafter(float(high), 0)
            out = np.clip(np.rint(out.astype(np.float64)), low, most)
        out = out.astype(dtype, copy=False)
        out[unknown] = self.stand_in(dtype)
        return out.reshape(self.table.shape_out)

    def stand_in(self, dtype: AnyDtype) -> int | float:
        """The dummy in a type of numbers; for NaN in a type of whole ones -1, or the largest of an unsigned type.

        Raises
        ------
        UsageError
            The type does not hold it.
        """
        if dtype.kind == "f":
            return self.dummy
        limits = np.iinfo(dtype)
        if np.isnan(self.dummy):
            return -1 if dtype.kind == "i" else int(limits.max)
        if not (float(self.dummy).is_integer() and limits.min <= self.dummy <= limits.max):
            raise UsageError(
                f"dummy {self.dummy:g} in {dtype}", expected=f"a whole number from {limits.min} to {limits.max}"
            )
        return int(self.dummy)

    def _corrected(self, frame: AnyArray) -> tuple[AnyArray, Bools]:
        """The numbers of the corrected frame, flat, and which of them are not known."""
        frame = np.asarray(frame)
        if frame.shape != self.table.shape_in:
            raise ImageError(
                f"image of shape {frame.shape} for a detector of {self.table.shape_in} pixels",
                hint=why_not(frame.shape, self.table.shape_in),
            )
        bad = _invalid(frame)
        if self.traits.dummy is not None:
            far = np.abs(frame.astype(np.float64) - self.traits.dummy)
            no = far < self.traits.delta_dummy if self.traits.delta_dummy else far == 0
            bad = no if bad is None else bad | no
        values: AnyArray = frame.astype(np.float32 if frame.dtype != np.float64 else np.float64)
        if bad is not None:
            values[bad] = 0
        if self.dark is not None:
            np.subtract(values, self.dark, out=values)
        if self._flat_inverse is not None:
            np.multiply(values, self._flat_inverse, out=values)
        values[self.mask] = 0
        factor, unknown, known = self._prepared
        if bad is not None and (bad := bad & ~np.asarray(self.mask)).any():
            values[bad] = 0
            unknown, more = self._lost(bad, unknown, known)
            factor = more if factor is None else factor * more
        out = self._product(values.ravel())
        if factor is not None:
            out *= factor
        return out, unknown

    def _product(self, values: AnyArray) -> AnyArray:
        if self.device is not None:
            result = self._engine.integrate_ng(values.reshape(self.table.shape_in).astype(np.float32))
            return np.array(result.signal, np.float32).ravel()  # sums, not means: counts are kept
        matrix = self.table.matrix
        if values.dtype == np.float64:
            return np.concatenate([matrix[k : k + _ROWS] @ values for k in range(0, matrix.shape[0], _ROWS)])
        return np.asarray(matrix @ values)

    def _lost(self, bad: Bools, unknown: Bools, known: AnyArray) -> tuple[Bools, AnyArray]:
        """What bad pixels of one frame take away: more unknown pixels, and the factor for those that lose a part."""
        matrix = self.table.matrix
        gone = matrix @ np.where(bad.ravel(), self.table.area, 0).astype(np.float32)
        left = 1 - np.divide(gone, known, out=np.zeros_like(known), where=known > 0)
        unknown = unknown | (left < self.coverage)
        return unknown, np.where(left > 1e-3, 1 / np.maximum(left, 1e-3), 0).astype(np.float32)

    def lost(self) -> float:
        """Share of an even illumination of the unmasked pixels that falls outside of the corrected image."""
        good = (~np.asarray(self.mask)).ravel().astype(np.float32)
        arrived = np.asarray(self.table.matrix.T @ np.ones(self.table.matrix.shape[0], np.float32))
        return float(1 - (arrived * good).sum(dtype=float) / max(1.0, float(good.sum(dtype=float))))


def _invalid(frame: AnyArray) -> Bools | None:
    """Pixels whose value says that they have none; None when there are none."""
    if frame.dtype.kind == "f":
        bad = ~measured(frame)
    elif frame.dtype.kind == "i":
        bad = frame < 0
    elif frame.dtype.kind == "u" and frame.dtype.itemsize > 1:
        bad = frame == np.iinfo(frame.dtype).max
    elif frame.dtype == np.uint8:  # where 255 is white more often than it is a gap
        bad = dummies(frame, frame.dtype)
    elif frame.dtype.kind == "b":
        return None
    else:
        raise ImageError(f"image of {frame.dtype}", expected="numbers")
    return bad if bad.any() else None


def correct_image(
    image: AnyArray,
    distortion: Distortion,
    *,
    mask: Bools | None = None,
    dark: AnyArray | None = None,
    flat: AnyArray | None = None,
    coverage: float = 0.5,
    dummy: float = float("nan"),
    whole: bool = False,
) -> AnyArray:
    """Correct one image; for many, make a :class:`Corrector` once.

    Parameters
    ----------
    image : (ny, nx)
    distortion : of the detector; its mask counts
    mask, dark, flat : (ny, nx); the mask adds to that of the distortion
    coverage : least known part of a corrected pixel
    dummy : value of pixels that are not known
    whole : keep all of the corrected detector, also what falls outside of the original raster
    """
    return Corrector(build_table(distortion, whole=whole), mask, dark, flat, coverage, dummy)(image)
