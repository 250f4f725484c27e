"""In which dialect does a program, or another file, say the same thing? Half pixels, swapped axes, signs, units,
mirrors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.frames import edge_from_index, index_from_edge
from ..base.robust import rms

#: Programs that differ by less than this agree, px.
AGREED = 2e-3
#: A dialect explains a difference when it leaves this much of it, or less.
EXPLAINED = 0.1


@dataclass(frozen=True)
class Agreement:
    """How far two opinions about the same pixels are apart.

    Attributes
    ----------
    mean : (dy, dx) of the difference, theirs - ours, px
    rms, largest : of its length, px
    dialect : what explains it, in words; empty when they agree or nothing explains it
    left : rms of what the dialect leaves unexplained, px
    """

    mean: tuple[float, float]
    rms: float
    largest: float
    dialect: str = ""
    left: float = float("nan")

    @property
    def agreed(self) -> bool:
        """Whether the difference is below 0.002 px everywhere."""
        return self.largest <= AGREED


def agreement(ours: Floats, theirs: Floats, known: Bools | None = None) -> Agreement:
    """Compare two opinions about where pixels are, and look for the dialect that explains the difference.

    Parameters
    ----------
    ours, theirs : (ny, nx, 2) corrected positions (y, x) of the pixel centres, px, index frame
    known : (ny, nx), pixels to compare; all when omitted

    Notes
    -----
    Each known confusion is tried on our opinion; the one that leaves least, at most a tenth of the difference, is
    named.
    """
    finite = np.isfinite(ours).all(axis=-1) & np.isfinite(theirs).all(axis=-1)
    known = np.asarray(finite if known is None else finite & known)
    if not known.any():
        return Agreement((float("nan"), float("nan")), float("nan"), float("nan"))
    gap = (theirs - ours)[known]
    mean, length = gap.mean(axis=0), np.hypot(*gap.T)
    plain = Agreement((float(mean[0]), float(mean[1])), rms(length), float(length.max()))
    if plain.agreed:
        return plain
    best = min(_tried(ours, theirs, known, mean), key=lambda t: t[0], default=None)
    if best is None or best[0] > EXPLAINED * plain.rms:
        return plain
    return replace(plain, dialect=best[1], left=best[0])


def _tried(ours: Floats, theirs: Floats, known: Bools, mean: Floats) -> Iterator[tuple[float, str]]:
    """(rms left, dialect) of each confusion that can be tried."""
    ny, nx = known.shape
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    origin = np.stack(np.broadcast_arrays(y, x), axis=-1).astype(float)
    d = ours - origin

    def left(guess: Floats) -> float:
        gap = (theirs - guess)[known]
        gap = gap[np.isfinite(gap).all(axis=-1)]
        return rms(np.hypot(*gap.T)) if len(gap) else float("inf")

    half = np.abs(np.abs(mean) - 0.5) < 0.05
    if half.all():
        sign = "+" if mean[0] > 0 else "-"
        yield (
            left(ours + np.sign(mean) * 0.5),
            f"half-pixel dialect: all positions are {sign}0.5 px off, centres are taken for corners",
        )
    else:
        yield left(ours + mean) * 1.001, f"shifted as a whole by ({mean[0]:+.3f}, {mean[1]:+.3f}) px"
    for name, guess in _fields(d):
        if guess.shape == d.shape:
            yield left(origin + guess), name
    for shift in (-0.5, 0.5):
        slope = np.stack([np.gradient(d[..., k], axis=0) + np.gradient(d[..., k], axis=1) for k in (0, 1)], axis=-1)
        yield left(ours + shift * slope) * 1.01, f"the field is evaluated {shift:+.1f} px off, corners for centres"
    for factor, name in (
        (1e6, "µm for m"),
        (1e-6, "m for µm"),
        (1e3, "mm for m"),
        (1e-3, "m for mm"),
        (100.0, "1/100 px for px"),
        (0.01, "px for 1/100 px"),
    ):
        yield left(origin + factor * d), f"{name}: displacements are {factor:g} times too large"
        yield left(_edge_scaled(ours, factor)), f"{name}: positions are {factor:g} times too large"
    flat = (d**2)[known].mean()
    if flat > 1e-6:
        yield left(origin) * 1.001, "no distortion at all is read"


def _edge_scaled(position: Floats, factor: float) -> Floats:
    return index_from_edge(factor * edge_from_index(position))


def _fields(d: Floats) -> Iterator[tuple[str, Floats]]:
    """What the displacement becomes by a confusion of axes or signs."""
    yield "the sign is turned round: observed - corrected", -d
    yield "dy and dx are exchanged", d[..., ::-1]
    yield "dy and dx are exchanged and the sign is turned round", -d[..., ::-1]
    yield "transposed: the maps are stored fast axis first", d.transpose(1, 0, 2)
    yield "transposed, with dy and dx exchanged", d.transpose(1, 0, 2)[..., ::-1]
    for flip, name in (((-1, 1), "slow axis"), ((1, -1), "fast axis"), ((-1, -1), "slow and the fast axis")):
        turned = d[:: flip[0], :: flip[1]]
        yield f"orientation: the {name} runs the other way", turned * flip
        yield f"the maps are mirrored along the {name}, without their signs", turned
