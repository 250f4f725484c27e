"""What is drawn over the image, in the coordinates of a silx plot. Free of Qt, so that a thread can prepare it.

A silx plot draws pixel k from k to k + 1: its coordinates are the edge frame, x first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from ...base.arrays import AnyArray, Floats
from ...base.frames import edge_from_index, index_from_edge, raster_places
from ...judging.measures import largest_rows
from ...records.distortion import Distortion
from ...records.fit import DistortionFit
from ...report.plots.canvas import nice, sampled_vectors
from .state import ExposureResults

MapName = Literal["dy", "dx", "magnitude", "sigma", "residual"]
#: Maps that can be shown, with the words for them.
MAPS: dict[MapName, str] = {
    "dy": "Displacement dy (slow), px",
    "dx": "Displacement dx (fast), px",
    "magnitude": "Displacement, px",
    "sigma": "Uncertainty, px",
    "residual": "Residual, px",
}


class SpotKind(IntEnum):
    """What became of a spot."""

    FOUND = 0  #: no fit yet
    USED = 1
    OUTLIER = 2  #: left out by the fit
    STRAY = 3  #: without a node of the lattice
    REMOVED = 4  #: by hand


def plot_xy(yx: AnyArray) -> tuple[Floats, Floats]:
    """Positions (N, 2), index frame -> x, y of the plot."""
    edge = edge_from_index(np.asarray(yx, float).reshape(-1, 2))
    return edge[:, 1], edge[:, 0]


def yx_of_plot(x: float, y: float) -> tuple[float, float]:
    """A point of the plot -> (y, x), px, index frame."""
    return float(index_from_edge(y)), float(index_from_edge(x))


@dataclass(frozen=True, eq=False)
class SpotLayer:
    """N spots to draw.

    Attributes
    ----------
    x, y : (N,) of the plot
    kind : (N,) of :class:`SpotKind`
    residual, sigma, chi2 : (N,) px, px and 1; NaN where there is none
    ij : (N, 2) nodes; only meaningful where the kind is USED or OUTLIER
    """

    x: Floats
    y: Floats
    kind: AnyArray
    residual: Floats
    sigma: Floats
    chi2: Floats
    ij: AnyArray

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def tree(self) -> cKDTree:
        """The places (y, x) of the plot, to find the spot at a point; growing it takes a while for many spots."""
        return cKDTree(np.stack([self.y, self.x], axis=1))

    @cached_property
    def worst(self) -> AnyArray:
        """Rows of the used spots with the largest residuals, the largest first."""
        return largest_rows(self.residual, (self.kind == SpotKind.USED) & np.isfinite(self.residual))

    def words(self, row: int) -> str:
        """The node of a spot, and how far it is off."""
        return f"({self.ij[row, 0]}, {self.ij[row, 1]}) {self.residual[row]:.3f} px"

    def count(self, kind: SpotKind) -> int:
        """How many are of this kind."""
        return int(np.count_nonzero(self.kind == kind))


def spot_layer(work: ExposureResults, fit: DistortionFit | None, exposure: int = 0) -> SpotLayer | None:
    """Spots of one exposure with what is known of each; None before they were found."""
    spots = work.spots if work.spots is not None else work.found
    if spots is None:
        return None
    n = len(spots)
    kept = np.ones(n, bool) if work.kept is None else work.kept
    kind = np.where(kept, SpotKind.FOUND, SpotKind.REMOVED)
    residual, ij = np.full(n, np.nan), np.zeros((n, 2), np.int64)
    rows = np.flatnonzero(kept)
    points = work.points if fit is None else fit.points[exposure]
    if points is not None:
        kind[rows] = SpotKind.STRAY
        kind[rows[points.spot]] = SpotKind.USED
        ij[rows[points.spot]] = points.ij
    if fit is not None and points is not None:
        residual[rows[points.spot]] = np.hypot(*fit.residual_yx[exposure].T)
        kind[rows[points.spot[~fit.used[exposure]]]] = SpotKind.OUTLIER
    sigma = np.sqrt(np.mean(spots.sigma_yx**2, axis=1))
    return SpotLayer(*plot_xy(spots.yx), kind, residual, sigma, np.asarray(spots.chi2), ij)


@dataclass(frozen=True, eq=False)
class GridLines:
    """The fitted grid as P straight pieces.

    Attributes
    ----------
    x, y : (P, 2) both ends of each, of the plot
    number : (P,) which line of the grid it belongs to: its i, or its j
    """

    x: Floats
    y: Floats
    number: AnyArray

    @property
    def middles(self) -> tuple[Floats, Floats]:
        """x and y (P,) of the middle of each piece."""
        return self.x.mean(axis=1), self.y.mean(axis=1)

    def line(self, which: AnyArray) -> tuple[Floats, Floats]:
        """x and y of one line that is broken by NaN between the pieces."""
        return _broken(self.x[which]), _broken(self.y[which])


def grid_lines(fit: DistortionFit, exposure: int = 0) -> GridLines:
    """Lines between neighbouring nodes, at the places where the fit says that their spots should be."""
    if exposure >= len(fit.points) or not len(points := fit.points[exposure]):
        return GridLines(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, int))
    corrected = fit.poses[exposure].corrected(fit.plate.positions(points.ij), fit.distortion.pixel_size)
    x, y = plot_xy(fit.distortion.distort(corrected, tolerance=1e-2))
    low = points.ij.min(axis=0)
    row = np.full(points.ij.max(axis=0) - low + 2, -1)
    row[tuple((points.ij - low).T)] = np.arange(len(points))
    ends, numbers = [], []
    for axis, neighbour in enumerate((row[1:, :-1], row[:-1, 1:])):
        pairs = np.stack([row[:-1, :-1].ravel(), neighbour.ravel()], axis=1)
        pairs = pairs[(pairs >= 0).all(axis=1)]
        ends.append(pairs)
        # A piece along i belongs to the line of its j.
        numbers.append(points.ij[pairs[:, 0], 1 - axis])
    both = np.concatenate(ends)
    finite = np.isfinite(x[both]).all(axis=1)
    return GridLines(x[both][finite], y[both][finite], np.concatenate(numbers)[finite])


def _broken(pieces: Floats) -> Floats:
    """(P, k) pieces of a line -> one line with NaN between them."""
    return np.concatenate([pieces, np.full((len(pieces), 1), np.nan)], axis=1).ravel()


@dataclass(frozen=True, eq=False)
class VectorLines:
    """Displacement arrows as one broken line.

    Attributes
    ----------
    x, y : of the plot
    scale : how much longer they are drawn than they are
    text : the scale in words
    """

    x: Floats
    y: Floats
    scale: float
    text: str


def vector_lines(distortion: Distortion, *, count: int = 30, stretch: float = 1.0) -> VectorLines:
    """Arrows from the observed place to (scaled) the corrected one, about `count` along the longer side.

    The scale is a round number that makes the longest arrow about as long as their distance, times `stretch`.
    """
    yx, vector, step = sampled_vectors(distortion, count)
    longest = float(np.hypot(*vector.T).max()) if len(vector) else 0.0
    scale = nice(stretch * step / longest) if longest > 0 else 1.0
    tip = yx + scale * vector
    back, side = -0.25 * scale * vector, 0.12 * scale * vector[:, ::-1] * (1, -1)
    places = [plot_xy(p) for p in (yx, tip, tip + back + side, tip, tip + back - side)]
    x, y = (np.stack([p[axis] for p in places], axis=1) for axis in (0, 1))
    text = f"arrows: {scale:g} × the displacement"
    return VectorLines(_broken(x), _broken(y), scale, text)


@dataclass(frozen=True, eq=False)
class MapImage:
    """A map to lay over the image.

    Attributes
    ----------
    values : (rows, columns) px
    step : pixels along a cell; the first cell begins at the corner of the image
    label : what it is
    signed : whether zero is the middle of its colours
    """

    values: Floats
    step: int
    label: str
    signed: bool


def map_image(name: MapName, fit: DistortionFit, exposure: int = 0, *, nodes: int = 400) -> MapImage | None:
    """One of :data:`MAPS`, sampled at about `nodes` cells along the longer side; None when it is not known."""
    if name == "residual":
        return _residual_map(fit, exposure, nodes)
    distortion = fit.distortion
    source = distortion.sigma if name == "sigma" else distortion.field
    if source is None:
        return None
    y, x, step = _cells(distortion.shape, nodes)
    values = source.on_grid(y, x)
    if name == "sigma":
        shown = np.sqrt(np.mean(values**2, axis=-1))
    elif name == "magnitude":
        shown = np.hypot(values[..., 0], values[..., 1])
    else:
        shown = values[..., 0 if name == "dy" else 1]
    if distortion.mask is not None:
        shown = np.where(distortion.mask[np.ix_(y.astype(int), x.astype(int))], np.nan, shown)
    return MapImage(shown, step, MAPS[name], name in ("dy", "dx"))


def _cells(shape: tuple[int, int], nodes: int, *, least: int = 1) -> tuple[Floats, Floats, int]:
    """Places (y and x, px) of at most `nodes` cells along the longer side, and the pixels along a cell.

    The last cells of a row or column are cut by the border of the image: each is sampled at its middle pixel.
    """
    step = max(1, -(-max(shape) // nodes), least)
    y, x = (np.minimum(np.arange(0, n, step) + (step - 1) / 2, n - 1) for n in shape)
    return y, x, step


def _residual_map(fit: DistortionFit, exposure: int, nodes: int) -> MapImage | None:
    """Residual of the nearest spot that was used; nothing where none is nearer than three quarters of the pitch."""
    if exposure >= len(fit.points) or not fit.used[exposure].any():
        return None
    points, used = fit.points[exposure], fit.used[exposure]
    y, x, step = _cells(fit.distortion.shape, nodes, least=round(min(points.pitch_px) / 8))
    places = raster_places(y, x).reshape(-1, 2)
    distance, nearest = cKDTree(points.yx[used]).query(places, distance_upper_bound=0.75 * max(points.pitch_px))
    length = np.append(np.hypot(*fit.residual_yx[exposure][used].T), np.nan)
    values = np.where(np.isfinite(distance), length[nearest], np.nan).reshape(len(y), len(x))
    return MapImage(values, step, MAPS["residual"], False)


def build_pyramid(data: AnyArray, *, least: int = 256) -> tuple[AnyArray, ...]:
    """The image and its block means by 2, 4, 8...: each half as large as the one before; float32 from the second on.

    The first is a copy where `data` is read-only, for silx draws only arrays that it could write to.
    """
    levels = [data if data.flags.writeable else data.copy()]
    while min(levels[-1].shape) >= 2 * least:
        fine = levels[-1]
        ny, nx = (n // 2 * 2 for n in fine.shape)
        rows = np.add(fine[0:ny:2, :nx], fine[1:ny:2, :nx], dtype=np.float32)
        levels.append((rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25))
    return tuple(levels)
