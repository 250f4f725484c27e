"""Five cameras with their plates, and the errors of a field in units of what its map says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from fieldtruth import Truth, observe

from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import fields

SHAPE = (300, 365)
#: Pixels (y0, y1, x0, x1) without points.
GAP = (90, 180, 150, 260)


@dataclass(frozen=True, eq=False)
class Case:
    """A camera and a plate; the noise is drawn anew for each seed."""

    field: Field
    plate: Plate
    angle_deg: float
    sigma: float
    plate_px: float = 0.0
    keep: float = 1.0
    gap: bool = False

    def seen(self, seed: int) -> Truth:
        truth = observe(
            self.field, plate=self.plate, shape=SHAPE, angle_deg=self.angle_deg, sigma=self.sigma, seed=seed,
            keep=self.keep,
        )  # fmt: skip
        points = truth.points
        if self.plate_px:
            off = np.random.default_rng(seed + 1000).normal(0, self.plate_px, points.yx.shape)
            points = replace(points, yx=points.yx + off)
        if self.gap:
            y, x = points.yx.T
            points = points.select(~((y > GAP[0]) & (y < GAP[1]) & (x > GAP[2]) & (x < GAP[3])))
        return replace(truth, points=points)


def _smooth(amplitude: float, length: float, seed: int) -> Field:
    return fields.smooth(SHAPE, amplitude, length, np.random.default_rng(seed))


CASES = {
    "much noise": Case(_smooth(5.0, 120.0, 11), Plate((0.95e-3, 1.03e-3)), 3.7, 0.1),
    "a gap": Case(_smooth(3.0, 150.0, 8), Plate((0.9e-3, 0.9e-3), 60.0), 17.0, 0.02, keep=0.95, gap=True),
    "a lens": Case(fields.radial(SHAPE, 0.08, 0.02, centre=(135.0, 200.0)), Plate((1.0e-3, 0.9e-3)), 31.0, 0.01),
    "few holes": Case(_smooth(4.0, 140.0, 5), Plate((1.5e-3, 1.4e-3)), -8.0, 0.01),
    "holes that are off": Case(_smooth(4.0, 160.0, 3), Plate((0.95e-3, 1.0e-3)), -22.0, 0.006, plate_px=0.05),
}


@dataclass(frozen=True, eq=False)
class Pulls:
    """Errors of the field in units of what the map says, and where they are."""

    yx: np.ndarray
    error: np.ndarray
    sigma: np.ndarray

    def within(self, limit: float, which: np.ndarray | None = None) -> float:
        z = np.abs(self.error / self.sigma)
        return float(np.mean((z if which is None else z[which]) < limit))

    @property
    def rim(self) -> np.ndarray:
        """Within 20 px of the outermost points."""
        low, high = self.yx.min(axis=0), self.yx.max(axis=0)
        return np.asarray(np.minimum(self.yx - low, high - self.yx).min(axis=1) < 20)

    @property
    def at_gap(self) -> np.ndarray:
        """In the gap or within 20 px of it."""
        y, x = self.yx.T
        return (y > GAP[0] - 20) & (y < GAP[1] + 20) & (x > GAP[2] - 20) & (x < GAP[3] + 20)


def pulls_of(truth: Truth, distortion: Distortion) -> Pulls:
    assert distortion.sigma is not None
    assert distortion.mask is not None
    yx = truth.grid(step=6)
    yx = yx[~distortion.mask[tuple(np.rint(yx).astype(int).T)]]
    return Pulls(yx, truth.errors(distortion, yx), distortion.sigma.at(yx))
