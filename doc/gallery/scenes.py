"""What may go wrong, drawn.

One camera, one plate, and nine things that can happen to them, each set by one or two parameters of a synthetic scene.
They can be combined. Red dots: holes that are whole; white crosses: holes that are cut. An image knows all of them, and
the photon-noise limit of each.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyfai_gridcal.synthetic import Camera, Faults, Light, Opaque, demo_scene, imperfect

BASE = replace(demo_scene((360, 400), pitch_px=27.0), faults=Faults())
STRIP = Opaque((130.0, 0.0), 20, along=(0, 9))
QUARTER = Opaque((240.0, 260.0), -15, across=(0, inf))

SCENES = {
    "half shadow of a frame": replace(BASE, light=Light(penumbra=(20, 60))),
    "a beam, 1:50 at the border": replace(BASE, light=Light(beam=(1.0, 0.02))),
    "opaque things": replace(BASE, faults=Faults(opaque=(STRIP, QUARTER))),
    "sharp in one place only": replace(BASE, camera=Camera(0.8, blur_corner=4.0, focus=(0.2, 0.3))),
    "holes that grow along the plate": replace(BASE, faults=Faults(size_trend=(0.0, 0.05))),
    "a plate made in steps (100 µm)": replace(BASE, plate=imperfect(BASE.plate, 100e-6, block=(4, 5))),
    "bleeding": replace(BASE, camera=Camera(saturation=5000, bleed=True)),
    "light beside a small plate": replace(BASE, light=Light(outside=10500.0), faults=Faults(extent=(-4, 3, -4, 4))),
    "smear and a ghost": replace(BASE, camera=Camera(smear=0.3, ghost=(0.2, 9.0, 4.0))),
}


def main(folder: Path) -> None:
    figure = Figure(figsize=(9.6, 9.0), layout="compressed")
    for ax, (name, scene) in zip(figure.subplots(3, 3).flat, SCENES.items(), strict=True):
        picture = scene.render(np.random.default_rng(0))
        ax.imshow(picture.image, vmin=0, vmax=11000, cmap="gray")
        whole, cut = (picture.truth.select(w).yx for w in (picture.truth.whole, ~picture.truth.whole))
        ax.plot(whole[:, 1], whole[:, 0], "r.", ms=2)
        ax.plot(cut[:, 1], cut[:, 0], "wx", ms=3, mew=0.7)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=9)
    figure.savefig(folder / "scenes.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
