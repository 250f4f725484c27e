"""Fit2D's ``.spline``: two bicubic tensor splines in a text of fixed 14-character columns.

frame
    Edge frame: the corner of the first pixel is (0, 0), so the file's region is 0 .. N and pixel centres lie at k +
    0.5.
order
    X is the fast axis, Y the slow one; knots of X, then of Y, then (nx - 4)(ny - 4) coefficients, X slowest.
unit, sign
    Displacements in px, ``ideal - measured`` as a function of the measured position (corrected - observed); pixel
    sizes and grid in µm.
inverse kind
    With one more line at the top, the functions go from the ideal grid to the distorted position, measured on the
    ideal grid: ``observed = corrected + g(corrected)``. pyFAI takes such a file for the ordinary kind, silently;
    ImageD11 refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ...base.arrays import AnyArray, Floats
from ...base.atomic import read_text, replacing
from ...base.errors import FileFormatError
from ...base.frames import edge_from_index, index_from_edge
from ...records.distortion import Distortion
from ...records.field import Field
from .options import MAX_SIDE
from .readout import FieldFrom
from .tensor import TensorSpline

__all__ = ["INVERSE_TITLE", "TITLE", "Fit2DField", "Fit2DSpline", "format_spline", "parse_spline", "read_spline"]

TITLE = "SPATIAL DISTORTION SPLINE INTERPOLATION COEFFICIENTS"
INVERSE_TITLE = "DISTORTION FUNCTION FROM IDEAL TO DISTORTED GRID, MEASURED ON IDEAL"

#: Characters of one number, numbers of one line (Fortran's 5E14.7).
WIDTH, PER_LINE = 14, 5
#: No detector needs more knots along one axis; a file that declares more is not read any further.
MAX_KNOTS = 2000
#: Of a text with all the coefficients that so many knots can have.
MAX_BYTES = 128 * 2**20


@dataclass(frozen=True, eq=False)
class Fit2DSpline:
    """What a ``.spline`` file says.

    Attributes
    ----------
    dx, dy : displacement along the fast and the slow axis, px
    region : (xmin, ymin, xmax, ymax), px, edge frame of the whole image, of which the functions know this part
    pixel_um : (x, y) pixel size, µm
    grid_um : pitch of the plate, µm (information only)
    inverse : the functions go from ideal to distorted, measured on the ideal grid
    """

    dx: TensorSpline
    dy: TensorSpline
    region: tuple[float, float, float, float]
    pixel_um: tuple[float, float]
    grid_um: float = 1000.0
    inverse: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) pixels."""
        xmin, ymin, xmax, ymax = self.region
        return round(ymax - ymin), round(xmax - xmin)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(slow, fast), metres."""
        return self.pixel_um[1] * 1e-6, self.pixel_um[0] * 1e-6

    def _knots(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Knot vectors along y of both functions, then those along x."""
        return (self.dx.knots_y, self.dy.knots_y), (self.dx.knots_x, self.dy.knots_x)

    @property
    def knots(self) -> int:
        """Number of inner knots of all four knot vectors: what a sparse spline has few of."""
        return sum(len(t) - 8 for s in (self.dx, self.dy) for t in (s.knots_x, s.knots_y))

    def distortion(self, shape: tuple[int, int] | None = None) -> Distortion:
        """The distortion that the file means; the inverse kind is inverted numerically (to 1e-6 px).

        Parameters
        ----------
        shape : of the whole image, (slow, fast) px, of which what is outside of the region is masked; the images show
            no more than the region when omitted
        """
        xmin, ymin, xmax, ymax = self.region
        whole = shape is not None and shape != self.shape and shape[0] >= round(ymax) and shape[1] >= round(xmax)
        out = shape if shape is not None and whole else self.shape
        field: Field = Fit2DField(self)
        if self.inverse:
            from .inverse import inverted

            low = [max(float(t[3]) for t in pair) for pair in self._knots()]
            high = [min(float(t[-4]) for t in pair) for pair in self._knots()]
            known = [tuple(float(v) for v in index_from_edge(np.array(ends))) for ends in (low, high)]
            size = out if whole else (round(ymax), round(xmax))
            field = inverted(field, size, known=(known[0], known[1]))  # type: ignore[arg-type]
        mask = None
        if whole:
            mask = np.ones(out, bool)
            mask[round(ymin) : round(ymax), round(xmin) : round(xmax)] = False
        elif (ymin, xmin) != (0, 0):
            field = FieldFrom(field, (ymin, xmin))
        return Distortion(field, out, self.pixel_size, mask, gauge="as in the Fit2D spline")


@dataclass(frozen=True, eq=False)
class Fit2DField:
    """The displacement field of a spline; px, index frame."""

    spline: Fit2DSpline

    def at(self, yx: AnyArray) -> Floats:
        y, x = (edge_from_index(c) for c in np.asarray(yx, float).reshape(-1, 2).T)
        return np.stack([self.spline.dy.at(x, y), self.spline.dx.at(x, y)], axis=-1)

    def on_grid(self, y: AnyArray, x: AnyArray) -> Floats:
        y, x = edge_from_index(np.asarray(y)), edge_from_index(np.asarray(x))
        return np.stack([self.spline.dy.on_grid(x, y), self.spline.dx.on_grid(x, y)], axis=-1)


# -- reading
def read_spline(path: str | PathLike[str]) -> Fit2DSpline:
    """Read a ``.spline`` file of either kind.

    Raises
    ------
    FileFormatError
        Not such a file, truncated, or with numbers that cannot be meant (NaN, descending knots, wrong counts, huge
        sizes).
    """
    return parse_spline(read_text(path, MAX_BYTES), name=str(path))


def parse_spline(text: str, *, name: str = "spline") -> Fit2DSpline:
    """Understand the text of a ``.spline`` file; see :func:`read_spline`."""
    lines = text.splitlines()
    filled = [k for k, line in enumerate(lines) if line.strip()]
    heads = [lines[k].strip().upper() for k in filled[:2]]
    inverse = bool(heads) and heads[0].startswith(INVERSE_TITLE[:40])
    if TITLE not in heads[: 1 + inverse]:
        raise FileFormatError(f"{name} does not begin as a Fit2D spline", expected=f'the line "{TITLE}"')
    sections = _Sections(lines, name)
    region = sections.numbers("VALID REGION", 4)
    grid, pixel_x, pixel_y = sections.numbers("GRID SPACING, X-PIXEL SIZE, Y-PIXEL SIZE", 3)
    spline = Fit2DSpline(
        dx=sections.function("X-DISTORTION"),
        dy=sections.function("Y-DISTORTION"),
        region=(region[0], region[1], region[2], region[3]),
        pixel_um=(pixel_x, pixel_y),
        grid_um=grid,
        inverse=inverse,
    )
    if not all(0 < n <= MAX_SIDE for n in spline.shape):
        raise FileFormatError(
            f"{name} declares a region of {spline.shape} pixels", expected=f"1 to {MAX_SIDE} along each axis"
        )
    if not all(1e-3 < p < 1e5 for p in spline.pixel_um):
        raise FileFormatError(
            f"{name} declares pixels of {pixel_x:g} x {pixel_y:g} µm", expected="a size between 0.001 and 100 000 µm"
        )
    return spline


@dataclass(frozen=True)
class _Sections:
    """The text of a spline file, and the numbers that follow its titles."""

    lines: list[str]
    name: str

    def _after(self, title: str) -> Iterator[str]:
        for k, line in enumerate(self.lines):
            if line.strip().upper() == title:
                return iter(self.lines[k + 1 :])
        raise FileFormatError(f'{self.name} has no section "{title}"', hint="the file is truncated or of another kind")

    def numbers(self, title: str, count: int) -> list[float]:
        return self._take(self._after(title), count, title)

    def function(self, title: str) -> TensorSpline:
        lines = self._after(title)
        head = next(lines, "")
        counts = re.fullmatch(r"\s*(\d{1,6})\s*(\d{1,6})\s*", head) or re.fullmatch(r"([\d ]{6})([\d ]{6})", head)
        try:
            nx, ny = (int(n) for n in counts.groups()) if counts else (0, 0)
        except ValueError:
            nx = ny = 0
        if not all(8 <= n <= MAX_KNOTS for n in (nx, ny)):
            raise FileFormatError(
                f"{self.name}: section {title} declares {head.strip()[:40]!r} knots",
                expected=f"two counts from 8 to {MAX_KNOTS}",
            )
        knots_x, knots_y = (np.array(self._take(lines, n, title)) for n in (nx, ny))
        size = (nx - 4) * (ny - 4)
        coefficients = np.array(self._take(lines, size, title, last=True)).reshape(nx - 4, ny - 4)
        for axis, knots in (("X", knots_x), ("Y", knots_y)):
            if (np.diff(knots) < 0).any() or not knots[3] < knots[-4] or (knots[4:] - knots[:-4] <= 0).any():
                raise FileFormatError(f"{self.name}: knots of {axis} in section {title} do not ascend")
            if np.abs(knots).max() > 4 * MAX_SIDE:
                raise FileFormatError(
                    f"{self.name}: knots of {axis} in section {title} reach {np.abs(knots).max():g} px"
                )
        if np.abs(coefficients).max() > MAX_SIDE:
            raise FileFormatError(
                f"{self.name}: coefficients in section {title} reach {np.abs(coefficients).max():g} px"
            )
        return TensorSpline(knots_x, knots_y, coefficients)

    def _take(self, lines: Iterator[str], count: int, title: str, *, last: bool = False) -> list[float]:
        """The next `count` numbers, line by line; a group of numbers begins on a new line and fills it."""
        found: list[float] = []
        while len(found) < count:
            line = next(lines, None)
            if line is None or not line.strip():
                raise FileFormatError(
                    f"{self.name}: section {title} ends after {len(found)} of {count} numbers",
                    hint="the file is truncated",
                )
            found.extend(self._numbers_of(line, title))
        if last:
            extra = next(lines, "")
            if extra.strip():
                raise FileFormatError(
                    f"{self.name}: section {title} has more than the {count} coefficients that its knots want"
                )
        if len(found) > count:
            raise FileFormatError(f"{self.name}: section {title} has {len(found)} numbers", expected=f"{count}")
        return found

    def _numbers_of(self, line: str, title: str) -> list[float]:
        line = line.rstrip()
        try:
            values = [_fortran_float(cell) for cell in line.split()]
        except ValueError:  # Fortran leaves no blank before a minus
            try:
                values = [_fortran_float(line[k : k + WIDTH]) for k in range(0, len(line), WIDTH)]
            except ValueError:
                raise FileFormatError(
                    f"{self.name}: section {title} holds {line.strip()[:50]!r}", expected="numbers"
                ) from None
        if not np.isfinite(values).all():
            raise FileFormatError(f"{self.name}: section {title} holds numbers that are not finite")
        return values


def _fortran_float(text: str) -> float:
    text = text.strip()
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd]?[+-]?\d{1,3})?|[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
        raise ValueError(text)
    text = text.replace("D", "E").replace("d", "e")
    mantissa = re.fullmatch(r"([+-]?[\d.]+)([+-]\d{3})", text)  # Fortran drops the E of three-digit exponents
    return float(f"{mantissa[1]}E{mantissa[2]}" if mantissa else text)


# -- writing
def format_spline(spline: Fit2DSpline) -> str:
    """The text of a ``.spline`` file, columns of exactly 14 characters, five numbers a line."""
    lines = [INVERSE_TITLE] if spline.inverse else []
    lines += [TITLE, "", "  VALID REGION", _columns(np.array(spline.region))[0], ""]
    lines += [
        "  GRID SPACING, X-PIXEL SIZE, Y-PIXEL SIZE",
        _columns(np.array([spline.grid_um, *spline.pixel_um]))[0],
        "",
    ]
    for title, function in (("  X-DISTORTION", spline.dx), ("  Y-DISTORTION", spline.dy)):
        lines += [title, f"{len(function.knots_x):6d}{len(function.knots_y):6d}"]
        for numbers in (function.knots_x, function.knots_y, function.coefficients.ravel()):
            lines += _columns(numbers)
        lines.append("")
    return "\n".join(lines) + "\n"


def _columns(numbers: Floats) -> list[str]:
    cells = [_cell(float(v)) for v in numbers]
    return ["".join(cells[k : k + PER_LINE]) for k in range(0, len(cells), PER_LINE)]


def _cell(value: float) -> str:
    """A number in 14 characters, as Fortran's E14.7 prints it: 0.ddddddd; what is too small for two digits of exponent
    is zero.
    """
    if not np.isfinite(value):
        raise ValueError(f"{value} in a spline")
    mantissa, exponent = f"{value:.6E}".split("E")
    power = int(exponent) + 1
    if power < -99 or value == 0:
        return " 0.0000000E+00"
    digits = mantissa.replace(".", "").lstrip("-")
    sign = "-" if value < 0 else " "
    return f"{sign}0.{digits}E{'-' if power < 0 else '+'}{abs(power):02d}"


def save_spline(path: str | PathLike[str], spline: Fit2DSpline) -> Path:
    """Write `spline`; the file appears complete under its name or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(format_spline(spline), encoding="ascii")
        parse_spline(temporary.read_text(encoding="ascii"), name=str(path))
    return Path(path)
