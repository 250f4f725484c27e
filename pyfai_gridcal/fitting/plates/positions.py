"""Where motors had the plate in each exposure: a weak opinion on where it lay, and on which hole is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats
from ...base.errors import UsageError
from ...base.geometry import turn_matrix
from ...records.fit import Pose
from ...records.plate import Plate
from .registration import Match

#: Uncertainty of a position, in pitches: motors are not the truth, and neither is the direction of their axes.
TRUST = 0.05
#: Farther from a whole number of pitches a position says nothing about the numbers of the holes: six times its
#: uncertainty, and still nearer to one hole than to the next.
_WHOLE = 0.3
#: A position is not believed when it is off by this many times its uncertainty; by chance one in 3000 would be.
_OFF = 4.0


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions of the plate in all exposures.

    Attributes
    ----------
    yx_m : (E, 2) along (slow, fast), metres; only differences count
    sigma_m : uncertainty of each coordinate, metres
    believed : (E,) False for those that the holes contradict
    """

    yx_m: Floats
    sigma_m: float
    believed: Bools

    def prior(self, poses: Sequence[Pose], pixel_size: tuple[float, float]) -> tuple[Floats, Floats]:
        """Normal matrix (2 E, 2 E) and right side (2 E,) of further shifts of the poses, in px.

        Some point of the plate, nobody knows which, goes where the motors go, from a start that nobody knows: both are
        solved for. Positions that are not believed say nothing.
        """
        free, miss = self._left(poses)
        size = np.tile(pixel_size, len(poses)) / self.sigma_m
        return free * size * size[:, None], -(free @ miss) * size / self.sigma_m

    def judged(self, poses: Sequence[Pose]) -> Positions:
        """The same without positions that are off by much; none is believed where fewer than two are left."""
        believed = self.believed.copy()
        while believed.sum() > 1:
            _, miss = Positions(self.yx_m, self.sigma_m, believed)._left(poses)
            # an exposure's own position pulls the common motion towards itself
            own = np.hypot(*miss.reshape(-1, 2).T) * np.where(believed, believed.sum() / (believed.sum() - 1), 0.0)
            worst = int(np.argmax(own))
            if own[worst] < _OFF * self.sigma_m:
                break
            believed[worst] = False
        if believed.sum() < 2:
            believed[:] = False
        return Positions(self.yx_m, self.sigma_m, believed)

    def remarks(self, matches: Sequence[Match | None]) -> list[str]:
        """What became of them, in words."""
        off = [k + 1 for k, m in enumerate(matches) if m is not None and not self.believed[k]]
        out = [f"positions of the plate count with {self.sigma_m * 1e6:.3g} µm"] if self.believed.any() else []
        if off:
            out.append(
                f"exposure {', '.join(map(str, off))}: the holes say otherwise than the position, which is not used"
            )
        return out

    def _left(self, poses: Sequence[Pose]) -> tuple[Floats, Floats]:
        """Projector (2 E, 2 E) on what no common motion explains, and this part of poses minus positions (2 E,), m."""
        shift = (np.array([p.shift_m for p in poses]) - self.yx_m).ravel()
        design = np.concatenate([np.hstack([turn_matrix(p.angle_rad), np.eye(2)]) for p in poses])
        used = np.repeat(self.believed, 2)
        known = design * used[:, None]
        free = np.diag(used.astype(float)) - known @ np.linalg.pinv(known, rcond=1e-6)
        return free, free @ shift


def positions_of(given: AnyArray | Sequence[tuple[float, float]] | None, count: int, plate: Plate) -> Positions | None:
    """Checked positions (E, 2) metres of that many exposures; None where none are given.

    Raises
    ------
    UsageError
        Not one finite pair for each exposure.
    """
    if given is None:
        return None
    yx = np.asarray(given, dtype=float)
    if yx.shape != (count, 2) or not np.isfinite(yx).all():
        raise UsageError(
            f"positions of shape {yx.shape} for {count} exposures",
            expected="one pair (along slow, along fast) in metres for each exposure",
        )
    return Positions(yx, TRUST * min(plate.pitch_m), np.ones(count, dtype=bool))


def numbered(
    positions: Positions, matches: Sequence[Match | None], poses: Sequence[Pose], plate: Plate, extent_m: float
) -> tuple[list[Match | None], list[int]]:
    """Give exposures that no fingerprint told the numbers of their holes these numbers by their position.

    Only those that lie as one whose numbers are known, not turned against it: then the shift alone tells.

    Parameters
    ----------
    matches : how each exposure comes to the common numbering, None for those to be numbered
    poses : of each exposure in its own numbering
    extent_m : of the points on the plate: a turn moves the outermost by this times the angle

    Returns
    -------
    the matches, and which of them are new
    """
    out, new = list(matches), []
    known = [k for k, m in enumerate(matches) if m is not None and np.array_equal(m.matrix, np.eye(2))]
    for k, match in enumerate(matches):
        if match is not None or not known:
            continue
        near = min(known, key=lambda j: abs(poses[k].angle_rad - poses[j].angle_rad))
        if abs(poses[k].angle_rad - poses[near].angle_rad) * extent_m > _WHOLE * min(plate.pitch_m) / 2:
            continue
        reference = matches[near]
        assert reference is not None
        moved = np.subtract(poses[k].shift_m, poses[near].shift_m) - (positions.yx_m[k] - positions.yx_m[near])
        steps = moved @ turn_matrix(poses[k].angle_rad) @ np.linalg.inv(plate.basis) + reference.offset
        whole = np.rint(steps).astype(np.int64)
        if np.abs(steps - whole).max() < _WHOLE:
            out[k] = Match(np.eye(2, dtype=np.int64), whole, np.eye(2), 0.0, 0.0, 0)
            new.append(k)
    return out, new
