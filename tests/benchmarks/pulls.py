"""Errors of spots over their claimed sigma, of whole ones and of those that a border or a gap cuts: `python pulls.py`.

Eight images of each kind, the plate in a turn of its own; 1 is right. A script, not a test; the tests hold looser
limits.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.spatial import cKDTree

from pyfai_gridcal.finding.detection import find_spots
from pyfai_gridcal.records.distortion import Distortion
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.spots import SpotFlag
from pyfai_gridcal.synthetic import Camera, Light, Scene, fields, place

SHAPE = (520, 610)
PIXEL_M = 50e-6
#: Rows without pixels.
GAP = (250, 256)

#: Pitch and hole in px, light, camera, field.
KINDS: dict[str, tuple[float, float, Light, Camera, Field]] = {
    "bright": (27.0, 9.0, Light(9000.0), Camera(blur=1.1), fields.smooth(SHAPE, 5.0, 200.0, np.random.default_rng(3))),
    "40 counts": (
        *(30.0, 10.0, Light(40.0, 12.0), Camera(blur=1.2, readout=1.0)),
        fields.smooth(SHAPE, 5.0, 200.0, np.random.default_rng(4)),
    ),
    "400 counts, dense": (11.0, 4.4, Light(400.0, 60.0), Camera(blur=0.9), fields.radial(SHAPE, -0.03)),
    "dark dots": (
        *(24.0, 9.0, Light(4000.0, 600.0, polarity="dark", vignetting=0.6), Camera(blur=1.1)),
        fields.radial(SHAPE, 0.05),
    ),
    "strong barrel": (30.0, 10.0, Light(9000.0), Camera(blur=1.2), fields.radial(SHAPE, 0.2, 0.05)),
}


def pulls(kind: str, seed: int) -> dict[str, np.ndarray]:
    """Errors over sigma of the spots of one image, (N, 2) for each sort of spot."""
    pitch, hole, light, camera, field = KINDS[kind]
    device = Distortion(field, SHAPE, (PIXEL_M, PIXEL_M))
    plate = Plate((pitch * PIXEL_M, pitch * PIXEL_M), hole_m=hole * PIXEL_M)
    scene = Scene(device, plate, place(device, plate, angle_deg=7.0 + 11.0 * seed), light, camera)
    picture = scene.render(np.random.default_rng(seed), bounds=False)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slice(*GAP)] = True
    spots = find_spots(np.where(mask, 0, picture.image), mask=mask)
    distance, near = cKDTree(picture.truth.yx).query(spots.yx)
    z = (spots.yx - picture.truth.yx[near]) / spots.sigma_yx
    found = distance < 0.25 * hole
    border, gap = ((spots.flags & flag) > 0 for flag in (SpotFlag.BORDER, SpotFlag.MASKED))
    sorts = {"whole": ~border & ~gap, "border": border, "gap": gap}
    return {name: z[found & which] for name, which in sorts.items()}


def main(images: int = 8) -> int:
    """Measure and print; 0 when all widths are within 0.1 of 1."""
    right = True
    print(f"{'':18s} " + "".join(f"{name:>24s}" for name in ("whole", "border", "gap")))
    for kind in KINDS:
        runs = [pulls(kind, seed) for seed in range(images)]
        words = []
        for name in ("whole", "border", "gap"):
            z = np.concatenate([r[name] for r in runs]).ravel()
            width = float(np.diff(np.quantile(z, [0.1587, 0.8413]))[0]) / 2
            words.append(f"{width:.2f}, rms {np.sqrt(np.mean(z**2)):.2f} ({z.size // 2})")
            right &= abs(width - 1) <= 0.1
        print(f"{kind:18s} " + "".join(f"{word:>24s}" for word in words), flush=True)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8))
