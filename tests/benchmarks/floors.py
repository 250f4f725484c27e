"""How far each stage is from what the machine could do at best: ``python floors.py``.

A script, not a test. The floor of a stage does not depend on how it is done: bytes that must be read and written once,
and the operations of one look at each spot, divided by what one core of this machine moves and multiplies when it does
nothing else; the slower of both. The field has none: how many solutions it takes is a matter of the method.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pyfai_gridcal import calibrate
from pyfai_gridcal.base.threads import one_blas_thread
from pyfai_gridcal.benchmark.scenes import scene_of

BEST_OF = 5
#: Word in what the progress says -> stage; everything else is about spots.
STAGES = {
    "looking": "look",
    "field": "field",
    "distortion": "field",
    "uncertainty": "field",
    "calibrated": "field",
    "detector": "detector",
}


def best(work: Callable[[], Any], times: int = BEST_OF) -> float:
    """Least processor seconds: the floors are those of one core."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def speed_of_memory() -> float:
    """Bytes read and written per second by a copy that fits no cache."""
    source, target = np.ones(1 << 24, np.float32), np.empty(1 << 24, np.float32)
    return 2 * source.nbytes / best(lambda: np.copyto(target, source))


def speed_of_sums() -> float:
    """Floating point operations per second of many products of small float32 matrices, as spots need them."""
    rows = np.random.default_rng(0).normal(size=(500, 5, 441)).astype(np.float32)
    with one_blas_thread():
        return 2 * rows.size * 5 / best(lambda: np.matmul(rows, rows.transpose(0, 2, 1)))


def stages(image: Any, pitch_m: Any) -> tuple[dict[str, float], Any]:
    """Processor seconds of each stage of a calibration, and its spots."""
    marks: list[tuple[float, str]] = []
    calibration = calibrate(image, pitch=pitch_m, progress=lambda _, text: marks.append((time.process_time(), text)))
    marks.append((time.process_time(), "detector"))
    calibration.detector()
    marks.append((time.process_time(), "end"))
    out: dict[str, float] = {}
    for (begin, text), (end, _) in pairwise(marks):
        stage = next((stage for word, stage in STAGES.items() if word in text), "spots")
        out[stage] = out.get(stage, 0) + end - begin
    return out, calibration.spots[0]


def floors(image: Any, spots: Any, memory: float, sums: float) -> dict[str, tuple[float, float, float]]:
    """Bytes, operations and least seconds of each stage that has a floor, whatever the program does: the image is read
    once as it is and written once as float32; each spot is looked at once, a window of its hole and three pixels on
    each side, whose five rasters are multiplied with each other; corners are written once."""
    pixels = len(spots) * (2 * np.ceil(spots.hole_px / 2 + 3) + 1) ** 2
    work = {
        "look": (image.nbytes + 4.0 * image.size, 0.0),
        "spots": (4.0 * pixels, 2.0 * 25 * pixels),
        "detector": (48.0 * image.size, 0.0),
    }
    least = {stage: max(moved / memory, operations / sums) for stage, (moved, operations) in work.items()}
    least["detector"] = best(lambda: np.ones((*image.shape, 4, 3), np.float32))  # in pages that are new
    return {stage: (*work[stage], least[stage]) for stage in work}


def command(image: Any, pitch_m: float, folder: Path) -> list[tuple[str, float, float]]:
    """Parts of the whole command: name, seconds, floor."""
    import fabio

    path, result = folder / "grid.edf", folder / "detector.h5"
    fabio.edfimage.EdfImage(data=image).write(str(path))

    def spent(words: list[str]) -> float:
        before = sum(os.times()[2:4])
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return sum(os.times()[2:4]) - before

    def python(code: str) -> float:
        return min(spent(["-c", code]) for _ in range(3))

    words = ["calibrate", str(path), "--pitch", f"{1e6 * pitch_m}um", "-o", str(result)]
    whole = min(spent(["-m", "pyfai_gridcal", *words]) for _ in range(3))
    ours = python("import pyfai_gridcal.calibration, pyfai_gridcal.io.nexus.result, fabio")
    theirs = python("import numpy, scipy.ndimage, scipy.spatial, scipy.fft, h5py, fabio")
    opened = "from pyFAI.detectors import NexusDetector as N"
    theirs_too = python(f"{opened}; N({str(result)!r})") - python(opened)
    return [
        ("whole command", whole, float("nan")),
        ("imports", ours, theirs),
        ("pyFAI opens the file", theirs_too, float("nan")),
    ]


def main(name: str = "taper") -> None:
    """Measure and print."""
    scene = scene_of(name)
    drawn = scene.make()
    image = drawn.render(np.random.default_rng(scene.seed)).image
    memory, sums = speed_of_memory(), speed_of_sums()
    print(f"one core: {1e-9 * memory:.1f} GB/s of copies, {1e-9 * sums:.0f} Gflop/s of small products (float32)")
    pitch = float(np.mean(drawn.plate.pitch_m))
    calibrate(image, pitch=pitch)  # imports, and what is made once
    runs = [stages(image, pitch) for _ in range(BEST_OF)]
    least = floors(image, runs[0][1], memory, sums)
    print(f"{'stage':<12}{'s':>8}{'MB moved':>10}{'Mflop':>8}{'floor, s':>10}{'ratio':>7}")
    for stage in ("look", "spots", "field", "detector"):
        seconds = min(run[stage] for run, _ in runs)
        moved, operations, floor = least.get(stage, (np.nan,) * 3)
        print(
            f"{stage:<12}{seconds:8.3f}{1e-6 * moved:10.1f}{1e-6 * operations:8.0f}{floor:10.4f}{seconds / floor:7.1f}"
        )
    with tempfile.TemporaryDirectory() as folder:
        for part, seconds, floor in command(image, pitch, Path(folder)):
            print(f"{part:<40}{seconds:6.2f} s" + ("" if np.isnan(floor) else f", at best {floor:.2f} s"))


if __name__ == "__main__":
    main(*sys.argv[1:])
