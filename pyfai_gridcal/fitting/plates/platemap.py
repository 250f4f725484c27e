"""The map of a plate: its holes' errors as a fingerprint, and finding an exposure's place in it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...base.geometry import turn_matrix
from ...records.plate import Plate
from ...records.points import ControlPoints
from ..recipe import FieldFit
from ..rigid import Placement
from .registration import Fingerprint, Match, match

__all__ = ["fingerprint", "located", "map_print"]


class _Exposed(Protocol):
    """Anything with control points."""

    @property
    def points(self) -> ControlPoints: ...


def map_print(plate: Plate) -> Fingerprint | None:
    """The known errors of a plate as a fingerprint, None without any."""
    if plate.error_ij is None or plate.error_yx is None or len(plate.error_ij) < 3:
        return None
    return Fingerprint(plate.error_ij, plate.error_yx, np.ones(len(plate.error_ij)))


def fingerprint(exposed: _Exposed, start: Placement, fit: FieldFit) -> Fingerprint:
    """Errors of the holes as a fit to one exposure with the ideal plate leaves them, metres, plate frame."""
    error = (fit.held_out * start.pixel_size) @ turn_matrix(start.pose.angle_rad)
    return Fingerprint(exposed.points.ij, error, fit.used.astype(float))


def located(exposed: _Exposed, plate: Plate, start: Placement, fit: FieldFit) -> Match | None:
    """Where on the map of its plate an exposure lies, None if that cannot be told."""
    known = map_print(plate)
    found = match(known, fingerprint(exposed, start, fit), plate) if known is not None else None
    return found if found is not None and found.certain else None
