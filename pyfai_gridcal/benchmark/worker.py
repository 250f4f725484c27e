"""One measurement in a process of its own: ``python -m pyfai_gridcal.benchmark.worker JOB.json RESULT.json``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..base.arrays import AnyArray, Floats
from ..records.distortion import Distortion
from ..records.points import ControlPoints
from ..synthetic import TruthSpots, field_error, match_spots
from .rivals import ForeignResult, best_scaled, discorpy_dots, opencv_circles
from .scenes import BenchScene, scene_of
from .stopwatch import Stopwatch

#: Figures of a measurement by name, as plain data.
Figures = dict[str, Any]
#: What a method found: points, distortion, and remarks.
Score = dict[str, Any]


def prepare(name: str, folder: Path) -> Path:
    """Draw a scene once for all methods: the image and what is in it, as a file."""
    path = folder / f"{name}.npz"
    if not path.exists():
        scene = scene_of(name)
        picture = scene.make().render(np.random.default_rng(scene.seed), bounds=not name.startswith("pixels"))
        truth = picture.truth
        np.savez(path, image=picture.image, yx=truth.yx, ij=truth.ij, sigma=truth.sigma_yx, whole=truth.whole)
    return path


def _ours(image: AnyArray, scene: BenchScene, truth: TruthSpots, watch: Stopwatch) -> Score:
    from ..calibration import calibrate

    del truth
    drawn = scene.make()
    found = calibrate(image, pitch=drawn.plate.pitch_m[0], progress=lambda fraction, text: watch(_plain(text)))
    watch("detector")
    detector = found.detector()
    watch.stop()
    assert detector.shape == image.shape
    return {"points": found.points[0], "distortion": found.distortion, "verdict": found.verdict.level}


def _plain(text: str) -> str:
    """What is being done, without the numbers."""
    return " ".join(word for word in text.split() if not word.isdigit())


def _tutorial(image: AnyArray, scene: BenchScene, truth: TruthSpots, watch: Stopwatch) -> Score:
    from ..io.nexus.detector import from_detector
    from .tutorial import HandSet, disk, tutorial

    drawn = scene.make()
    if drawn.light.polarity == "dark":  # a person would turn it round
        image = image.max() - image
    kernel = 2 * round((scene.hole_px - 1) / 2) + 1
    hand = HandSet(
        kernel,
        _threshold(image, disk(kernel), truth),
        0.72 * scene.pitch_px,
        1.13 * scene.pitch_px,
        (image.shape[0] / 2, image.shape[1] / 2),
        drawn.plate.pitch_m[0],
    )
    result = tutorial(image, hand, watch)
    watch.stop()
    note = f"matrix of distances: {result.matrix_bytes / 1e9:.2g} GB"
    return {
        "points": _points(result.yx, result.ij),
        "distortion": from_detector(result.detector),
        "note": note,
        "matrix_mb": result.matrix_bytes / 1e6,
    }


def _threshold(image: AnyArray, kernel: Floats, truth: TruthSpots) -> float:
    """Where a person would draw the line in the histogram: between spots and what lies amid four of them."""
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(image.astype(np.float32), max(1, int(0.8 * len(kernel))))
    at = np.clip(np.rint(truth.yx[truth.whole]).astype(int), 0, np.array(image.shape) - 1)
    order = {(int(i), int(j)): k for k, (i, j) in enumerate(truth.ij)}
    amid = [truth.yx[[k, order[i + 1, j + 1]]].mean(axis=0) for (i, j), k in order.items() if (i + 1, j + 1) in order]
    between = np.clip(np.rint(np.array(amid)).astype(int), 0, np.array(image.shape) - 1)
    high = np.percentile(smooth[at[:, 0], at[:, 1]], 1)
    low = np.percentile(smooth[between[:, 0], between[:, 1]], 99)
    return float((high + low) / 2)


def _points(yx: Floats, ij: AnyArray) -> ControlPoints:
    """Spots with indices, for the score."""
    rows = np.arange(len(yx))
    return ControlPoints(yx, np.full_like(yx, np.nan), ij, rows, np.zeros(len(yx), np.int64), np.eye(2))


def _discorpy(image: AnyArray, scene: BenchScene, truth: TruthSpots, watch: Stopwatch) -> Score:
    drawn = scene.make()
    result = discorpy_dots(image, drawn.light.polarity == "dark", drawn.distortion.pixel_size, watch)
    watch.stop()
    assert result.distortion is not None
    distortion = best_scaled(result.distortion, drawn.distortion)
    return {"points": result, "distortion": distortion, "note": result.note}


def _opencv(image: AnyArray, scene: BenchScene, truth: TruthSpots, watch: Stopwatch) -> Score:
    low, high = truth.ij[truth.whole].min(axis=0), truth.ij[truth.whole].max(axis=0)
    pattern = tuple(int(n) for n in high - low + 1)
    result = opencv_circles(image, scene.make().light.polarity == "dark", (pattern[0], pattern[1]), watch)
    watch.stop()
    return {"points": result, "distortion": None, "note": result.note}


METHODS: dict[str, Callable[[AnyArray, BenchScene, TruthSpots, Stopwatch], Score]] = {
    "gridcal": _ours,
    "tutorial": _tutorial,
    "discorpy": _discorpy,
    "opencv": _opencv,
}


def _scored(score: Score, scene: BenchScene, truth: TruthSpots) -> Figures:
    """Figures of a result beside the truth."""
    points, distortion = score["points"], score["distortion"]
    out: Figures = {"spots": len(points), "spots_true": len(truth), "whole_true": int(truth.whole.sum())}
    out |= {name: score[name] for name in ("note", "verdict", "matrix_mb") if name in score}
    if len(points):
        spots = match_spots(points, truth)
        if isinstance(points, ForeignResult):  # programs whose frame is shifted as a whole are not blamed for it
            shift = _shift(points.yx, truth.yx)
            out["shift_px"] = [float(v) for v in shift]
            spots = match_spots(cast("Any", replace(points, yx=points.yx - shift)), truth)
        out |= {"recall": spots.recall, "spot_rms_px": spots.rms_px, "over_crlb": spots.over_crlb}
        out |= {"precision": spots.precision, "over_sigma": spots.over_sigma}
        if hasattr(points, "ij"):
            out["wrong_index"] = spots.wrong_index
    if isinstance(distortion, Distortion):
        error = field_error(distortion, scene.make().distortion, spots=truth)
        out |= {"field_rms_px": error.rms_px, "field_p95_px": error.p95_px, "coverage": error.coverage}
    return out


def _shift(found: Floats, true: Floats) -> Floats:
    """By how much the found spots are off as a whole, px."""
    from scipy.spatial import cKDTree

    far, k = (np.asarray(v) for v in cKDTree(true).query(found))
    near = far < 1.5
    return np.asarray(np.median(found[near] - true[k[near]], axis=0)) if near.any() else np.zeros(2)


def _import_all(method: str) -> None:
    """What the method needs from disk, so that it counts as starting up and not as work."""
    from importlib import import_module

    names = {
        "gridcal": ("pyfai_gridcal.calibration", "pyfai_gridcal.io.nexus.detector", "pyFAI.detectors"),
        "tutorial": ("pyFAI.detectors", "pyFAI.ext.watershed", "pyFAI.ext.bilinear", "pyfai_gridcal.io.nexus.detector"),
        "discorpy": ("discorpy.prep.preprocessing", "discorpy.proc.processing"),
        "opencv": ("cv2",),
    }
    for name in ("scipy.signal", "scipy.interpolate", "scipy.optimize", "scipy.ndimage", *names[method]):
        import_module(name)


def main(argv: list[str]) -> int:
    """Measure what the job says, and write what came out."""
    job = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    scene = scene_of(job["scene"])
    with np.load(job["image"]) as file:
        image = file["image"]
        truth = TruthSpots(file["yx"], file["ij"], file["sigma"], file["whole"])
    method = METHODS[job["method"]]
    out: Figures = {"scene": job["scene"], "method": job["method"], "pixels": int(image.size), "runs": []}
    score: Score = {}
    try:
        clock = time.perf_counter()
        _import_all(job["method"])
        out["import_seconds"] = time.perf_counter() - clock
        for _ in range(job["repeat"]):
            watch = Stopwatch()
            clock, cpu = time.perf_counter(), time.process_time()
            score = method(image, scene, truth, watch)
            seconds, used = time.perf_counter() - clock, time.process_time() - cpu
            peak = max((one.peak_mb for one in watch.stages), default=0.0)
            stages = [asdict(one) for one in watch.stages]
            out["runs"].append({"seconds": seconds, "cpu": used, "peak_mb": peak, "stages": stages})
        out |= _scored(score, scene, truth)
    except Exception as error:  # of other programs, everything may come
        out["failed"] = f"{type(error).__name__}: {error}"[:300]
    Path(argv[1]).write_text(json.dumps(out), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
