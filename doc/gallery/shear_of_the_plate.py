"""The plate does not shear.

A camera whose distortion contains a shear and unequal scales is calibrated twice from perfect control points: with the
rigid plate, which may only turn and shift, and with the affine grid that fits best, as in tutorials. The affine grid
puts the shear of the detector into the plate: the residuals of both are equally small, but the second field is wrong by
pixels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal import ControlPoints, Distortion, fit_distortion
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Scene, field_error, fields, place
from pyfai_gridcal.synthetic.fields import SumField


def main(folder: Path) -> None:
    shape, pixel = (900, 1000), (50e-6, 50e-6)
    rng = np.random.default_rng(2)
    # 1 per mille of shear, and a smooth field
    field = SumField((fields.linear(shape, shear=1e-3), fields.smooth(shape, 3.0, 600.0, rng)))
    truth = Distortion(field, shape, pixel)
    plate = Plate(2e-3, hole_m=0.5e-3)
    holes = Scene(truth, plate, place(truth, plate)).holes()

    yx = holes.yx + rng.normal(0, 0.005, holes.yx.shape)
    n = len(yx)
    step = 2e-3 / 50e-6
    points = ControlPoints(
        yx, np.full((n, 2), 0.005), holes.ij, np.arange(n), np.zeros(n), np.array([[step, 0.0], [0.0, step]])
    )
    rigid = fit_distortion(points, plate=plate, shape=shape, pixel_size=pixel).distortion

    # the affine grid that fits best, in the place of the plate
    design = np.column_stack([holes.ij, np.ones(n)])
    affine, *_ = np.linalg.lstsq(design, yx, rcond=None)
    sheared = _with_nodes(points, design @ affine, shape, pixel)

    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    for ax, name, result in zip(
        figure.subplots(1, 2), ("rigid plate", "free affine grid"), (rigid, sheared), strict=True
    ):
        y, x = (np.linspace(10, m - 10, 150) for m in shape)
        difference = _without_motion(result.field.on_grid(y, x) - truth.field.on_grid(y, x), y, x)
        drawn = ax.imshow(
            np.hypot(*np.moveaxis(difference, -1, 0)), origin="lower", extent=(0, shape[1], 0, shape[0]), cmap="magma"
        )
        figure.colorbar(drawn, ax=ax, label="error of the field, px")
        rms = field_error(result, truth, spots=holes, step=8).rms_px
        ax.set(title=f"{name}: {rms:.3f} px rms", xlabel="fast (x), px", ylabel="slow (y), px")
    figure.savefig(folder / "shear_of_the_plate.png", dpi=90)


def _with_nodes(
    points: ControlPoints, nodes: np.ndarray, shape: tuple[int, int], pixel: tuple[float, float]
) -> Distortion:
    """Field through the displacements towards these nodes."""
    from pyfai_gridcal.fitting.recipe import Sample
    from pyfai_gridcal.fitting.spline.recipe import BSpline

    n = len(points)
    sample = Sample(points.yx, nodes - points.yx, points.sigma_yx, shape, points.pitch_px[0], np.ones(n, bool))
    return Distortion(BSpline().fit(sample).field, shape, pixel)


def _without_motion(difference: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A difference of two fields without the common shift and turn."""
    gy, gx = np.meshgrid(y - y.mean(), x - x.mean(), indexing="ij")
    d = difference - difference.mean(axis=(0, 1))
    turn = (d[..., 0] * gx - d[..., 1] * gy).sum() / (gx**2 + gy**2).sum()
    return d - turn * np.stack([gx, -gy], axis=-1)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
