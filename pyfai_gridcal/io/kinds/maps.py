"""Displacement maps: two rasters that say how far each pixel, or each pixel corner, is from where it was seen.

frame
    *centres*: entry [i, j] belongs to the centre of pixel (i, j); shape (ny, nx). ImageD11, XDS, Dectris, our TIFF and
    npy files. *nodes*: entry [i, j] belongs to the corner between pixels (i - 1, j - 1) and (i, j); shape (ny + 1, nx
    + 1). pyFAI, SPD.
order
    One map for the fast axis (x), one for the slow one (y); raster order [slow, fast].
unit, sign
    px, corrected - observed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import distance_transform_edt
from scipy.sparse.linalg import spsolve

from ...base.arrays import AnyArray, Bools, Floats, frozen_array, measured
from ...base.errors import FileFormatError
from ...base.frames import CORNERS, edge_nodes, index_from_edge, pixel_centres
from ...records.distortion import Distortion
from ...records.field import CornerField, Field, SampledField, corner_values

__all__ = [
    "CubicField",
    "continued",
    "distortion_of_centres",
    "distortion_of_nodes",
    "pair_names",
    "partner",
    "shared_nodes",
]

#: A third difference above this between neighbouring pixels is a jump, px: smooth fields are far below, quantised
#: tables at 0.04.
JUMP = 0.1

#: How the two files of a pair are told apart: what the name of the x map holds and what the name of the y map holds
#: instead.
TOKENS = (
    ("dx.pickle", "dy.pickle"),
    ("e2dx", "e2dy"),
    ("x_geo_corr", "y_geo_corr"),
    ("x-geo_corr", "y-geo_corr"),
    ("x-geocorr", "y-geocorr"),
    ("xcorr", "ycorr"),
    ("_dx.", "_dy."),
    ("-dx.", "-dy."),
    ("-x.", "-y."),
    ("_x.", "_y."),
)


@dataclass(frozen=True, eq=False)
class CubicField:
    """A field known at the pixel centres, cubic between them (Lagrange, four points), exact at them.

    Attributes
    ----------
    values : (ny, nx, 2) at the centres, px

    Notes
    -----
    Pixel corners at the border lie half a pixel beyond the last centre. There the outermost polynomial goes on;
    :func:`scipy.ndimage.map_coordinates` knows only repeated or mirrored values, which are off by 0.02 px on a field
    that this describes to 1e-7 px.
    """

    values: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen_array(self.values, np.float64, 3))

    def at(self, yx: AnyArray) -> Floats:
        yx = np.asarray(yx, float).reshape(-1, 2)
        (i, wy), (j, wx) = (_taps(yx[:, k], self.values.shape[k]) for k in (0, 1))
        out = np.zeros((len(yx), 2))
        for a in range(wy.shape[1]):
            for b in range(wx.shape[1]):
                out += (wy[:, a] * wx[:, b])[:, None] * self.values[i + a, j + b]
        return out

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        (i, wy), (j, wx) = (_taps(np.asarray(c, float), n) for c, n in zip((y, x), self.values.shape, strict=False))
        rows = sum(wy[:, a, None, None] * self.values[i + a] for a in range(wy.shape[1]))
        return np.asarray(sum(wx[:, b, None] * np.asarray(rows)[:, j + b] for b in range(wx.shape[1])))


def _taps(at: Floats, n: int) -> tuple[AnyArray, Floats]:
    """First of up to four neighbours and their weights; beyond the border the outermost polynomial goes on."""
    count = min(4, n)
    first = np.clip(np.floor(at).astype(np.int64) - (count // 2 - 1), 0, n - count)
    t = at - first
    weights = np.ones((len(at), count))
    for a in range(count):
        for b in range(count):
            if a != b:
                weights[:, a] *= (t - b) / (a - b)
    return first, weights


# -- from maps to a distortion
def distortion_of_centres(
    dy: AnyArray, dx: AnyArray, pixel_size: tuple[float, float], *, mask: Bools | None = None, linear: bool = False
) -> Distortion:
    """The distortion that two maps at the pixel centres mean.

    Parameters
    ----------
    dy, dx : (ny, nx), px; what is not finite, or stands for nothing as 1e30 does, is masked
    pixel_size : (slow, fast), metres
    linear : for coarse tables: straight lines between the centres instead of cubics

    Notes
    -----
    Where neighbouring pixels jump (modules), each pixel keeps its own edges: its slopes are the smaller ones of both
    sides.
    """
    values, bad = _stacked(dy, dx)
    shape = values.shape[:2]
    mask = bad if mask is None else np.asarray(mask, bool) | bad
    field: Field
    if min(shape) < 2:
        raise FileFormatError(f"maps of shape {shape}", expected="at least 2 x 2 pixels")
    if _jumps(values, np.asarray(mask)):
        field = CornerField(_limited_corners(values))
    elif linear:
        field = SampledField(*pixel_centres(shape), values)
    else:
        field = CubicField(values)
    return Distortion(field, shape, pixel_size, mask=mask if mask.any() else None, gauge="as in the maps")


def distortion_of_nodes(
    dy: AnyArray, dx: AnyArray, pixel_size: tuple[float, float], *, mask: Bools | None = None
) -> Distortion:
    """The distortion that two maps at the pixel corners, (ny + 1, nx + 1), mean."""
    values, bad = _stacked(dy, dx)
    shape = (values.shape[0] - 1, values.shape[1] - 1)
    if min(shape) < 1:
        raise FileFormatError(f"maps of shape {values.shape[:2]}", expected="at least 2 x 2 corners")
    touched = bad[1:, 1:] | bad[:-1, 1:] | bad[1:, :-1] | bad[:-1, :-1]
    mask = touched if mask is None else np.asarray(mask, bool) | touched
    return Distortion(
        SampledField(*edge_nodes(shape), values),
        shape,
        pixel_size,
        mask=mask if mask.any() else None,
        gauge="as in the maps",
    )


def _stacked(dy: AnyArray, dx: AnyArray) -> tuple[Floats, Bools]:
    if dy.shape != dx.shape or dy.ndim != 2:
        raise FileFormatError(f"the two maps have the shapes {dy.shape} and {dx.shape}", expected="the same 2D shape")
    with np.errstate(invalid="ignore", over="ignore"):  # damaged files hold all sorts of NaN
        values = np.stack([dy, dx], axis=-1).astype(np.float64)
    bad = np.asarray(~measured(values).all(axis=-1))
    if bad.all():
        raise FileFormatError("the maps hold no finite number")
    largest = float(np.abs(values[~bad]).max())
    if largest > 2 * max(values.shape[:2]):
        raise FileFormatError(
            f"the maps reach {largest:.4g} px on a detector of {values.shape[0]} x {values.shape[1]}",
            hint="are they positions or µm instead of displacements in px?",
        )
    return _continued(values, bad), bad


def _continued(values: Floats, bad: Bools) -> Floats:
    """With bad entries replaced: near good ones by going on straight, ring by ring, farther away by the nearest."""
    if not bad.any():
        return values
    values, left = np.where(bad[..., None], 0.0, values), bad.copy()
    for _ in range(4):
        total, count = np.zeros_like(values), np.zeros(left.shape)
        for axis in (0, 1):
            for step in (1, -1):
                total_one, count_one = _straight_on(values, left, axis, step)
                total, count = total + total_one, count + count_one
        reached = left & (count > 0)
        values[reached] = total[reached] / count[reached][:, None]
        left &= ~reached
    if left.any():
        return _nearest(values, ~left)
    return values


def _straight_on(values: Floats, bad: Bools, axis: int, step: int) -> tuple[Floats, Floats]:
    """Parabola through the three neighbours on one side where they are good (else a line through two), and how good."""

    def shifted(array: AnyArray, by: int, fill: float) -> AnyArray:
        out = np.full_like(array, fill)
        into, of = [slice(None)] * array.ndim, [slice(None)] * array.ndim
        into[axis], of[axis] = (slice(by, None), slice(None, -by)) if step > 0 else (slice(None, -by), slice(by, None))
        out[tuple(into)] = array[tuple(of)]
        return out

    if values.shape[axis] < 4:
        return np.zeros_like(values), np.zeros(bad.shape)
    v = [shifted(values, k, 0.0) for k in (1, 2, 3)]
    b = [shifted(bad, k, True) for k in (1, 2, 3)]
    line, parabola = ~b[0] & ~b[1], ~b[0] & ~b[1] & ~b[2]
    weight = np.where(parabola, 4.0, np.where(line, 1.0, 0.0))
    guess = np.where(parabola[..., None], 3 * v[0] - 3 * v[1] + v[2], 2 * v[0] - v[1])
    return weight[..., None] * guess, weight


def _jumps(values: Floats, mask: Bools) -> bool:
    """Whether known neighbours differ by more than smoothness explains (by third differences along both axes)."""
    for axis in (0, 1):
        if values.shape[axis] >= 4:
            third = np.abs(np.diff(values, 3, axis=axis)).max(axis=-1)
            n = third.shape[axis]
            cut = [slice(k, k + n) for k in range(4)]
            off = np.logical_or.reduce([mask[c] if axis == 0 else mask[:, c] for c in cut])
            if (third[~off] > JUMP).any():
                return True
            if (np.abs(np.diff(values, axis=axis)) > 1.0).any():
                return True
    return False


def _limited_corners(values: Floats) -> Floats:
    """Corners (ny, nx, 4, 2) from centres: linear within each pixel, with the smaller slope of both sides so that no
    jump leaks in.
    """
    slopes = []
    for axis in (0, 1):
        step = np.diff(values, axis=axis)
        first, last = (np.take(step, [k], axis=axis) for k in (0, -1))
        before, after = np.concatenate([first, step], axis=axis), np.concatenate([step, last], axis=axis)
        slopes.append(np.where(np.abs(before) < np.abs(after), before, after))
    offset = index_from_edge(np.array(CORNERS))
    return np.stack([values + a * slopes[0] + b * slopes[1] for a, b in offset], axis=2)


# -- names
def partner(path: Path) -> tuple[Path, Path] | None:
    """(x map, y map) of the pair that `path` belongs to by its name; None when the name tells no pair."""
    for x, y in TOKENS:
        for mine, other in ((x, y), (y, x)):
            found = re.search(re.escape(mine), path.name, re.IGNORECASE)
            if found:
                swapped = other.upper() if found[0].isupper() else other
                twin = path.with_name(path.name[: found.start()] + swapped + path.name[found.end() :])
                return (path, twin) if mine == x else (twin, path)
    return None


def pair_names(path: Path, tokens: tuple[str, str], suffix: str) -> tuple[Path, Path]:
    """(x map, y map) to write for the output name `path`: a name that tells a pair is kept, others get `tokens`
    appended.
    """
    if path.suffix.lower() not in (suffix, ".tiff" if suffix == ".tif" else suffix):
        path = path.with_name(path.name + suffix)
    named = partner(path)
    if named:
        return named
    return tuple(path.with_name(path.stem + token + path.suffix) for token in tokens)  # type: ignore[return-value]


#: At most so many samples along one axis decide about a continuation: a few seconds for the sparse matrix of all.
SAMPLES = 180


def shared_nodes(distortion: Distortion) -> tuple[Floats, Bools, float]:
    """Displacement at the pixel corners as if neighbours shared them.

    Returns
    -------
    nodes : (ny + 1, nx + 1, 2), px; where no known pixel touches a node, the flattest continuation of the known ones
    known : (ny + 1, nx + 1), a known pixel touches the node
    jump : the largest distance of two known pixels' opinions about the same corner, px
    """
    ny, nx = distortion.shape
    good = np.ones((ny, nx), bool) if distortion.mask is None else ~np.asarray(distortion.mask)
    if not distortion.is_tiled:
        nodes = distortion.field.on_grid(*edge_nodes(distortion.shape))
        touched = np.zeros((ny + 1, nx + 1), bool)
        for a, b in CORNERS:
            touched[a : ny + a, b : nx + b] |= good
        touched &= np.isfinite(nodes).all(axis=-1)
        return continued(nodes, touched), touched, 0.0
    corners = corner_values(distortion.field, distortion.shape)
    good = good & np.isfinite(corners).all(axis=(2, 3))
    total, count = np.zeros((ny + 1, nx + 1, 2)), np.zeros((ny + 1, nx + 1))
    low, high = np.full((ny + 1, nx + 1, 2), np.inf), np.full((ny + 1, nx + 1, 2), -np.inf)
    for k, (a, b) in enumerate(CORNERS):
        where = slice(a, ny + a), slice(b, nx + b)
        total[where] += np.where(good[..., None], corners[:, :, k], 0.0)
        count[where] += good
        low[where] = np.minimum(low[where], np.where(good[..., None], corners[:, :, k], np.inf))
        high[where] = np.maximum(high[where], np.where(good[..., None], corners[:, :, k], -np.inf))
    known = count > 0
    jump = float(np.hypot(*(high - low)[known].T).max(initial=0))
    return continued(total / np.maximum(count, 1)[..., None], known), known, jump


def continued(values: Floats, known: Bools) -> Floats:
    """Samples (ny, nx, 2) of a raster, with unknown ones replaced by the flattest continuation of the known ones.

    Notes
    -----
    The sum of the squares of the second differences along both axes is made smallest, on at most `SAMPLES` samples
    along each axis. Straight lines go on as straight lines, and no kink is left at the border, for which a spline
    would need knots.
    """
    if known.all() or not known.any():
        return values
    rows, columns = (np.unique(np.rint(np.linspace(0, n - 1, min(n, SAMPLES))).astype(np.int64)) for n in known.shape)
    coarse, sure = values[np.ix_(rows, columns)], known[np.ix_(rows, columns)]
    if min(coarse.shape[:2]) < 4 or not sure.any():
        return _nearest(values, known)
    if not sure.all():
        coarse = _flattest(_nearest(coarse, sure), sure)
    out = values.copy()
    for k in range(values.shape[-1]):
        smooth = RectBivariateSpline(rows, columns, coarse[..., k], s=0)
        out[..., k][~known] = smooth(np.arange(known.shape[0]), np.arange(known.shape[1]))[~known]
    return out


def _flattest(values: Floats, known: Bools) -> Floats:
    """Least squares of the second differences, by the unknown samples."""
    ny, nx = known.shape
    bends = sparse.vstack(
        [
            sparse.kron(_second_differences(ny), sparse.eye_array(nx)),
            sparse.kron(sparse.eye_array(ny), _second_differences(nx)),
        ]
    ).tocsc()
    free = np.flatnonzero(~known)
    given = np.where(known[..., None], values, 0.0).reshape(-1, values.shape[-1])
    part = bends[:, free]
    # A hair of a spring to the nearest known value, so that a single known row is enough for a solution.
    start, spring = values.reshape(given.shape)[free], 1e-9
    normal = (part.T @ part + spring * sparse.eye_array(len(free))).tocsc()
    given[free] = spsolve(normal, spring * start - part.T @ (bends @ given))
    return given.reshape(values.shape)


def _second_differences(n: int) -> sparse.dia_array:
    return sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(n - 2, n))


def _nearest(values: Floats, known: Bools) -> Floats:
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    out: Floats = values[tuple(nearest)]
    return out
