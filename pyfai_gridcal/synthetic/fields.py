"""Distortions to choose from as truth: exact formulas, so that nothing is lost by sampling them.

All are displacement fields (:class:`~pyfai_gridcal.records.field.Field`): ``corrected - observed`` in px at observed
points,
index frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import RectBivariateSpline

from ..base.arrays import AnyArray, Floats, freeze
from ..base.frames import pixel_centres
from ..base.geometry import turn_matrix
from ..records.field import Field, SumField, TiledField

__all__ = [
    "LinearField",
    "PerspectiveField",
    "RadialField",
    "SmoothField",
    "SumField",
    "linear",
    "perspective",
    "radial",
    "smooth",
    "taper",
    "tiles",
]

Shape = tuple[int, int]


def centre_of(shape: Shape) -> tuple[float, float]:
    """Centre of the image, px, index frame."""
    y, x = (axis.mean() for axis in pixel_centres(shape))
    return float(y), float(x)


class _Formula:
    """A field given by a formula of the coordinates."""

    def _values(self, y: Floats, x: Floats) -> Floats:
        raise NotImplementedError

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return self._values(yx[:, 0], yx[:, 1])

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return self._values(np.asarray(y, float)[:, None], np.asarray(x, float)[None, :])


@dataclass(frozen=True, eq=False)
class LinearField(_Formula):
    """Shear, anisotropy, turn and shift.

    Attributes
    ----------
    centre : (y, x) px, where the displacement is `shift`
    matrix : (2, 2) displacement per px, rows (dy, dx), columns (y, x)
    shift : (dy, dx) px
    """

    centre: tuple[float, float]
    matrix: Floats
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        freeze(self, 2, "matrix")

    def _values(self, y: Floats, x: Floats) -> Floats:
        y, x = np.broadcast_arrays(y - self.centre[0], x - self.centre[1])
        return np.stack([m[0] * y + m[1] * x + s for m, s in zip(self.matrix, self.shift, strict=True)], axis=-1)


@dataclass(frozen=True, eq=False)
class RadialField(_Formula):
    """Pincushion (k3 > 0 shrinks the image's corners outwards) or barrel: displacement = (k3 r^2 + k5 r^4) times the
    vector from the centre.

    Attributes
    ----------
    centre : (y, x) px
    radius : px, where r = 1
    k3, k5 : relative displacement at r = 1
    """

    centre: tuple[float, float]
    radius: float
    k3: float
    k5: float = 0.0

    def _values(self, y: Floats, x: Floats) -> Floats:
        y, x = np.broadcast_arrays(y - self.centre[0], x - self.centre[1])
        r2 = (y * y + x * x) / self.radius**2
        factor = (self.k3 + self.k5 * r2) * r2
        return np.stack([y * factor, x * factor], axis=-1)


@dataclass(frozen=True, eq=False)
class PerspectiveField(_Formula):
    """A tilted view: corrected offset = observed offset / (1 + tilt . observed offset).

    Attributes
    ----------
    centre : (y, x) px
    tilt : (y, x) relative change of scale per px
    """

    centre: tuple[float, float]
    tilt: tuple[float, float]

    def _values(self, y: Floats, x: Floats) -> Floats:
        y, x = np.broadcast_arrays(y - self.centre[0], x - self.centre[1])
        factor = 1 / (1 + self.tilt[0] * y + self.tilt[1] * x) - 1
        return np.stack([y * factor, x * factor], axis=-1)


@dataclass(frozen=True, eq=False)
class SmoothField:
    """Interpolating cubic spline through values at the nodes of two axes; constant outside of them.

    Attributes
    ----------
    y, x : (ny,), (nx,) ascending axes, at least 4 each, px
    values : (ny, nx, 2) displacement, px
    """

    y: Floats
    x: Floats
    values: Floats

    def __post_init__(self) -> None:
        freeze(self, 1, "y", "x")
        freeze(self, 3, "values")

    @cached_property
    def _splines(self) -> tuple[RectBivariateSpline, RectBivariateSpline]:
        return (
            RectBivariateSpline(self.y, self.x, self.values[..., 0]),
            RectBivariateSpline(self.y, self.x, self.values[..., 1]),
        )

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        return np.stack([spline.ev(yx[:, 0], yx[:, 1]) for spline in self._splines], axis=-1)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        return np.stack([spline(y, x) for spline in self._splines], axis=-1)


def linear(
    shape: Shape, *, shear: float = 0.0, stretch: float = 0.0, shift: tuple[float, float] = (0, 0)
) -> LinearField:
    """Shear and stretch (pure numbers) about the centre, and a shift (dy, dx) in px."""
    return LinearField(centre_of(shape), np.array([[stretch, shear], [0.0, -stretch]]), shift)


def radial(shape: Shape, k3: float, k5: float = 0.0, *, centre: tuple[float, float] | None = None) -> RadialField:
    """Barrel or pincushion; r = 1 at half the longest side."""
    return RadialField(centre or centre_of(shape), max(shape) / 2, k3, k5)


def perspective(shape: Shape, tilt: tuple[float, float]) -> PerspectiveField:
    """Tilted view about the centre; `tilt` (y, x) is the relative change of scale from the centre to the border."""
    return PerspectiveField(centre_of(shape), (2 * tilt[0] / shape[0], 2 * tilt[1] / shape[1]))


def smooth(shape: Shape, amplitude_px: float, length_px: float, rng: np.random.Generator) -> SmoothField:
    """Random smooth field whose largest displacement on the detector is about `amplitude_px`.

    Values at nodes `length_px` apart are drawn at random; the correlation length is about that distance.
    """
    axes: list[Floats] = []
    for n, middle in zip(shape, centre_of(shape), strict=True):
        count = int(np.ceil(n / length_px)) + 1
        axes.append(np.asarray(middle + length_px * (np.arange(-2, count + 2) - (count - 1) / 2), np.float64))
    values = rng.standard_normal((len(axes[0]), len(axes[1]), 2))
    trial = SmoothField(axes[0], axes[1], values)
    probe = trial.on_grid(*(np.linspace(0, n, 65) for n in shape))
    return SmoothField(axes[0], axes[1], values * (amplitude_px / np.hypot(probe[..., 0], probe[..., 1]).max()))


def taper(shape: Shape, rng: np.random.Generator, *, strength: float = 1.0) -> SumField:
    """What a fibre-optic taper does: pincushion off the centre, shear, anisotropy and a smooth random part (3 % of
    the image's side in all)."""
    side = max(shape)
    centre = tuple(c + s * rng.uniform(-0.05, 0.05) for c, s in zip(centre_of(shape), shape, strict=True))
    return SumField(
        (
            radial(shape, 0.035 * strength, 0.012 * strength, centre=(centre[0], centre[1])),
            linear(shape, shear=0.004 * strength, stretch=-0.003 * strength),
            smooth(shape, 0.004 * strength * side, 0.35 * side, rng),
        )
    )


def tiles(
    shape: Shape,
    grid: tuple[int, int],
    rng: np.random.Generator,
    *,
    jump_px: float = 3.0,
    turn_deg: float = 0.1,
    base: Field | None = None,
) -> TiledField:
    """A mosaic of `grid` = (rows, columns) tiles, each with its own shift (rms `jump_px`) and turn (rms `turn_deg`)
    on top of `base`."""
    row, column = (np.minimum(np.arange(n) * k // n, k - 1) for n, k in zip(shape, grid, strict=True))
    labels = row[:, None] * grid[1] + column[None, :]
    fields: list[Field] = []
    for a in range(grid[0]):
        for b in range(grid[1]):
            turn = turn_matrix(np.deg2rad(rng.normal(0, turn_deg)))
            centre = float(np.flatnonzero(row == a).mean()), float(np.flatnonzero(column == b).mean())
            dy, dx = rng.normal(0, jump_px, 2)
            tile = LinearField(centre, turn - np.eye(2), (float(dy), float(dx)))
            fields.append(tile if base is None else SumField((base, tile)))
    return TiledField(labels, tuple(fields))
