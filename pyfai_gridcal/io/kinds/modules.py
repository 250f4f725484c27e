"""A table of modules: for each its extent in the image, its shift and its turn. A text of tab-separated columns.

frame, order
    Index frame (the centre of the first pixel is 0), slow before fast. Extents are half-open: rows y0 .. y1 - 1,
    columns x0 .. x1 - 1.
unit, sign
    ``corrected = centre + shift + R (observed - centre)``, shifts in px, R = (cos a, -sin a; sin a, cos a) acting on
    (y, x) in metres (pixels need not be square), a in degrees: positive turns the fast axis towards the negative slow
    one.
loss
    Only rigid motions are kept; what else the field did within a module is stated as rms and largest deviation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.atomic import MAX_PIXELS, read_text, replacing
from ...base.errors import FileFormatError, FittingError
from ...base.geometry import turn_matrix
from ...records.distortion import Distortion
from ...records.field import TiledField, point_by_point
from .options import MAX_SIDE, believed_size

__all__ = [
    "HEADLINE",
    "Module",
    "ModuleTable",
    "format_modules",
    "modules_of",
    "parse_modules",
    "read_modules",
    "save_modules",
]

HEADLINE = "# pyFAI-gridcal module table 1"
COLUMNS = "id y0 y1 x0 x1 centre_y centre_x shift_y shift_x rotation_deg rms_px largest_px"
MAX_BYTES = 4 * 2**20  # of 4096 modules, a row of which takes some 150


@dataclass(frozen=True)
class Module:
    """One module.

    Attributes
    ----------
    extent : y0, y1, x0, x1, pixels, half-open
    centre : (y, x), px, index frame: the point that only the shift moves
    shift : (dy, dx), px, corrected - observed at the centre
    rotation : degrees
    aspect : slow over fast pixel size; the rotation is one of metres
    rms, largest : what a rigid motion does not describe, px; NaN when not known
    """

    extent: tuple[int, int, int, int]
    centre: tuple[float, float]
    shift: tuple[float, float]
    rotation: float
    rms: float = float("nan")
    largest: float = float("nan")
    aspect: float = 1.0

    def at(self, yx: AnyArray) -> Floats:
        """Displacement (N, 2) of points (N, 2): a module is a field."""
        offset = np.asarray(yx, float).reshape(-1, 2) - self.centre
        return offset @ self._excess().T + self.shift

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        """Displacement (len(y), len(x), 2) on the product of two axes."""
        return point_by_point(self, y, x)

    def _excess(self) -> Floats:
        """What a turn in metres adds to an offset in px."""
        return turn_matrix(-np.radians(self.rotation)) * [[1, 1 / self.aspect], [self.aspect, 1]] - np.eye(2)


@dataclass(frozen=True)
class ModuleTable:
    """All modules of a detector.

    Attributes
    ----------
    modules : without overlap; pixels in none of them are masked
    shape : (slow, fast) pixels
    pixel_size : (slow, fast), metres
    """

    modules: tuple[Module, ...]
    shape: tuple[int, int]
    pixel_size: tuple[float, float]

    def labels(self) -> AnyArray:
        """(ny, nx) number of the module of each pixel, -1 for none."""
        labels = np.full(self.shape, -1, np.int16)
        for k, module in enumerate(self.modules):
            y0, y1, x0, x1 = module.extent
            if (labels[y0:y1, x0:x1] >= 0).any():
                raise FileFormatError(f"module {k} overlaps another one", expected="extents without overlap")
            labels[y0:y1, x0:x1] = k
        return labels

    def distortion(self) -> Distortion:
        """The distortion that the table means."""
        labels = self.labels()
        gaps = labels < 0
        return Distortion(
            TiledField(labels, self.modules),
            self.shape,
            self.pixel_size,
            gaps if gaps.any() else None,
            gauge="as in the module table",
        )


def modules_of(distortion: Distortion, *, force: bool = False) -> ModuleTable:
    """The rigid motion of each module of a detector.

    Modules are the tiles of the field, else the rectangles that the mask leaves.

    Raises
    ------
    FittingError
        Modules are not rectangles, or mirrored, or there are more than 4096 of them; with `force`, their bounding boxes
        and the nearest motions are taken.
    """
    labels, count = _labels(distortion)
    if not force and np.median(distortion.jacobian_sign()) < 0:
        raise FittingError(
            "pixels are mirrored: a module table holds turns and shifts only",
            hint="--orientation 3 takes images as they are",
        )
    if count > 4096:
        raise FittingError(
            f"{count} modules", expected="at most 4096", hint="the mask seems to be full of single pixels"
        )
    dy, dx = distortion.displacement_maps()
    modules = []
    for k in range(count):
        inside = labels == k
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        extent = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        y0, y1, x0, x1 = extent
        filled = inside[y0:y1, x0:x1]
        if not force and filled.mean() < 0.98:
            raise FittingError(
                f"module {k} is no rectangle: it fills {100 * filled.mean():.0f} % of its extent",
                hint="a module table holds rectangles only; write maps or NeXus, or use --force",
            )
        yx = np.argwhere(filled) + (y0, x0)
        aspect = distortion.pixel_size[0] / distortion.pixel_size[1]
        modules.append(_rigid(extent, yx.astype(float), np.stack([dy[inside], dx[inside]], axis=-1), aspect))
    return ModuleTable(tuple(modules), distortion.shape, distortion.pixel_size)


def _labels(distortion: Distortion) -> tuple[AnyArray, int]:
    good = np.ones(distortion.shape, bool) if distortion.mask is None else ~np.asarray(distortion.mask)
    if not good.any():
        raise FittingError("all pixels are masked")
    if isinstance(distortion.field, TiledField):
        labels = np.where(good, distortion.field.labels, -1)
        known = [k for k in np.unique(labels) if k >= 0]
        return np.where(labels >= 0, np.searchsorted(known, np.maximum(labels, known[0])), -1), len(known)
    from scipy.ndimage import binary_opening, label

    solid = binary_opening(good, np.ones((3, 3), bool)) if good.sum() > 100 else good
    found, count = label(solid)
    return found - 1, int(count)


def _rigid(extent: tuple[int, int, int, int], yx: Floats, d: Floats, aspect: float) -> Module:
    """Least-squares rigid motion (Kabsch) of a module: d = shift + (R - 1)(yx - centre), R in metres."""
    y0, y1, x0, x1 = extent
    centre = (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2
    a = (yx - yx.mean(axis=0)) * (aspect, 1.0)
    b = a + (d - d.mean(axis=0)) * (aspect, 1.0)
    turn = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    plain = Module(extent, centre, (0.0, 0.0), float(np.degrees(turn)), aspect=aspect)
    left = d - plain.at(yx)
    shift = left.mean(axis=0)
    size = np.hypot(*(left - shift).T)
    rms, largest = float(np.sqrt(np.mean(size**2))), float(size.max())
    return Module(extent, centre, (float(shift[0]), float(shift[1])), plain.rotation, rms, largest, aspect)


# -- text
def format_modules(table: ModuleTable) -> str:
    """The text of a module table."""
    ny, nx = table.shape
    lines = [
        HEADLINE,
        f"# shape: {ny} {nx}",
        f"# pixel_size_m: {table.pixel_size[0]!r} {table.pixel_size[1]!r}",
        "# positions: pixel indices, the centre of the first pixel is 0; y is the slow axis, x the fast one",
        "# extents: rows y0 .. y1 - 1, columns x0 .. x1 - 1",
        "# corrected = centre + shift + R (observed - centre), shift in px, R acting on (y, x) in metres",
        "# R = (cos a, -sin a; sin a, cos a), a = rotation_deg",
        COLUMNS.replace(" ", "\t"),
    ]
    for k, m in enumerate(table.modules):
        numbers = [*m.centre, *m.shift, m.rotation, m.rms, m.largest]
        lines.append("\t".join([str(k), *(str(e) for e in m.extent), *(f"{v:.10g}" for v in numbers)]))
    return "\n".join(lines) + "\n"


def save_modules(path: str | PathLike[str], table: ModuleTable) -> Path:
    """Write a module table; the file appears complete under its name or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(format_modules(table), encoding="utf-8")
        parse_modules(temporary.read_text(encoding="utf-8"), name=str(path))
    return Path(path)


def read_modules(path: str | PathLike[str]) -> ModuleTable:
    """Read a module table."""
    return parse_modules(read_text(path, MAX_BYTES), name=str(path))


def parse_modules(text: str, *, name: str = "module table") -> ModuleTable:
    """Understand the text of a module table.

    Raises
    ------
    FileFormatError
        Another kind of file, or one with parts that cannot be meant.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# pyFAI-gridcal module table"):
        raise FileFormatError(f"{name} is no module table", expected=f'the line "{HEADLINE}"')
    shape = _header(lines, "shape", name)
    size = believed_size(_header(lines, "pixel_size_m", name), name)
    ny, nx = (int(v) for v in shape)
    if (ny, nx) != tuple(shape) or not all(0 < n <= MAX_SIDE for n in (ny, nx)) or ny * nx > MAX_PIXELS:
        raise FileFormatError(f"{name} declares a shape of {shape}")
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    if not rows or " ".join(rows[0].split()) != COLUMNS:
        raise FileFormatError(f"{name} has other columns", expected=COLUMNS)
    modules = tuple(_module(row, (ny, nx), size[0] / size[1], name) for row in rows[1:4098])
    if not 0 < len(modules) <= 4096:
        raise FileFormatError(f"{name} holds {len(modules)} modules", expected="1 to 4096")
    table = ModuleTable(modules, (ny, nx), size)
    table.labels()
    return table


def _header(lines: Sequence[str], key: str, name: str) -> tuple[float, float]:
    for line in lines:
        match = re.fullmatch(rf"#\s*{key}:\s*(\S+)\s+(\S+)\s*", line)
        if match:
            try:
                values = float(match[1]), float(match[2])
            except ValueError:
                break
            if np.isfinite(values).all():
                return values
    raise FileFormatError(f"{name} does not tell its {key}", expected=f'a line "# {key}: SLOW FAST"')


def _module(row: str, shape: tuple[int, int], aspect: float, name: str) -> Module:
    cells = row.split()
    try:
        extent = tuple(int(c) for c in cells[1:5])
        numbers = [float(c) for c in cells[5:]]
    except ValueError:
        extent, numbers = (), []
    if len(extent) != 4 or len(numbers) != 7 or not np.isfinite(numbers[:5]).all():
        raise FileFormatError(f"{name}: row {row[:60]!r}", expected="id, four whole numbers and seven numbers")
    y0, y1, x0, x1 = extent
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise FileFormatError(f"{name}: extent {extent} on a detector of {shape[0]} x {shape[1]} pixels")
    if max(map(abs, numbers[:4])) > MAX_SIDE or abs(numbers[4]) > 360:
        raise FileFormatError(f"{name}: row {row[:60]!r}", hint="shifts and turns of that size cannot be meant")
    cy, cx, sy, sx, turn, rms, largest = numbers
    return Module((y0, y1, x0, x1), (cy, cx), (sy, sx), turn, rms, largest, aspect)
