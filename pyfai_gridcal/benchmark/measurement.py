"""Measurements of scenes and methods, one process after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..base.arrays import Floats
from ..base.errors import UsageError
from ..base.progress import Progress, untold
from .scenes import SCENES
from .worker import METHODS, Figures, prepare

#: What a method needs to be installed.
NEEDS = {"discorpy": "discorpy", "opencv": "cv2"}
#: Scenes of the scaling: side of the image at one pitch, and pitch in one image, px.
SCALING = (
    *(f"pixels-{side}" for side in (1024, 1448, 2048, 2896, 4096)),
    *(f"spots-{pitch}" for pitch in (96, 48, 24, 12)),
)


@dataclass(frozen=True)
class BenchmarkPlan:
    """What to measure.

    Attributes
    ----------
    scenes : names, see :data:`~pyfai_gridcal.benchmark.scenes.SCENES`
    methods : "gridcal", "tutorial", "discorpy", "opencv"
    scaling : also the growth with pixels and with spots, from 1 to 16 megapixels
    repeat : runs of each, of which the quickest counts
    patience : seconds after which a method is given up
    """

    scenes: tuple[str, ...] = ("taper", "dark", "fine")
    methods: tuple[str, ...] = ("gridcal", "tutorial", "discorpy", "opencv")
    scaling: bool = False
    repeat: int = 3
    patience: float = 600.0

    def __post_init__(self) -> None:
        for names, known, what in ((self.scenes, SCENES, "scene"), (self.methods, METHODS, "method")):
            for name in names:
                if name not in known:
                    raise UsageError(f"{what} {name!r}", expected=", ".join(known))


@dataclass(frozen=True)
class Measurement:
    """One method on one scene.

    Attributes
    ----------
    scene, method : names
    figures : of the score, and ``failed`` with a reason where there is none
    runs : seconds, cpu, peak_mb and stages of each run
    """

    scene: str
    method: str
    figures: Figures
    runs: tuple[Figures, ...]

    @property
    def best(self) -> Figures | None:
        """The run that took the least processor time: what else goes on is not in it."""
        return min(self.runs, key=lambda one: one["cpu"]) if self.runs and "failed" not in self.figures else None

    @property
    def peak_mb(self) -> float:
        """Most memory of all runs, MB: later ones find what the first one has left behind."""
        return max((one["peak_mb"] for one in self.runs), default=0.0)

    def record(self) -> Figures:
        """All of it as plain data."""
        return {"scene": self.scene, "method": self.method, **self.figures, "runs": list(self.runs)}


def scaling(measurements: Sequence[Measurement], kind: str) -> tuple[list[Measurement], Floats, Floats]:
    """Those of the growth with "pixels" or "spots", their sizes (1e6 pixels, 1e3 spots), and processor time, s."""
    rows = [one for one in measurements if one.scene.startswith(f"{kind}-") and one.best]
    unit = 1e6 if kind == "pixels" else 1e3
    size = np.array([one.figures[kind] / unit for one in rows], float)
    return rows, size, np.array([one.best["cpu"] for one in rows if one.best], float)


def available(methods: Sequence[str]) -> tuple[str, ...]:
    """Those methods whose packages are installed."""
    return tuple(name for name in methods if name not in NEEDS or find_spec(NEEDS[name]) is not None)


def measure(scene: str, method: str, folder: Path, *, repeat: int = 3, patience: float = 600.0) -> Measurement:
    """Measure one method on one scene in a process of its own.

    Parameters
    ----------
    scene, method : names
    folder : where the image is kept
    repeat : runs
    patience : seconds for all of them
    """
    image = prepare(scene, folder)
    job, result = folder / "job.json", folder / "result.json"
    result.unlink(missing_ok=True)
    job.write_text(json.dumps({"scene": scene, "method": method, "image": str(image), "repeat": repeat}))
    start = f"import sys; from {__package__}.worker import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, str(job), str(result)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return Measurement(scene, method, {"failed": f"given up after {patience:g} s"}, ())
    if not result.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Measurement(scene, method, {"failed": f"ended with {done.returncode}: {last[:200]}"}, ())
    record = json.loads(result.read_text(encoding="utf-8"))
    runs = tuple(record.pop("runs"))
    figures = {name: value for name, value in record.items() if name not in ("scene", "method")}
    return Measurement(scene, method, figures, runs)


def run(plan: BenchmarkPlan, *, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """All measurements of a plan; methods that are not installed are left out."""
    say = progress or untold
    methods = available(plan.methods)
    todo = [(scene, method) for scene in plan.scenes for method in methods]
    if plan.scaling:
        todo += [(scene, "gridcal") for scene in SCALING]
    out = []
    with tempfile.TemporaryDirectory(prefix="gridcal-benchmark-") as folder:
        for number, (scene, method) in enumerate(todo):
            say(number / len(todo), f"{method} on {scene}")
            repeat = plan.repeat if method == "gridcal" else max(1, plan.repeat - 1)
            out.append(measure(scene, method, Path(folder), repeat=repeat, patience=plan.patience))
    say(1.0, "measured")
    return tuple(out)
