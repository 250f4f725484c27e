"""Where it breaks, and does it notice?

One small scene and sixteen faults, one at a time, stronger and stronger: blocked holes, dirt, blur, little light, a
strong field, errors of the plate. The plot shows the error of the field between the holes; the colour is the verdict.
Nothing above a tenth of a pixel (dotted) may be green.

Blocked holes, a beam stop, uneven light, a turned plate, a strong field and jumps between tiles do little harm as long
as there are holes left. Noise, blur, dirt, saturation and errors of the plate raise the error slowly, and the verdict
changes before the limit. If every third hole merges with its neighbour, or a second exposure is nearly half as strong
as the first, the lattice itself is in doubt, and the verdict says so.

Names after the folder choose some of the faults: all take a few minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from pyfai_gridcal import Distortion, calibrate
from pyfai_gridcal.base.errors import GridcalError
from pyfai_gridcal.records.field import Field, TiledField
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Camera, Faults, Light, Scene, field_error, fields, imperfect, place

SHAPE, PIXEL = (330, 370), (51e-6, 52e-6)
PLATE = Plate(1.15e-3, hole_m=0.4e-3)
COLOURS = {"good": "C2", "doubtful": "C1", "failed": "C3"}
LIMIT = 0.1

Edit = Callable[[np.ndarray], np.ndarray]
Make = Callable[[float], tuple[Scene, Edit | None]]


def scene_of(field: Field, angle_deg: float = 2.3) -> Scene:
    truth = Distortion(field, SHAPE, PIXEL)
    return Scene(truth, PLATE, place(truth, PLATE, angle_deg=angle_deg), faults=Faults(seed=4))


SMOOTH = fields.smooth(SHAPE, 2.0, 400.0, np.random.default_rng(0))
BASE = scene_of(SMOOTH)


def fault(name: str, kind: Callable[[float], float] = float) -> Make:
    """One of the faults that scenes know."""
    return lambda v: (replace(BASE, faults=replace(BASE.faults, **{name: kind(v)})), None)


def beam_stop(radius: float) -> tuple[Scene, None]:
    stop = (150.0, 190.0, radius) if radius else None
    return replace(BASE, faults=replace(BASE.faults, beam_stop=stop)), None


def barrel(strength: float) -> tuple[Scene, None]:
    return scene_of(fields.radial(SHAPE, -strength, centre=(158.0, 193.0))), None


def jump(size: float) -> tuple[Scene, None]:
    """Two tiles; the right one is moved."""
    labels = np.broadcast_to(np.arange(SHAPE[1]) > 200, SHAPE).astype(int)
    moved = fields.SumField((SMOOTH, fields.linear(SHAPE, shift=(size, -0.6 * size))))
    return scene_of(TiledField(labels, (SMOOTH, moved))), None


def twice(share: float) -> tuple[Scene, Edit | None]:
    def edit(image: np.ndarray) -> np.ndarray:
        return image + share * ndimage.shift(image.astype(float), (9.3, 6.1), order=1, mode="nearest")

    return BASE, edit if share else None


FAULTS: dict[str, tuple[tuple[float, ...], Make]] = {
    "holes blocked, share": ((0, 0.1, 0.3, 0.5, 0.7), fault("missing")),
    "holes merged, share": ((0, 0.05, 0.15, 0.3, 0.6), fault("merged")),
    "spots of dirt": ((0, 50, 150, 400, 1000), fault("dirt", int)),
    "zingers": ((0, 1000, 5000, 20000, 60000), fault("zingers", int)),
    "hot columns": ((0, 5, 20, 60, 150), fault("hot_columns", int)),
    "scatter of hole sizes": ((0, 0.05, 0.1, 0.2, 0.35), fault("size_spread")),
    "beam stop, radius px": ((0, 25, 50, 90, 140), beam_stop),
    "blur, sigma px": ((0.6, 2, 4, 6, 8), lambda v: (replace(BASE, camera=Camera(blur=v)), None)),
    "light of a hole, counts": ((10000, 100, 30, 12, 5), lambda v: (replace(BASE, light=Light(v, 0.2 * v)), None)),
    "light lost in the corner": (
        (0, 0.5, 0.9, 0.97, 1.1),
        lambda v: (replace(BASE, light=Light(vignetting=v, uneven=0.1)), None),
    ),
    "saturation, counts": (
        (65000, 9000, 5000, 2500, 1600),
        lambda v: (replace(BASE, camera=Camera(saturation=v)), None),
    ),
    "turn of the plate, degrees": ((0, 15, 30, 45, 80), lambda v: (scene_of(SMOOTH, v), None)),
    "barrel, r³ at the side": ((0, -0.1, -0.2, -0.28, -0.33), barrel),
    "jump between tiles, px": ((0, 0.1, 0.3, 1, 4), jump),
    "error of the plate, px": ((0, 0.1, 0.3, 1, 3), lambda v: (replace(BASE, plate=imperfect(PLATE, v * 51e-6)), None)),
    "exposed twice, share": ((0, 0.05, 0.15, 0.4, 1), twice),
}


@dataclass(frozen=True)
class Outcome:
    """Error of the field (px, NaN when there is none), verdict and its first reason."""

    strength: float
    error: float
    level: str
    reason: str

    @property
    def deceived(self) -> bool:
        """Whether it is wrong without knowing."""
        return self.level == "good" and not self.error < LIMIT


def outcome(strength: float, make: Make) -> Outcome:
    scene, edit = make(strength)
    picture = scene.render(np.random.default_rng(8))
    image = picture.image if edit is None else edit(picture.image)
    try:
        found = calibrate(image, pitch=PLATE.pitch_m)
    except GridcalError as error:
        return Outcome(strength, float("nan"), "failed", str(error))
    score = field_error(found.distortion, picture.distortion, spots=picture.truth)
    return Outcome(strength, score.rms_px, found.verdict.level, "; ".join(found.verdict.reasons[:1]))


def table(results: dict[str, list[Outcome]]) -> str:
    """Markdown: for each fault how far it is good, what the error is there, and what comes next."""
    lines = ["| fault | good up to | error there, px | then | because |", "|---|---|---|---|---|"]
    for name, row in results.items():
        good = [o for o in row if o.level == "good"]
        last = f"{good[-1].strength:g} | {good[-1].error:.3f}" if good else "| "
        after = next((o for o in row if o.level != "good"), None)
        then = " | " if after is None else f"{after.level} at {after.strength:g} | {after.reason.split(':')[0]}"
        lines.append(f"| {name} | {last} | {then} |")
    deceived = [f"{name} at {o.strength:g}" for name, row in results.items() for o in row if o.deceived]
    count = sum(map(len, results.values()))
    lines += ["", f"Of {count} images good, but off by more than {LIMIT} px: {', '.join(deceived) or 'none'}."]
    return "\n".join(lines) + "\n"


def draw(results: dict[str, list[Outcome]]) -> Figure:
    columns = min(4, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(2.75 * columns, 2.25 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for ax, (name, row) in zip(axes.flat, results.items(), strict=False):
        ax.semilogy(range(len(row)), [o.error for o in row], "-", color="0.7", zorder=1)
        for k, o in enumerate(row):
            known = np.isfinite(o.error)
            ax.plot(k, min(o.error, 20.0) if known else 5.0, "o" if known else "X", color=COLOURS[o.level], zorder=2)
        ax.axhline(LIMIT, color="k", lw=0.6, ls=":")
        ax.set_xticks(range(len(row)), [f"{o.strength:g}" for o in row], fontsize=7)
        ax.set_title(name, fontsize=9)
        ax.set_ylim(1e-3, 30)
    figure.supylabel("error of the field, px rms")
    figure.suptitle("green: good, orange: doubtful, red: failed; a cross: refused without a field", fontsize=10)
    return figure


def main(folder: Path, names: Collection[str] = ()) -> None:
    """All faults, or those whose name contains one of `names`."""
    chosen = {n: f for n, f in FAULTS.items() if not names or any(part in n for part in names)}
    results = {n: [outcome(v, make) for v in strengths] for n, (strengths, make) in chosen.items()}
    draw(results).savefig(folder / "faults.png", dpi=90)
    (folder / "faults.md").write_text(table(results), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), sys.argv[2:])
