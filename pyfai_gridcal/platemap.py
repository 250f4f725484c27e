"""The map of a plate: its holes' errors as a fingerprint, and finding an exposure's place in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from ._typing import AnyArray, Floats, Ints
from .plate import Plate
from .points import ControlPoints
from .recipe import FieldFit
from .registration import Fingerprint, Match, match
from .rigid import Placement

__all__ = ["error_sigma", "fingerprint", "located", "map_print", "with_errors", "without_errors"]


class _Exposed(Protocol):
    """Anything with control points."""

    @property
    def points(self) -> ControlPoints: ...


def without_errors(plate: Plate) -> Plate:
    """The ideal plate."""
    return replace(plate, error_ij=None, error_yx=None, error_sigma_yx=None)


def with_errors(plate: Plate, ij: Ints, error_yx: Floats, sigma_yx: Floats) -> Plate:
    """The plate with errors (metres, plate frame) of some holes, in place of those it had there."""
    if plate.error_ij is not None and len(plate.error_ij) and plate.error_yx is not None:
        old = {tuple(v): k for k, v in enumerate(plate.error_ij.tolist())}
        new = {tuple(v) for v in np.asarray(ij).tolist()}
        keep = np.array([k for node, k in old.items() if node not in new], dtype=int)
        sigma = plate.error_sigma_yx if plate.error_sigma_yx is not None else np.zeros_like(plate.error_yx)
        ij = np.concatenate([ij, plate.error_ij[keep]])
        error_yx = np.concatenate([error_yx, plate.error_yx[keep]])
        sigma_yx = np.concatenate([sigma_yx, sigma[keep]])
    return replace(plate, error_ij=ij, error_yx=error_yx, error_sigma_yx=sigma_yx)


def map_print(plate: Plate) -> Fingerprint | None:
    """The known errors of a plate as a fingerprint, None without any."""
    if plate.error_ij is None or plate.error_yx is None or len(plate.error_ij) < 3:
        return None
    return Fingerprint(plate.error_ij, plate.error_yx, np.ones(len(plate.error_ij)))


def fingerprint(exposed: _Exposed, start: Placement, fit: FieldFit) -> Fingerprint:
    """Errors of the holes as a fit to one exposure with the ideal plate leaves them, metres, plate frame."""
    c, s = np.cos(start.pose.angle_rad), np.sin(start.pose.angle_rad)
    error = (fit.held_out * start.pixel_size) @ np.array([[c, s], [-s, c]])
    return Fingerprint(exposed.points.ij, error, fit.used.astype(float))


def located(exposed: _Exposed, plate: Plate, start: Placement, fit: FieldFit) -> Match | None:
    """Where on the map of its plate an exposure lies, None if that cannot be told."""
    known = map_print(plate)
    found = match(known, fingerprint(exposed, start, fit), plate) if known is not None else None
    return found if found is not None and found.certain else None


def error_sigma(plate: Plate, ij: AnyArray) -> Floats:
    """Standard uncertainty (M,) of where the holes `ij` are, metres: that of the map, or the rms of the map off it."""
    assert plate.error_ij is not None
    assert plate.error_yx is not None
    if not len(plate.error_ij):
        return np.zeros(len(ij))
    known = plate.error_sigma_yx if plate.error_sigma_yx is not None else np.zeros_like(plate.error_yx)
    low = plate.error_ij.min(axis=0)
    size = plate.error_ij.max(axis=0) - low + 1
    table = np.full(tuple(size), float(np.sqrt(np.mean(plate.error_yx**2))))
    table[tuple((plate.error_ij - low).T)] = np.sqrt((known**2).mean(axis=1))
    at = np.asarray(ij) - low
    inside = ((at >= 0) & (at < size)).all(axis=1)
    out = np.full(len(at), float(np.sqrt(np.mean(plate.error_yx**2))))
    out[inside] = table[tuple(at[inside].T)]
    return out
