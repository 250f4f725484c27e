"""The whole way in one figure.

The image of a plate seen by a camera with a taper, the displacement that was found, and the image as pyFAI corrects it
with the detector file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal import calibrate
from pyfai_gridcal.judging.validation import validate
from pyfai_gridcal.report import plots
from pyfai_gridcal.report.pictures import displacement_with_arrows, grid
from pyfai_gridcal.synthetic import demo_scene


def main(folder: Path) -> None:
    scene = demo_scene((760, 800), pitch_px=38.3)
    picture = scene.render(np.random.default_rng(5), bounds=False)

    c = calibrate(picture.image, pitch=scene.plate.pitch_m)
    loop = validate(c)

    figure = Figure(figsize=(13.2, 4.3), layout="constrained")
    axes = figure.subplots(1, 3)
    plots.image(picture.image, ax=axes[0])
    grid(c.points[0], ax=axes[0], width=0.9)
    axes[0].set_title(f"{len(c.points[0])} holes, each known to {np.median(c.points[0].sigma_yx):.3f} px")
    displacement_with_arrows(c.distortion, ax=axes[1])
    axes[1].set_title("displacement of every pixel", loc="left")
    plots.image(loop.corrected.data, ax=axes[2], mask=loop.corrected.mask)
    grid(loop.points, ax=axes[2], width=0.9)
    axes[2].set_title(f"corrected: {loop.rms_px:.3f} px rms from straight")
    figure.savefig(folder / "overview.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
