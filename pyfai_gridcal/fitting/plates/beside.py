"""Other witnesses of a field, in the same normal equations as the exposures of a plate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from ...base.arrays import AnyArray, Floats
from ...base.geometry import rigid_columns
from ...records.field import Field
from ..spline.basis import Axis
from ..spline.problem import SplineField
from ..spline.rows import CellRows

Columns = Callable[[Floats], sparse.csr_matrix]


@dataclass(frozen=True, eq=False)
class Beside:
    """What other witnesses say of the unknowns of the detector, and of some that are theirs alone.

    Attributes
    ----------
    normal : (V, V) 1/px²; V counts the coefficients of the field (all y, then all x), `count` further unknowns, and
        `own` that the plate does not see
    right : (V,) 1/px
    count : further unknowns of the detector, such as motions of its modules
    columns : of points (N, 2): (2 N, count) displacement by these, px, all y, then all x
    own : unknowns of the witness, such as the geometry of its images
    """

    normal: Floats
    right: Floats
    count: int
    columns: Columns
    own: int = 0


def shared_rows(y: Axis, x: Axis, columns: Columns, yx: Floats) -> sparse.csr_matrix:
    """(2 N, U) displacement at points by coefficients of a field and what is further, px, all y, then all x."""
    field = CellRows.of_points(y, x, yx).sparse
    return sparse.hstack([sparse.block_diag([field, field]), columns(yx)], format="csr")


class Witness(Protocol):
    """Whoever says something of the field besides the plate, and sees it anew when the field is known better."""

    @property
    def smooth(self) -> bool:
        """Whether there is a smooth field, or only what the witness adds to it."""
        ...

    def beside(self, y: Axis, x: Axis) -> Beside:
        """Linear equations about the present field, for coefficients of these axes."""
        ...

    def after(self, y: Axis, x: Axis, coefficients: Floats, further: Floats) -> Witness:
        """The same with the field, the further unknowns and its own that were found."""
        ...

    def field(self, spline: SplineField) -> Field:
        """The whole field."""
        ...

    def depth_map(self) -> AnyArray | None:
        """(ny, nx) metres, how far pixels lie behind the plane of the detector; None for a flat one."""
        ...

    def remarks(self) -> list[str]:
        """What became of it, in words."""
        ...


#: A witness once it is known how large pixels (slow, fast), metres, are taken to be.
MakeWitness = Callable[[tuple[float, float]], Witness]


@dataclass(frozen=True, eq=False)
class WholeUncertainty:
    """Variance of a field with further unknowns, without what the whole may do.

    Attributes
    ----------
    y, x : axes of the field
    columns : of the further unknowns
    covariance : (U, U) of the coefficients (all y, then all x) and the further unknowns
    nodes : (M, 2) px, places all over the detector
    aspect : slow over fast pixel size
    free : how many parts do not count, of :meth:`linear_part`
    present : the displacement: what moves as a whole are places as they are corrected, and where a turn is known no
        better than to some 0.01 rad, as by rings alone, that of the displacement itself is 0.01 px; None: nothing
        turns far enough
    """

    y: Axis
    x: Axis
    columns: Columns
    covariance: Floats
    nodes: Floats
    aspect: float = 1.0
    free: int = 3
    present: Field | None = None

    def rows(self, yx: Floats) -> Floats:
        """(2 N, U) displacement at points by the unknowns, all y, then all x."""
        return np.asarray(shared_rows(self.y, self.x, self.columns, yx).toarray())

    def linear_part(self, yx: Floats, count: int) -> Floats:
        """(2 N, count) of shifts, turn, scale, aspect, shear about the middle: what the whole may do, rigid first."""
        moved = yx if self.present is None else yx + self.present.at(yx)
        (v, u), a = (moved - self.nodes.mean(axis=0)).T, self.aspect
        strains = np.array([np.concatenate(m) for m in ((v, u), (v / 2, -u / 2), (u / a, v * a))]).T
        return np.hstack([rigid_columns(np.stack([v * a, u / a], axis=1)), strains])[:, :count]

    def linear(self, count: int) -> Floats:
        """(count, U) how these parts of the displacement follow the unknowns."""
        return np.asarray(np.linalg.pinv(self.linear_part(self.nodes, count)) @ self.rows(self.nodes))

    @cached_property
    def _free(self) -> Floats:
        return self.linear(self.free)

    def variance(self, yx: Floats) -> Floats:
        """(N, 2) px²."""
        out = np.empty((len(yx), 2))
        for part in np.array_split(np.arange(len(yx)), max(1, len(yx) // 500)):
            rows = self.rows(yx[part]) - self.linear_part(yx[part], self.free) @ self._free
            value = np.einsum("nu,nu->n", rows @ self.covariance, rows)
            out[part] = np.maximum(value, 0.0).reshape(2, -1).T
        return out
