"""How precisely holes are found, from little to much light.

The same plate with more and more light. The error of the spots (those not cut by the border) follows the photon-noise
limit over three decades. With very much light, thousandths of a pixel count, and the profile of the hole, learned from
some hundred holes, is the limit. The uncertainty of each spot includes it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from pyfai_gridcal import Distortion, find_spots
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Camera, Light, Scene, fields, place


def main(folder: Path) -> None:
    shape, pixel = (420, 460), (50e-6, 50e-6)
    truth = Distortion(fields.smooth(shape, 2.0, 400.0, np.random.default_rng(0)), shape, pixel)
    plate = Plate(1.2e-3, hole_m=0.5e-3)
    scene = Scene(truth, plate, place(truth, plate), camera=Camera(readout=3.0))

    peaks = np.geomspace(30, 30000, 7)
    error, bound, claimed = [], [], []
    for peak in peaks:
        picture = replace(scene, light=Light(peak, 0.2 * peak)).render(np.random.default_rng(1))
        spots = find_spots(picture.image)
        whole = picture.truth.select(picture.truth.whole)
        distance, near = cKDTree(spots.yx).query(whole.yx)
        seen = distance < 2
        error.append(_rms((spots.yx[near] - whole.yx)[seen]))
        claimed.append(_rms(spots.sigma_yx[near][seen]))
        bound.append(_rms(whole.sigma_yx))

    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    ax = figure.subplots()
    ax.loglog(peaks, error, "o", label="error of the spots, rms")
    ax.loglog(peaks, bound, "k-", lw=1, label="photon-noise limit")
    ax.loglog(peaks, claimed, "x", color="C3", label="uncertainty that the spots carry")
    ax.set(xlabel="light of a hole, counts per pixel", ylabel="px per axis")
    ax.grid(alpha=0.3)
    ax.legend()
    figure.savefig(folder / "light_and_accuracy.png", dpi=90)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
