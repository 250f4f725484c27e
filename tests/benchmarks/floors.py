"""How far each stage is from what the machine could do at best: ``python floors.py``.

A script, not a test. The work of each stage is counted while it runs (bytes that the filters of the whole image have to
move, floating point operations of the sums over the pixels of spots, time within the factorisations of the field) and
divided by what one core of this machine moves and multiplies when it does nothing else; the slower of both is the
floor.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft, ndimage

from pyfai_gridcal import calibrate
from pyfai_gridcal.base.threads import one_blas_thread
from pyfai_gridcal.benchmark.scenes import scene_of
from pyfai_gridcal.finding import refinement
from pyfai_gridcal.fitting.spline import blockband

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
    """Least seconds by the clock."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
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


class Count:
    """Work done: bytes moved, operations, seconds within what cannot be avoided."""

    def __init__(self) -> None:
        self.bytes, self.operations, self.seconds = 0.0, 0.0, 0.0


@contextlib.contextmanager
def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Put something in the place of a function for a while."""
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def counted(count: Count) -> contextlib.ExitStack:
    """While this is open, the work is counted."""
    stack = contextlib.ExitStack()

    def box(original: Any) -> Any:  # two passes, each reads and writes the image
        def call(image: Any, *given: Any, **named: Any) -> Any:
            count.bytes += 4 * image.nbytes
            return original(image, *given, **named)

        return call

    def transform(original: Any) -> Any:  # 2.5 N log2 N operations of a real transform
        def call(values: Any, size: Any, *given: Any, **named: Any) -> Any:
            n = float(np.prod(size))
            count.operations += 2.5 * n * np.log2(n)
            count.bytes += 4 * 4 * n
            return original(values, size, *given, **named)

        return call

    def look(original: Any) -> Any:  # the Gram matrix of the rows of each spot; the pixels and three rasters are read
        def call(job: Any, state: Any, view: Any, *given: Any, **named: Any) -> Any:
            spots, rows, pixels = view.rows.shape
            count.operations += 2.0 * spots * pixels * rows**2
            count.bytes += 4 * 4 * spots * pixels
            return original(job, state, view, *given, **named)

        return call

    def timed(original: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(*given, **named)
            finally:
                count.seconds += time.perf_counter() - start

        return call

    for owner, name, make in (
        (ndimage, "uniform_filter", box),
        (fft, "rfft2", transform),
        (fft, "irfft2", transform),
        (refinement._Job, "look", look),
        (blockband.BlockBanded, "cholesky", timed),
        (blockband.BlockCholesky, "inverse", timed),
        (blockband.BlockCholesky, "solve", timed),
    ):
        stack.enter_context(replaced(owner, name, make))
    return stack


def stages(image: Any, pitch_m: Any, count: Count | None) -> dict[str, Any]:
    """Seconds, bytes, operations and seconds of factorisations of each stage of a calibration."""
    here = count or Count()
    texts: list[str] = []
    marks: list[tuple[float, float, float, float]] = []

    def tell(_: float, text: str) -> None:
        texts.append(text)
        marks.append((time.perf_counter(), here.bytes, here.operations, here.seconds))

    calibration = calibrate(image, pitch=pitch_m, progress=tell)
    tell(1.0, "detector")
    calibration.detector()
    tell(1.0, "end")
    out: dict[str, Any] = {}
    for text, done in zip(texts[:-1], np.diff(marks, axis=0), strict=True):
        stage = next((stage for word, stage in STAGES.items() if word in text), "spots")
        out[stage] = out.get(stage, 0) + done
    return out


def command(image: Any, pitch_m: float, folder: Path) -> list[tuple[str, float, float]]:
    """Parts of the whole command: name, seconds, floor."""
    import fabio

    path, result = folder / "grid.edf", folder / "detector.h5"
    fabio.edfimage.EdfImage(data=image).write(str(path))

    def python(code: str) -> float:
        return best(lambda: subprocess.run([sys.executable, "-c", code], check=True), 3)

    def run() -> None:
        words = ["calibrate", str(path), "--pitch", f"{1e6 * pitch_m}um", "-o", str(result)]
        subprocess.run([sys.executable, "-m", "pyfai_gridcal", *words], check=True, stdout=subprocess.DEVNULL)

    whole = best(run, 3)
    ours = python("import pyfai_gridcal.calibration, pyfai_gridcal.io.nexus.result, fabio")
    theirs = python("import numpy, scipy.ndimage, scipy.spatial, scipy.fft, h5py, fabio")
    back = f"import time; from pyFAI.detectors import NexusDetector as N; t = time.time(); N({str(result)!r})"
    told = subprocess.run(
        [sys.executable, "-c", f"{back}; print(time.time() - t)"], check=True, capture_output=True, text=True
    )
    return [
        ("whole command", whole, float("nan")),
        ("imports", ours, theirs),
        ("pyFAI opens the file", float(told.stdout), float("nan")),
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
    runs = [stages(image, pitch, None) for _ in range(BEST_OF)]
    count = Count()
    with counted(count):
        work = stages(image, pitch, count)
    print(f"{'stage':<12}{'s':>8}{'MB moved':>10}{'Mflop':>8}{'floor, s':>10}{'ratio':>7}")
    size = 48.0 * image.size  # bytes of the pixel corners, in pages that are new
    for stage in ("look", "spots", "field", "detector"):
        seconds = min(run[stage][0] for run in runs)
        _, moved, operations, factoring = work.get(stage, (0.0,) * 4)
        floor = max(moved / memory, operations / sums) + factoring
        if stage == "detector":
            moved, floor = size, best(lambda: np.ones((*image.shape, 4, 3), np.float32))
        print(
            f"{stage:<12}{seconds:8.3f}{1e-6 * moved:10.0f}{1e-6 * operations:8.0f}{floor:10.3f}{seconds / floor:7.1f}"
        )
    with tempfile.TemporaryDirectory() as folder:
        for part, seconds, floor in command(image, pitch, Path(folder)):
            print(f"{part:<40}{seconds:6.2f} s" + ("" if np.isnan(floor) else f", at best {floor:.2f} s"))


if __name__ == "__main__":
    main(*sys.argv[1:])
