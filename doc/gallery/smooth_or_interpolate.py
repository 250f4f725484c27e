"""Smooth or interpolate.

The same field seen by more and more holes, each measured with an error of 0.03 px. An interpolation passes through
every point, and its error stays near that of a single spot however many there are. A smoothing spline averages: its
error falls with the number of holes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.interpolate import griddata

from pyfai_gridcal.fitting.recipe import Sample
from pyfai_gridcal.fitting.spline.recipe import BSpline
from pyfai_gridcal.synthetic import fields


def main(folder: Path) -> None:
    shape, sigma = (1000, 1000), 0.03
    rng = np.random.default_rng(0)
    field = fields.smooth(shape, 8.0, 700.0, rng)
    test = rng.uniform(60, 940, (4000, 2))

    counts, smooth, through = (10, 16, 25, 40, 63), [], []
    for n in counts:
        at = np.linspace(0, 999, n)
        yx = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1).reshape(-1, 2)
        d = field.at(yx) + rng.normal(0, sigma, yx.shape)
        sample = Sample(yx, d, np.full(d.shape, sigma), shape, at[1] - at[0], np.ones(len(yx), bool))
        smooth.append(_rms(BSpline().fit(sample).field.at(test) - field.at(test)))
        through.append(_rms(griddata(yx, d, test, method="cubic") - field.at(test)))

    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    ax = figure.subplots()
    spots = np.square(counts)
    ax.loglog(spots, through, "s--", color="0.5", label="interpolation (griddata, cubic)")
    ax.loglog(spots, smooth, "o-", label="smoothing spline, smoothness by the data")
    ax.axhline(sigma, color="k", lw=0.8, ls=":")
    ax.annotate("error of one spot", (spots[0], sigma), (0, 4), textcoords="offset points", fontsize="small")
    ax.set(xlabel="number of holes", ylabel="error of the field, px rms per axis")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    figure.savefig(folder / "smooth_or_interpolate.png", dpi=90)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(values**2)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
