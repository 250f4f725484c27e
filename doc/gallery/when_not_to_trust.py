"""When not to trust it.

What no single image can know. A camera of 640 x 700 pixels of 51 x 49 µm with a smooth distortion looks at a plate
with a hole every 1.2 mm, each off by 2 µm. Something is wrong that the program is not told; the image is calibrated,
and the field is compared with the true one. Colour and arrows are the error after removing shift and rotation. The
table also gives it without a common scale, and the verdict.

[What each of them means, and what to do about it](../science/when-not-to-trust.md). Names after the folder choose some
of the parts: plate, tilt, told, steps, position. All take a minute or two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from pyfai_gridcal import Distortion, calibrate
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.records.plate import Plate
from pyfai_gridcal.synthetic import Camera, Scene, fields, hull_mask, imperfect, place

SHAPE, PIXEL, PITCH, HOLE = (640, 700), (51e-6, 49e-6), 1.2e-3, 0.4e-3
UNIT = float(np.mean(PIXEL))
SMOOTH = fields.smooth(SHAPE, 2.0, 400.0, np.random.default_rng(0))
TRUTH = Distortion(SMOOTH, SHAPE, PIXEL)
PLATE = Plate(PITCH, hole_m=HOLE)
PER_MILLE = 1e-3
#: How a plate is moved between exposures: turn (degrees) and shift (pitches).
MOVES = ((2.3, (0.3, 0.6)), (92.3, (0.4, -1.7)), (2.3, (4.8, -2.3)), (2.3, (-3.2, 5.4)), (-87.0, (2.2, 3.1)))

Edit = Callable[[np.ndarray], np.ndarray]


def drilled(plate: Plate) -> Plate:
    """The plate with holes that are off by 2 µm each, besides."""
    return imperfect(plate, 2e-6, seed=9, span=40)


def scene(plate: Plate = PLATE, field: Field = SMOOTH, move: int = 0) -> Scene:
    angle, offset = MOVES[move]
    return Scene(Distortion(field, SHAPE, PIXEL), drilled(plate), place(TRUTH, PLATE, angle_deg=angle, offset=offset))


def moved(plate: Plate, count: int = 5) -> list[Scene]:
    """The same plate in several places."""
    return [scene(plate, move=k) for k in range(count)]


@dataclass(frozen=True, eq=False)
class Case:
    """What came out: error (ny, nx, 2) of the field, px, NaN where nothing is known; after the best motion, and after
    the best motion and scale; and the verdict."""

    name: str
    error: np.ndarray
    unscaled: np.ndarray
    verdict: str
    found: Any

    @property
    def row(self) -> str:
        size, rest = (np.hypot(*np.moveaxis(e, -1, 0)) for e in (self.error, self.unscaled))
        rms = [f"{np.sqrt(np.nanmean(v**2)):.3f}" for v in (size, rest)]
        return f"| {self.name} | {rms[0]} | {np.nanmax(size):.2f} | {rms[1]} | {self.verdict} |"


def case(name: str, scenes: Scene | Sequence[Scene], *, edit: Edit | None = None, **told: Any) -> Case:
    """Take the pictures, calibrate them, compare with the truth."""
    several = [scenes] if isinstance(scenes, Scene) else list(scenes)
    pictures = [s.render(np.random.default_rng(8 + k), bounds=False) for k, s in enumerate(several)]
    images = [p.image if edit is None else edit(p.mean) for p in pictures]
    found = calibrate(images if len(images) > 1 else images[0], **{"pitch": PITCH, "pixel": PIXEL, **told})
    axes = [np.arange(0, n, 5.0) for n in SHAPE]
    base = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    known = hull_mask(pictures[0].truth, SHAPE, step=5)
    if found.distortion.mask is not None:
        known &= ~found.distortion.mask[::5, ::5]
    # places as complex numbers: a turn and a scale are one factor
    places = [(base + d.field.on_grid(*axes)) * d.pixel_size / UNIT for d in (found.distortion, TRUTH)]
    got, true = ((p[..., 0] + 1j * p[..., 1])[known] for p in places)
    got, true = got - got.mean(), true - true.mean()
    factor = np.vdot(got, true) / np.vdot(got, got)
    errors = []
    for one in (factor / abs(factor), factor):
        error = np.full((*known.shape, 2), np.nan)
        left = one * got - true
        error[known] = np.stack([left.real, left.imag], axis=-1)
        errors.append(error)
    level, reasons = found.verdict.level, found.verdict.reasons
    said = f"{level}: {reasons[0]}" if reasons else level
    return Case(name, errors[0], errors[1], said, found)


def panel(ax: Axes, figure: Figure, one: Case, title: str | None = None) -> None:
    """Error as colour and arrows."""
    size = np.hypot(*np.moveaxis(one.error, -1, 0))
    shown = ax.imshow(size, origin="lower", extent=(0, SHAPE[1], 0, SHAPE[0]), cmap="viridis")
    figure.colorbar(shown, ax=ax, shrink=0.8)
    thin = one.error[5::12, 5::12]
    y, x = (5.0 * (5 + 12 * np.arange(n)) for n in thin.shape[:2])
    ax.quiver(x, y, thin[..., 1], thin[..., 0], color="w", angles="xy", width=0.006)
    rms = np.sqrt(np.nanmean(size**2))
    ax.set_title(f"{title or one.name}\n{rms:.2f} px rms, {one.verdict.partition(':')[0]}", fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])


def plate() -> tuple[list[Case], Figure]:
    """Regular errors of the plate."""
    rows = imperfect(PLATE, 10e-6, block=(1, 1000), seed=1)
    longer = Plate((PITCH * (1 + PER_MILLE), PITCH), hole_m=HOLE)
    sheared = Plate(PITCH, 90 + float(np.rad2deg(PER_MILLE)), hole_m=HOLE)
    kinds = {"rows off by 10 µm": rows, "pitch along i longer by 1 ‰": longer, "sheared by 1 mrad": sheared}
    cases = [case("nothing but 2 µm", scene())]
    cases += [case(name, scene(one)) for name, one in kinds.items()]
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    for ax, one in zip(figure.subplots(1, 3), cases[1:], strict=True):
        panel(ax, figure, one)
    figure.suptitle("errors of the plate that are taken for the detector's", fontsize=10)
    return cases + [case(f"{name}, 5 exposures", moved(one)) for name, one in kinds.items()], figure


def tilted(angle_deg: float, distance_m: float, about_deg: float = 0.0) -> Field:
    """The field with a plate that is tilted before a camera at a distance; `about_deg` turns the axis of the tilt away
    from x."""
    angle, about = np.deg2rad(angle_deg), np.deg2rad(about_deg)
    side = np.array([np.cos(about), np.sin(about)])  # (y, x), along which it goes into the depth
    per_px = np.tan(angle) * UNIT / distance_m
    perspective = fields.perspective(SHAPE, tuple(-side * per_px * np.array(SHAPE) / 2))
    shortened = fields.LinearField(fields.centre_of(SHAPE), (1 / np.cos(angle) - 1) * np.outer(side, side))
    return fields.SumField((SMOOTH, perspective, shortened))


def tilt() -> tuple[list[Case], Figure]:
    """A plate that is not parallel to the detector."""
    lens = case("2°, camera at 0.3 m", scene(field=tilted(2, 0.3)))
    far = case("2°, source at 20 m", scene(field=tilted(2, 20.0)))
    held = [scene(field=tilted(2, 0.3), move=k) for k in range(5)]
    turned = [scene(field=tilted(2, 0.3, about_deg=k * 72.0), move=0) for k in range(5)]
    turned = [replace(s, pose=scene(move=k).pose) for k, s in enumerate(turned)]
    cases = [
        lens,
        far,
        case("2° at 0.3 m, the plate turned in its tilted holder, 5 exposures", held),
        case("2° at 0.3 m, tilted to another side in each of 5 exposures", turned),
        case("the same, and told (--tilt 1.5deg --source 0.3m)", turned, tilt="1.5deg", source="0.3m"),
    ]
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    axes = figure.subplots(1, 3)
    panel(axes[0], figure, lens)
    panel(axes[1], figure, replace(lens, error=lens.unscaled), "the same without its scale")
    panel(axes[2], figure, far)
    figure.suptitle("a tilted plate: perspective, and what is shorter by the cosine", fontsize=10)
    return cases, figure


def told() -> tuple[list[Case], Figure]:
    """What is told wrongly, or not at all."""
    oblique = Plate(PITCH, 89.5, hole_m=HOLE)
    longer = Plate((1.03 * PITCH, PITCH), hole_m=HOLE)
    centred = Plate(PITCH / np.sqrt(2), hole_m=HOLE / 2)  # the same holes as a centred plate of this pitch
    cases = [
        case("pitch told 1 % too large", scene(), pitch=1.01 * PITCH),
        case("oblique by half a degree, not told", scene(oblique)),
        case("oblique by half a degree, told", scene(oblique), lattice="oblique", angle=89.5),
        case("3 % longer along one axis, not told", scene(longer)),
        case("3 % longer, not told, and a quarter turn", moved(longer, 2)),
        case("centred plate, pixel size not told", scene(centred), pixel=None),
        case("centred plate, pixel size told", scene(centred)),
    ]
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    axes = figure.subplots(1, 3)
    panel(axes[0], figure, cases[1])
    panel(axes[1], figure, cases[3])
    _two_lattices(axes[2], centred)
    figure.suptitle("what the program is not told becomes distortion", fontsize=10)
    return cases, figure


def _two_lattices(ax: Axes, plate: Plate) -> None:
    """A part of the picture with the cell that was meant and the cell that was found."""
    picture = scene(plate).render(np.random.default_rng(1), bounds=False)
    ax.imshow(picture.image[200:300, 200:300], cmap="gray")
    at = {tuple(ij): yx - 200 for ij, yx in zip(picture.truth.ij, picture.truth.yx, strict=True)}
    i, j = min(at, key=lambda ij: np.hypot(*(at[ij] - 50)))
    meant = ((i, j), (i + 1, j + 1), (i + 2, j), (i + 1, j - 1), (i, j))
    seen = ((i, j), (i, j - 1), (i - 1, j - 1), (i - 1, j), (i, j))
    for cell, style in ((meant, "C1-"), (seen, "C0--")):
        y, x = np.array([at[k] for k in cell]).T
        ax.plot(x, y, style, lw=2)
    ax.set(xticks=[], yticks=[])
    ax.set_title("a centred plate:\nsquare that was meant, and found (dashed)", fontsize=9)


def steps() -> tuple[list[Case], Figure]:
    """A plate that was made in fields of 9 x 9 holes, each put to its place anew."""
    sizes = (1, 2, 5, 10, 20, 60)
    plates = {(v, k): imperfect(PLATE, v * 1e-6, block=(9, 9), seed=k) for v in sizes for k in range(4)}
    found = {(v, k): case(f"fields of 9 x 9 holes off by {v} µm", scene(one)) for (v, k), one in plates.items()}
    several = case("fields of 9 x 9 holes off by 10 µm, 5 exposures", moved(plates[10, 1]))
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    axes = figure.subplots(1, 3)
    panel(axes[0], figure, found[2, 1], "fields off by 2 µm")
    panel(axes[1], figure, found[10, 1], "fields off by 10 µm")
    colours = {"good": "C2", "doubtful": "C1", "failed": "C3"}
    for (v, _), one in found.items():
        rms = np.sqrt(np.nanmean((one.error**2).sum(axis=-1)))
        axes[2].loglog(v, rms, "o", color=colours[one.verdict.partition(":")[0]])
    axes[2].set_xticks(sizes, map(str, sizes))
    axes[2].set_yticks(ticks := (0.03, 0.1, 0.3, 1), map(str, ticks))
    axes[2].minorticks_off()
    axes[2].set(xlabel="steps, µm rms", ylabel="error of the field, px rms")
    axes[2].set_title("four plates each\ngreen: good, orange: doubtful", fontsize=9)
    figure.suptitle("a plate made in steps", fontsize=10)
    return [*(found[v, 1] for v in sizes), several], figure


def trailed(share: float, length: float, *, growing: bool) -> Edit:
    """A camera that leaves a share of the charge behind: it trails along y by `length` px. Growing, it does so with the
    rows, up to that share."""

    def edit(mean: np.ndarray) -> np.ndarray:
        light = mean.astype(float) - Camera().pedestal
        kernel = np.exp(-np.arange(int(6 * length)) / length)
        rows = len(light)
        behind = sum(k * np.pad(light, ((n, 0), (0, 0)))[:rows] for n, k in enumerate(kernel / kernel.sum()))
        left = share * (np.arange(rows)[:, None] / rows if growing else 1.0)
        noisy = np.random.default_rng(5).poisson((1 - left) * light + left * behind)
        return (noisy + Camera().pedestal).astype(np.uint16)

    return edit


def position() -> tuple[list[Case], Figure]:
    """What the position of a spot is when its picture is not symmetric."""
    cases, shifts = [], []
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    axes = figure.subplots(1, 3)
    for hole in (0.15e-3, 0.25e-3, 0.4e-3, 0.6e-3):
        one = scene(replace(PLATE, hole_m=hole))
        result = case(f"holes of {1e6 * hole:.0f} µm, 3 px behind", one, edit=trailed(0.3, 3.0, growing=False))
        far, near = cKDTree(one.holes().yx).query(result.found.fit.points[0].yx)
        offset = (result.found.fit.points[0].yx - one.holes().yx[near])[far < 5, 0]
        shifts.append((hole / UNIT, float(np.median(offset))))
        cases.append(replace(result, name=f"{result.name} 30 % of the light: spots moved by {shifts[-1][1]:.2f} px"))
    growing = case("the same growing with the rows, 400 µm", scene(), edit=trailed(0.3, 3.0, growing=True))
    t = np.arange(-8, 20, 0.05)
    disc = gaussian_filter1d((np.abs(t) < 4).astype(float), 1.2 / 0.05)
    tail = np.exp(-np.arange(0, 18, 0.05) / 3)
    profile = 0.7 * disc + 0.3 * np.convolve(disc, tail / tail.sum())[: len(t)]
    axes[0].plot(t, disc / disc.max(), "0.7", label="without")
    axes[0].plot(t, profile / profile.max(), "C0", label="with a tail")
    axes[0].axvline((profile * t).sum() / profile.sum(), color="C3", ls="--", label="centroid")
    axes[0].legend(fontsize=7)
    axes[0].set(xlabel="y - y of the hole, px")
    axes[0].set_title("a hole of 8 px", fontsize=9)
    axes[1].plot(*np.transpose(shifts), "o-", label="spot, as found")
    mean = 0.3 * float(np.average(np.arange(18), weights=np.exp(-np.arange(18) / 3.0)))
    axes[1].axhline(mean, color="C3", ls="--", label="centroid")
    axes[1].axhline(0, color="0.7", label="peak of a sharp line")
    axes[1].set(xlabel="diameter of the holes, px", ylabel="moved by, px", ylim=(-0.1, 1.5))
    axes[1].legend(fontsize=7, loc="upper right")
    axes[1].set_title("the same tail, holes of another size", fontsize=9)
    panel(axes[2], figure, growing, "a tail that grows with the rows")
    figure.suptitle("the position of a spot when its image has a tail", fontsize=10)
    return [*cases, growing], figure


PARTS: dict[str, Callable[[], tuple[list[Case], Figure]]] = {
    "plate": plate, "tilt": tilt, "told": told, "steps": steps, "position": position
}  # fmt: skip


def main(folder: Path, names: Collection[str] = ()) -> None:
    """All parts, or those named."""
    lines = [
        "| what is wrong | error, px rms | largest | without scale | what the verdict says |",
        "|---|---|---|---|---|",
    ]
    for number, (name, part) in enumerate(PARTS.items(), 1):
        if names and name not in names:
            continue
        cases, figure = part()
        figure.savefig(folder / f"when_not_to_trust_{number}_{name}.png", dpi=90)
        lines += [one.row for one in cases]
        print("\n".join(one.row for one in cases), flush=True)
    (folder / "when_not_to_trust.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), sys.argv[2:])
