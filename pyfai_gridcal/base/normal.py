"""Normal equations, many small ones at a time."""

from __future__ import annotations

import numpy as np

from .arrays import Floats

#: Damping, of a diagonal of one: above the rounding of sums in single precision, far below what matters.
_WHIFF = 1e-7


def solved(normal: Floats, right: Floats, core: Floats | None = None) -> tuple[Floats, Floats]:
    """Solutions (N, k) of (N, k, k) equations, and the inverses of these; what is no number counts as 0. A `core`
    (N, j, j), the inverses for the first j unknowns alone, saves half of the work."""
    inverse = inverses(normal) if core is None else _bordered(core, normal)
    return np.matmul(inverse, np.nan_to_num(right)[:, :, None])[:, :, 0], inverse


def _bordered(core: Floats, normal: Floats) -> Floats:
    """Inverses from those of the leading rows and columns."""
    own, more = slice(0, core.shape[1]), slice(core.shape[1], None)
    if core.shape == normal.shape:
        return core
    follow = core @ np.nan_to_num(normal[:, own, more])
    rest = inverses(normal[:, more, more] - normal[:, more, own] @ follow)
    across = -follow @ rest
    out = np.empty_like(normal)
    out[:, own, own], out[:, more, more] = core - across @ follow.transpose(0, 2, 1), rest
    out[:, own, more], out[:, more, own] = across, across.transpose(0, 2, 1)
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
