"""Normal equations, many small ones at a time."""

from __future__ import annotations

import numpy as np

from .arrays import Floats

#: Damping, of a diagonal of one: above the rounding of sums in single precision, far below what matters.
_WHIFF = 1e-7


def solved(normal: Floats, right: Floats) -> Floats:
    """Solutions (N, k) of (N, k, k) equations; what is no number counts as 0."""
    scaled, scale = _scaled(np.nan_to_num(normal))
    out: Floats = np.linalg.solve(scaled, (np.nan_to_num(right) * scale)[:, :, None])[:, :, 0] * scale
    return out


def inverses(normal: Floats) -> Floats:
    """Inverses (N, k, k), by Gauss and Jordan without pivots, which positive matrices do not need.

    All at a time, along the last axis, that is several times as quick as one after the other for small ones.
    """
    out = np.array(normal.transpose(1, 2, 0), order="C")
    if not np.isfinite(out.sum()):
        out = np.nan_to_num(out)
    own = np.arange(len(out))
    scale = 1 / np.sqrt(np.maximum(out[own, own], 1e-30))
    scales = scale[:, None] * scale
    out *= scales
    out[own, own] += _WHIFF
    with np.errstate(all="ignore"):
        for k in own:
            pivot, column = 1 / out[k, k], out[:, k].copy()
            row = out[k] * pivot
            out -= column[:, None] * row
            out[k], out[:, k] = row, -column * pivot
            out[k, k] = pivot
    out *= scales
    return np.ascontiguousarray(out.transpose(2, 0, 1))


def _scaled(normal: Floats) -> tuple[Floats, Floats]:
    """Matrices with unit diagonal (and a whiff of damping), and their scales."""
    scale: Floats = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    out: Floats = normal * scale[:, :, None] * scale[:, None, :]
    k = np.arange(normal.shape[1])
    out[:, k, k] += _WHIFF
    return out, scale
