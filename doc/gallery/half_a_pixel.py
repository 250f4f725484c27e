"""What half a pixel costs.

Spots are measured where the centre of the first pixel is (0, 0); pixel corners are needed where its corner is (0, 0).
Without the half pixel between the two frames the whole field is shifted by half a pixel. The error is half the
gradient of the displacement: nothing in the middle of a taper, some hundredths of a pixel at its rim. Residuals do not
show it, because they are not made with the corners.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal.synthetic import fields


def main(folder: Path) -> None:
    shape = (2048, 2048)
    field = fields.taper(shape, np.random.default_rng(1))
    y, x = (np.linspace(0, n - 1, 200) for n in shape)

    right = field.on_grid(y, x)
    wrong = field.on_grid(y + 0.5, x + 0.5)  # sampled at the same numbers in the other frame
    error = np.hypot(*np.moveaxis(wrong - right, -1, 0))

    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    left, middle = figure.subplots(1, 2)
    size = np.hypot(*np.moveaxis(right, -1, 0))
    for ax, values, label in (
        (left, size, "displacement of a taper, px"),
        (middle, error, f"error from half a pixel, px (rms {np.sqrt(np.mean(error**2)):.3f})"),
    ):
        drawn = ax.imshow(values, origin="lower", extent=(0, shape[1], 0, shape[0]), cmap="viridis")
        figure.colorbar(drawn, ax=ax, label=label)
        ax.set(xlabel="fast (x), px", ylabel="slow (y), px")
    figure.savefig(folder / "half_a_pixel.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
