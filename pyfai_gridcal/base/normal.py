"""Normal equations, many small ones at a time."""

from __future__ import annotations

import numpy as np

from .arrays import Floats


def solved(normal: Floats, right: Floats) -> Floats:
    """Solutions (N, k) of (N, k, k) equations; what is no number counts as 0."""
    scaled, scale = _scaled(np.nan_to_num(normal))
    out: Floats = np.linalg.solve(scaled, (np.nan_to_num(right) * scale)[:, :, None])[:, :, 0] * scale
    return out


def inverses(normal: Floats) -> Floats:
    """Inverses (N, k, k)."""
    scaled, scale = _scaled(np.nan_to_num(normal))
    out: Floats = np.linalg.inv(scaled) * scale[:, :, None] * scale[:, None, :]
    return out


def _scaled(normal: Floats) -> tuple[Floats, Floats]:
    """Matrices with unit diagonal (and a whiff of damping), and their scales."""
    scale: Floats = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    out: Floats = normal * scale[:, :, None] * scale[:, None, :]
    k = np.arange(normal.shape[1])
    out[:, k, k] += 1e-7
    return out, scale
