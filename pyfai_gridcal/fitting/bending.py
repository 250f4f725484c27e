"""Where the field bends within one hole, the spot is not where the image of the hole's centre is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..base.arrays import AnyArray, Floats

__all__ = ["curvature_shift"]

#: Where the field is so steep (determinant of its Jacobian) or the shift so large (diameters of the hole), the second
#: order says nothing.
_STEEP, _FAR = 0.1, 0.05


class _Displacing(Protocol):
    def at(self, yx: AnyArray) -> Floats: ...


def curvature_shift(field: _Displacing, yx: AnyArray, hole_px: float) -> Floats:
    """Centroid of the image of a hole minus the image of its centre, (N, 2) px.

    With x(c) the observed place as a function of the corrected one, a hole of radius r around c covers x(c + p), |p|
    <= r. Its picture is even, so each p counts with the determinant of dx/dc, and to the order of r²::

        shift_d = r²/8 [ Σ_i ∂_i ∂_i x_d + 2 Σ_i ∂_i x_d ∂_i log det(∂x/∂c) ]

    since <p_i p_j> = r²/4 δ_ij over a disk. A least-squares fit of a round profile, which looks at the rim only, is
    off by the same amount.

    Parameters
    ----------
    field : displacement (corrected - observed, px) as a function of the observed place; anything with `at`
    yx : (N, 2) observed places, px, index frame
    hole_px : diameter of a hole, px of the corrected frame

    Returns
    -------
    0 where the field nearly folds or bends too much for this series
    """
    yx = np.asarray(yx, dtype=float).reshape(-1, 2)
    step = max(0.5 * hole_px, 1.0)
    slope, bend = _derivatives(field, yx, step)
    # derivatives of the inverse map x(c): first X = G^-1, second X_d,ij = - X_da F_a,kl X_ki X_lj
    flat = ~(np.linalg.det(np.eye(2) + slope) > _STEEP)
    slope[flat] = 0
    inverse = np.linalg.inv(np.eye(2) + slope)
    second = -np.einsum("nda,nakl,nki,nlj->ndij", inverse, bend, inverse, inverse, optimize=True)
    # d/dc_i log det X = tr(X^-1 dX/dc_i) = G_ab X_b,ai
    growth = np.einsum("nab,nbai->ni", np.eye(2) + slope, second)
    laplace = np.einsum("ndii->nd", second)
    shift = (hole_px / 2) ** 2 / 8 * (laplace + 2 * np.einsum("ndi,ni->nd", inverse, growth))
    shift[flat | ~(np.hypot(*shift.T) < _FAR * hole_px)] = 0
    return np.asarray(shift)


def _derivatives(field: _Displacing, yx: Floats, step: float) -> tuple[Floats, Floats]:
    """First (N, 2, 2) and second (N, 2, 2, 2) derivatives [n, component, axis, ...] by central differences."""
    e = np.eye(2) * step
    here = field.at(yx)
    plus, minus = [field.at(yx + e[k]) for k in range(2)], [field.at(yx - e[k]) for k in range(2)]
    slope = np.stack([(plus[k] - minus[k]) / (2 * step) for k in range(2)], axis=-1)
    bend = np.empty((len(yx), 2, 2, 2))
    for k in range(2):
        bend[:, :, k, k] = (plus[k] - 2 * here + minus[k]) / step**2
    diagonal = e[0] + e[1]
    across = (
        field.at(yx + diagonal) + field.at(yx - diagonal) + 2 * here - plus[0] - minus[0] - plus[1] - minus[1]
    ) / (2 * step**2)
    bend[:, :, 0, 1] = bend[:, :, 1, 0] = across
    return slope, bend
