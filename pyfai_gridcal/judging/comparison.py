"""Two calibrations of one detector: where do they differ, by how much, and is it more than their uncertainty?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..base.arrays import Bools, Floats, frozen_array, in_a_line
from ..base.errors import FileFormatError, UsageError
from ..base.frames import edge_from_index, raster_places
from ..base.geometry import turn_matrix
from ..base.robust import rms
from ..io.kinds.kinds import read_distortion
from ..io.nexus.result import load_result
from ..records.distortion import Distortion
from ..records.fit import DistortionFit
from ..records.jobs import Alignment, Reading

__all__ = ["Comparison", "compare", "drift", "read_to_compare"]


#: Mean square of the difference in units of the combined variance above which two calibrations are different.
DIFFERENT_CHI2 = 1.8
#: Share of the area with a difference beyond ``FAR`` sigma above which they are, whatever the mean says.
DIFFERENT_SHARE = 0.01
#: Where the holes are too far apart for the field, its errors have longer tails than the normal distribution.
FAR = 4.5
#: Most rounds of the robust motion.
_ROUNDS = 12
#: Places that are missed by less agree to rounding, metres.
_EXACT = 1e-15


@dataclass(frozen=True, eq=False)
class Comparison:
    """How calibration b differs from calibration a.

    Attributes
    ----------
    y, x : axes of the raster on which they were compared, px, index frame
    difference : (ny, nx, 2) place in b minus place in a after the best motion, px of a
    sigma : (ny, nx, 2) combined uncertainty, px, NaN when neither knows its own
    valid : (ny, nx) where both claim to know
    angle_rad, shift_px, scale : motion that was taken out: b = scale * turn(a) + shift
    pattern : in words, what the difference looks like; empty when nothing fits
    """

    y: Floats
    x: Floats
    difference: Floats
    sigma: Floats
    valid: Bools
    angle_rad: float
    shift_px: tuple[float, float]
    scale: float
    pattern: str = ""

    __repr__ = in_a_line

    def __post_init__(self) -> None:
        for name, ndim in (("y", 1), ("x", 1), ("difference", 3), ("sigma", 3)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), np.float64, ndim))
        object.__setattr__(self, "valid", frozen_array(self.valid, np.bool_, 2))

    @property
    def rms_px(self) -> float:
        """Root of the mean square length of the difference, px."""
        return rms(np.hypot(*self.difference[self.valid].T))

    @property
    def worst_px(self) -> float:
        """Largest difference, px."""
        return float(np.hypot(*self.difference[self.valid].T).max())

    @property
    def z(self) -> Floats:
        """(ny, nx, 2) difference in units of its uncertainty."""
        return np.asarray(self.difference / self.sigma)

    @property
    def chi2(self) -> float:
        """Mean square of the difference in units of its uncertainty: 1 for two calibrations of the same thing."""
        return float(np.mean(self.z[self.valid] ** 2))

    @property
    def far_share(self) -> float:
        """Share of the valid area where a coordinate differs by more than 4.5 sigma."""
        return float((np.abs(self.z[self.valid]) > FAR).any(axis=1).mean())

    @property
    def verdict(self) -> Literal["same", "different", "unknown"]:
        """Whether they differ by more than their uncertainty."""
        if not np.isfinite(self.sigma[self.valid]).all():
            return "unknown"
        return "different" if self.chi2 > DIFFERENT_CHI2 or self.far_share > DIFFERENT_SHARE else "same"

    @property
    def sentence(self) -> str:
        """One line for a person."""
        if self.verdict == "same":
            return f"the same within {self.rms_px:.2g} px ({np.sqrt(self.chi2):.1f} sigma)"
        what = f", {self.pattern}" if self.pattern else ""
        if self.verdict == "unknown":
            return f"they differ by {self.rms_px:.2g} px rms{what}; neither tells how certain it is"
        far = np.sqrt((self.z[self.valid] ** 2).mean(axis=1))
        return f"different: {self.rms_px:.2g} px rms, {np.percentile(far, 95):.0f} sigma{what}"

    def figures(self) -> dict[str, object]:
        """All figures, for a machine."""
        names = ("rms_px", "worst_px", "chi2", "far_share", "angle_rad", "shift_px", "scale", "pattern")
        return {name: getattr(self, name) for name in names}


def compare(
    a: DistortionFit | Distortion, b: DistortionFit | Distortion, *, gauge: Alignment = "rigid", nodes: int = 96
) -> Comparison:
    """Difference of two calibrations of one detector, modulo what no calibration can know.

    The places of the pixels in metres are laid on each other by the motion that brings most of them together (robust:
    a part that moved does not drag the rest), and subtracted.

    Parameters
    ----------
    a, b : what is compared with what
    gauge : "rigid" takes out a shift and a turn, "similarity" a common scale as well, "affine" any linear map, "none"
    nothing
    nodes : of the raster along the longer axis

    Raises
    ------
    UsageError
        Detectors of different shapes, or nowhere valid in both.
    """
    first, second = (v.distortion if isinstance(v, DistortionFit) else v for v in (a, b))
    require_same_shape(first, second)
    if gauge not in ("rigid", "similarity", "affine", "none"):
        raise UsageError(f"gauge {gauge!r}", expected="'rigid', 'similarity', 'affine' or 'none'")
    # A raster of pixels on which both claim to know.
    step = max(1.0, (max(first.shape) - 1) / nodes)
    y, x = (np.rint(np.linspace(0, n - 1, max(2, int(n / step)))) for n in first.shape)
    valid = _valid(first, y, x) & _valid(second, y, x)
    if valid.sum() < 3:
        raise UsageError("no pixel is valid in both calibrations")
    # Their places, laid on each other: what is known well decides about the motion.
    place_a, place_b = (_places(d, y, x) for d in (first, second))
    sigma = _combined(first, second, y, x)
    weight = np.where(valid, 1.0 / np.nan_to_num((sigma**2).mean(axis=2), nan=1.0), 0.0)
    motion = align(place_a.reshape(-1, 2), place_b.reshape(-1, 2), weight.ravel(), gauge=gauge)
    moved = (place_b - motion.shift) @ np.linalg.inv(motion.matrix).T
    difference = (moved - place_a) / first.pixel_size
    slow, fast = motion.shift / first.pixel_size
    pattern = _pattern(y, x, difference, valid)
    return Comparison(
        y, x, difference, sigma, valid, motion.angle_rad, (float(slow), float(fast)), motion.scale, pattern
    )


def read_to_compare(path: str | Sequence[str], reading: Reading | None = None) -> DistortionFit | Distortion:
    """What a file holds: the fit of a result, which knows its uncertainty, the distortion of anything else.

    Parameters
    ----------
    path : result of a calibration, or distortion file of any kind; both of a pair of maps
    reading : what the file does not tell about itself
    """
    if isinstance(path, str) and Path(path).exists() and Path(path).suffix.lower() in (".h5", ".hdf5", ".nxs"):
        with suppress(FileFormatError):  # a detector of other origin
            result = load_result(path, images=False)
            fit: DistortionFit | Distortion = getattr(result, "fit", result)
            return fit
    return read_distortion(path, reading)


def require_same_shape(a: Distortion, b: Distortion) -> None:
    """Refuse to compare detectors of different shapes."""
    if a.shape != b.shape:
        raise UsageError(f"detectors of shape {a.shape} and {b.shape} cannot be compared", expected="the same shape")


def drift(fits: Sequence[DistortionFit | Distortion], *, gauge: Alignment = "rigid") -> tuple[Comparison, ...]:
    """Each calibration of a series compared with the first; one entry less than there are calibrations."""
    return tuple(compare(fits[0], later, gauge=gauge) for later in fits[1:])


def _valid(d: Distortion, y: Floats, x: Floats) -> Bools:
    rows, columns = y.astype(int), x.astype(int)
    known = np.ones((len(y), len(x)), dtype=bool) if d.mask is None else ~d.mask[np.ix_(rows, columns)]
    return np.asarray(known & np.isfinite(d.field.on_grid(y, x)).all(axis=2))


def _places(d: Distortion, y: Floats, x: Floats) -> Floats:
    """(ny, nx, 2) metres on the detector plane."""
    grid = raster_places(y, x)
    return np.asarray(edge_from_index(grid + np.nan_to_num(d.field.on_grid(y, x))) * d.pixel_size)


def _combined(a: Distortion, b: Distortion, y: Floats, x: Floats) -> Floats:
    known = [d.sigma.on_grid(y, x) for d in (a, b) if d.sigma is not None]
    if not known:
        return np.full((len(y), len(x), 2), np.nan)
    return np.asarray(np.sqrt(np.sum(np.square(known), axis=0)))


@dataclass(frozen=True, eq=False)
class Motion:
    """Linear motion of places on the detector plane: ``b = matrix @ a + shift``, metres."""

    matrix: Floats
    shift: Floats

    @property
    def angle_rad(self) -> float:
        """Turn, counted as that of :class:`~pyfai_gridcal.records.fit.Pose`."""
        m = self.matrix
        return float(np.arctan2(m[0, 1] - m[1, 0], m[0, 0] + m[1, 1]))

    @property
    def scale(self) -> float:
        """By which lengths grow."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def left(self, a: Floats, b: Floats) -> Floats:
        """(N, 2) what the motion of places `a` leaves of places `b`."""
        return np.asarray(b - a @ self.matrix.T - self.shift)


def align(
    a: Floats, b: Floats, weight: Floats | None = None, *, gauge: Alignment = "rigid", robust: bool = True
) -> Motion:
    """The motion that lays places `a` (N, 2) on places `b`, by least squares.

    Parameters
    ----------
    a, b : metres
    weight : (N,) of each place, 0 for those that do not count; all alike when omitted
    gauge : which motions there are, as for :func:`compare`
    robust : of most of the places; those that are missed by more than twice the usual count less
    """
    if gauge == "none":
        return Motion(np.eye(2), np.zeros(2))
    weight = np.ones(len(a)) if weight is None else weight
    w = weight
    for _ in range(_ROUNDS if robust else 1):
        ca, cb = np.average(a, axis=0, weights=w), np.average(b, axis=0, weights=w)
        p, q = a - ca, b - cb
        cross = (q * w[:, None]).T @ p
        if gauge == "affine":
            matrix = cross @ np.linalg.inv((p * w[:, None]).T @ p)
        else:
            matrix = turn_matrix(Motion(cross, ca).angle_rad)
            if gauge == "similarity":
                matrix = matrix * float((matrix * cross).sum() / (w[:, None] * p**2).sum())
        motion = Motion(matrix, cb - matrix @ ca)
        miss = np.hypot(*motion.left(a, b).T)
        typical = float(np.median(miss[weight > 0]))
        if typical <= _EXACT:
            break
        w = weight / np.maximum(1.0, miss / (2 * typical))
    return motion


def _pattern(y: Floats, x: Floats, difference: Floats, valid: Bools, share: float = 0.6) -> str:
    """The simplest thing that explains most of a difference, in words."""
    gy, gx = np.meshgrid(y, x, indexing="ij")
    py, px = gy[valid] - gy[valid].mean(), gx[valid] - gx[valid].mean()
    d = difference[valid]
    total = float((d**2).sum())
    if total == 0:
        return ""
    zero = np.zeros_like(py)
    simple = {"a change of scale": (py, px), "a stretch along one axis": (py, -px), "a shear": (px, py)}
    gains = {name: _explained(d, [np.stack(v, axis=1)]) / total for name, v in simple.items()}
    whole = [np.stack(v, axis=1) for v in ((zero + 1, zero), (zero, zero + 1), (px, -py))]
    for name, part in {"upper and lower": py < 0, "left and right": px < 0}.items():
        p = part.astype(float)
        own = [np.stack(v, axis=1) for v in ((p, zero), (zero, p), (p * px, -p * py))]
        gains[f"a motion of the {name} halves"] = _explained(d, whole + own) / total - 0.05
    best = max(gains, key=lambda name: gains[name])
    return best if gains[best] > share else ""


def _explained(d: Floats, modes: list[Floats]) -> float:
    """Part of the sum of squares of d (N, 2) that a combination of modes takes away."""
    a = np.stack([m.ravel() for m in modes], axis=1)
    b = d.ravel()
    coefficients = np.linalg.lstsq(a, b, rcond=None)[0]
    return float(b @ b - ((b - a @ coefficients) ** 2).sum())
