"""What a calibration by powder rings has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..base.arrays import Bools, Floats, in_a_line
from ..base.progress import Progress
from ..base.robust import rms
from ..records.distortion import Distortion
from .points import RingPoints

Two = tuple[float, float]
Three = tuple[float, float, float]


@dataclass(frozen=True)
class ModuleMotion:
    """How one module is off its place.

    Attributes
    ----------
    shift, shift_sigma : (slow, fast) px
    turn : rad, and its uncertainty
    depth, depth_sigma : m, and tilts (slopes along slow and fast, rad); zero where they were not looked for
    """

    shift: Two
    shift_sigma: Two
    turn: Two
    depth: Three = (0.0, 0.0, 0.0)
    depth_sigma: Three = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class RingCalibration:
    """A detector as powder rings show it; one entry per image where there is a tuple.

    Attributes
    ----------
    distortion : displacement of every pixel, and its depth where modules may have one
    images : points of the rings
    geometries : dist, poni1, poni2, rot1, rot2, rot3 that go with the distortion
    used : (N,) points that count
    before_px, after_px : (N,) how far points are off their rings, with the best geometry of perfect pixels, and now
    held_out_px : rms error of points in parts of the rings that were left out
    scatter_px : that the points turned out to have
    modules : motion of each module, empty for a smooth field
    scale, aspect : relative change of the size of pixels, and of slow against fast; with uncertainty, None: not known
    undetermined : what the rings do not tell, in words
    """

    distortion: Distortion
    images: tuple[RingPoints, ...]
    geometries: tuple[Mapping[str, float], ...]
    used: tuple[Bools, ...]
    before_px: tuple[Floats, ...]
    after_px: tuple[Floats, ...]
    held_out_px: float
    scatter_px: tuple[float, ...]
    modules: tuple[ModuleMotion, ...]
    scale: Two | None
    aspect: Two | None
    undetermined: tuple[str, ...]

    __repr__ = in_a_line

    @property
    def residual_px(self) -> tuple[float, float]:
        """Rms of the points that count, along the radius, before and now, px."""
        columns = [np.concatenate([o[u] for o, u in zip(one, self.used, strict=True)]) for one in
                   (self.before_px, self.after_px)]  # fmt: skip
        return rms(columns[0]), rms(columns[1])

    def summary(self) -> dict[str, Any]:
        """Figures for a machine."""
        before, now = self.residual_px
        return {
            "points": sum(len(p) for p in self.images),
            "points_used": int(sum(u.sum() for u in self.used)),
            "residual_px": {"before": before, "after": now},
            "held_out_px": self.held_out_px,
            "scatter_px": list(self.scatter_px),
            "geometries": [{"name": p.name, **g} for p, g in zip(self.images, self.geometries, strict=True)],
            "scale": self.scale,
            "aspect": self.aspect,
            "modules": [vars(m) for m in self.modules],
            "undetermined": list(self.undetermined),
            "masked_share": float(np.mean(self.distortion.mask)) if self.distortion.mask is not None else 0.0,
        }

    def report(self) -> str:
        """Figures for a person."""
        before, now = self.residual_px
        count, used = sum(len(p) for p in self.images), int(sum(u.sum() for u in self.used))
        out = [
            f"points of rings     {count} in {len(self.images)} image(s), {count - used} rejected as outliers",
            f"off the rings       {before:.4f} -> {now:.4f} px rms (perfect pixels -> now)",
            f"prediction error    {self.held_out_px:.4f} px rms, in parts of the rings that were left out",
        ]
        for name, value in (("pixel size", self.scale), ("slow / fast", self.aspect)):
            if value is not None:
                out.append(f"{name:19} {1e6 * value[0]:+.1f} ± {1e6 * value[1]:.1f} ppm")
        for p, g in zip(self.images, self.geometries, strict=True):
            angles = ", ".join(f"{np.degrees(g[name]):.4f}" for name in ("rot1", "rot2"))
            poni = ", ".join(f"{1e3 * g[name]:.4f}" for name in ("poni1", "poni2"))
            out.append(f"{p.name:19} distance {1e3 * g['dist']:.4f} mm, PONI {poni} mm, tilts {angles} degrees")
        for k, m in enumerate(self.modules):
            row = f"module {k:<12d} shift {m.shift[0]:+.4f} ± {m.shift_sigma[0]:.4f}, {m.shift[1]:+.4f} ±"
            row += f" {m.shift_sigma[1]:.4f} px, turn {1e3 * m.turn[0]:+.4f} ± {1e3 * m.turn[1]:.4f} mrad"
            if any(m.depth_sigma):
                row += f", depth {1e6 * m.depth[0]:+.1f} ± {1e6 * m.depth_sigma[0]:.1f} µm"
            out.append(row)
        return "\n".join([*out, *(f"not determined      {one}" for one in self.undetermined)])

    def save(self, path: str | PathLike[str], *, name: str = "calibrated", progress: Progress | None = None) -> Path:
        """Write the detector to HDF5, and beside it the PONI file of each image that goes with it."""
        from ..io.kinds.pointers import Experiment, save_pointer
        from ..io.nexus.result import save_result

        out = save_result(self.distortion, path, name=name, report=self.report(), progress=progress)
        for points, geometry in zip(self.images, self.geometries, strict=True):
            told = Experiment({**geometry, "wavelength": points.wavelength})
            save_pointer(poni_beside(out, points.name), out.absolute(), told)
        return out


def poni_beside(output: Path, image: str) -> Path:
    """The PONI file of an image that goes with a detector file."""
    return output.with_name(f"{output.stem}_{Path(image).stem}.poni")
