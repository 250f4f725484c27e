"""Control points: spots with their integer node of the lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Floats, Ints, freeze, select_rows

__all__ = ["ControlPoints"]


@dataclass(frozen=True, eq=False)
class ControlPoints:
    """M spots that know their node; px, index frame, order (y, x).

    Attributes
    ----------
    yx, sigma_yx : (M, 2) position and its standard uncertainty, px
    ij : (M, 2) node; i grows along the lattice axis nearest to slow (y), j along the one nearest to fast (x); no node
        twice
    spot : (M,) row of the spot in the :class:`~pyfai_gridcal.records.spots.Spots` it came from
    flags : (M,) uint8, bits of :class:`~pyfai_gridcal.records.spots.SpotFlag`
    basis_px : (2, 2) mean lattice vectors, px: row 0 is one step of i, row 1 one step of j, columns (y, x)
    angle_deg : angle of the ideal lattice from j to i: 90 (square, rectangular), 60 (hexagonal), or as given
    seam_doubt : largest misfit, in nodes, of pieces of lattice that do not touch but were joined: near 0.5 their
        relative place is a guess
    shared_yx : (M, 2) error that a point has in common with its neighbours, px; None where nobody looked

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import Spots, index_spots
    >>> y, x = np.meshgrid(np.arange(10.0, 150, 20), np.arange(12.0, 250, 25), indexing="ij")
    >>> points = index_spots(Spots.from_positions(np.column_stack([y.ravel(), x.ravel()])))
    >>> len(points), points.pitch_px
    (70, (20.0, 25.0))
    """

    yx: Floats
    sigma_yx: Floats
    ij: Ints
    spot: Ints
    flags: AnyArray
    basis_px: Floats
    angle_deg: float = 90.0
    seam_doubt: float = 0.0
    shared_yx: Floats | None = None

    def __post_init__(self) -> None:
        freeze(self, 2, "yx", "sigma_yx", "basis_px", "shared_yx")
        freeze(self, 2, "ij", dtype=np.int64)
        freeze(self, 1, "spot", dtype=np.int64)
        freeze(self, 1, "flags", dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.yx)

    def __repr__(self) -> str:
        nodes = (
            "".join(
                f", {axis} {low} to {high}"
                for axis, low, high in zip("ij", self.ij.min(axis=0), self.ij.max(axis=0), strict=True)
            )
            if len(self)
            else ""
        )
        along_i, along_j = self.pitch_px
        return f"<ControlPoints: {len(self)}{nodes}, pitch {along_i:.2f}, {along_j:.2f} px at {self.angle_deg:.4g}°>"

    @property
    def pitch_px(self) -> tuple[float, float]:
        """Mean distance of neighbouring spots along i and j, px."""
        return float(np.hypot(*self.basis_px[0])), float(np.hypot(*self.basis_px[1]))

    def select(self, which: AnyArray) -> ControlPoints:
        """The points of a boolean mask or an array of indices, in that order."""
        return select_rows(self, which, "yx", "sigma_yx", "ij", "spot", "flags", "shared_yx")

    def counted_from(self, place: tuple[float, float] | None) -> ControlPoints:
        """Same points, the one nearest to `place` (y, x px) at the node (0, 0); None leaves the nodes as they are."""
        if place is None:
            return self
        nearest = int(np.argmin(np.hypot(*(self.yx - np.asarray(place, float)).T)))
        return replace(self, ij=self.ij - self.ij[nearest])

    def reindexed(self, matrix: AnyArray, offset: Sequence[int] | AnyArray = (0, 0)) -> ControlPoints:
        """Same points with nodes ``ij @ matrix + offset``; `matrix` is an integer (2, 2) of determinant +1 or -1."""
        matrix = np.asarray(matrix, dtype=np.int64)
        basis = np.linalg.inv(matrix) @ self.basis_px
        ij = self.ij @ matrix + np.asarray(offset, dtype=np.int64)
        return replace(self, ij=ij, basis_px=basis)
