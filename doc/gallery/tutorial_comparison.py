"""The tutorial's procedure beside this package.

The procedure of pyFAI's tutorial on CCD calibration, in short: convolve with a disk, find the maxima by an inverse
watershed, refine them on the convolved image, fit an affine grid, interpolate the rest by `griddata`. Its numbers (size
of the disk, threshold) are set by hand for the image. `calibrate` takes the same image without any. Both fields are
compared with the truth between the holes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.interpolate import griddata
from scipy.signal import oaconvolve

from pyfai_gridcal import Distortion, calibrate
from pyfai_gridcal.records.field import SampledField
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.records.spots import Spots
from pyfai_gridcal.synthetic import Faults, Light, Scene, SyntheticImage, field_error, fields, match_spots, place


def taper_camera(shape: tuple[int, int] = (2048, 2048)) -> SyntheticImage:
    """A camera with a taper behind a plate with a hole every 5 mm."""
    pixel = (51.2e-6, 51.5e-6)
    truth = Distortion(fields.taper(shape, np.random.default_rng(3), strength=0.2), shape, pixel)
    plate = Plate(5e-3, hole_m=0.5e-3)
    scene = Scene(truth, plate, place(truth, plate, angle_deg=0.4), Light(5500, 2500), faults=Faults(zingers=60))
    return scene.render(np.random.default_rng(3))


def tutorial_spots(image: np.ndarray, diameter: int = 11, threshold: float = 4500.0) -> np.ndarray:
    """Maxima (N, 2) of the image convolved with a disk."""
    from pyFAI.ext.bilinear import Bilinear
    from pyFAI.ext.watershed import InverseWatershed

    half = diameter // 2
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    disk = (y * y + x * x <= (half + 0.5) ** 2).astype(float)
    smooth = oaconvolve(image.astype(float), disk / disk.sum(), mode="same").astype(np.float32)
    watershed = InverseWatershed(np.ascontiguousarray(smooth))
    watershed.init()
    watershed.merge_singleton()
    regions = [r for r in set(watershed.regions.values()) if r.size > disk.sum() and r.maxi > threshold]
    bilinear = Bilinear(smooth)
    return np.array([bilinear.local_maxi((r.index // image.shape[1], r.index % image.shape[1])) for r in regions])


def tutorial_field(yx: np.ndarray, shape: tuple[int, int], pitch_m: float, pitch_px: float) -> Distortion:
    """Affine grid and cubic interpolation of what is left, sampled at the corners as if these were centres."""
    middle = yx[np.argmin(np.hypot(*(yx - np.array(shape) / 2).T))]
    affine = np.array([[pitch_px, 0.0], [0.0, pitch_px]]), middle
    for share in (0.25, 0.5, 0.75, 1.0, 1.0):  # from the middle outwards
        ij = np.rint((yx - affine[1]) @ np.linalg.inv(affine[0]))
        near = np.hypot(*(yx - middle).T) <= share * np.hypot(*shape) / 2
        design = np.column_stack([ij, np.ones(len(ij))])
        solved, *_ = np.linalg.lstsq(design[near], yx[near], rcond=None)
        affine = solved[:2], solved[2]
    left = design @ solved - yx
    nodes = [np.linspace(0, n, n // 4 + 1) for n in shape]
    at = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    values = griddata(yx, left, at, method="cubic")
    outside = ~np.isfinite(values).all(axis=1)
    values[outside] = griddata(yx, left, at[outside], method="nearest")
    field = SampledField(nodes[0] - 0.5, nodes[1] - 0.5, values.reshape(len(nodes[0]), len(nodes[1]), 2))
    along_y, along_x = (float(np.hypot(*v)) for v in solved[:2])
    return Distortion(field, shape, (pitch_m / along_y, pitch_m / along_x))


def main(folder: Path) -> None:
    picture = taper_camera()
    truth, shape = picture.distortion, picture.image.shape

    start = time.perf_counter()
    yx = tutorial_spots(picture.image)
    field = tutorial_field(yx, shape, 5e-3, 98.0)
    seconds = [time.perf_counter() - start]
    start = time.perf_counter()
    c = calibrate(picture.image, pitch=5e-3)
    seconds.append(time.perf_counter() - start)

    scores = [match_spots(Spots.from_positions(yx), picture.truth), match_spots(c.points[0], picture.truth)]
    errors = [field_error(d, truth, spots=picture.truth, step=4) for d in (field, c.distortion)]
    rows = [
        ("spots", f"{len(yx)}", f"{len(c.points[0])}"),
        ("whole holes found", *(f"{100 * s.recall:.1f} %" for s in scores)),
        ("error of a spot over the photon-noise limit", *(f"{s.over_crlb:.2f}" for s in scores)),
        ("error of the field, rms", *(f"{e.rms_px:.3f} px" for e in errors)),
        ("its largest 5 %, from", *(f"{e.p95_px:.3f} px" for e in errors)),
        ("numbers set by hand", "3", "none"),
    ]
    lines = ["| | tutorial | this package |", "|---|---|---|"] + [f"| {a} | {b} | {c} |" for a, b, c in rows]
    (folder / "tutorial_comparison.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), f"\nseconds: {seconds[0]:.1f}, {seconds[1]:.1f}")
    draw(folder, c, picture, yx)


def draw(folder: Path, c, picture: SyntheticImage, yx: np.ndarray) -> None:
    """Error of every whole spot, along both axes."""
    from scipy.spatial import cKDTree

    whole = picture.truth.yx[picture.truth.whole]
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    for ax, name, found in zip(figure.subplots(1, 2), ("tutorial", "this package"), (yx, c.spots[0].yx), strict=True):
        distance, near = cKDTree(found).query(whole)
        error = (found[near] - whole)[distance < 2]
        ax.plot(error[:, 1], error[:, 0], ".", ms=3)
        rms = float(np.sqrt(np.mean(error**2)))
        ax.set(xlim=(-0.06, 0.06), ylim=(-0.06, 0.06), title=f"{name}: {rms:.4f} px rms per axis")
        ax.set(xlabel="error of a spot along fast (x), px", ylabel="along slow (y), px", aspect="equal")
        ax.grid(alpha=0.3)
    figure.savefig(folder / "tutorial_comparison.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
