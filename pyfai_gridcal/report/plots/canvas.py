"""What all pictures share: axes, frames, arrows, colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base import robust
from ...base.arrays import Floats
from ...base.frames import index_from_edge, raster_places
from ...records.distortion import Distortion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap

OUTLIER, USED, RING = "#d62728", "#2ca02c", "#e6008c"
#: Names and colours of both axes of the detector.
AXES = (("slow (y)", "C0"), ("fast (x)", "C1"))
#: Residuals are drawn up to this many times their robust rms, which normal errors exceed once in ten million.
CUT = 4.0


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (6.0, 5.0)) -> Axes:
    """`ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def colorbar(ax: Axes, drawn: ScalarMappable, label: str) -> None:
    ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.85)


def frame(ax: Axes, shape: tuple[int, int]) -> None:
    """Limits of an image of this shape, index frame, and what the axes mean."""
    ax.set(xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5), xlabel="fast (x), px", ylabel="slow (y), px")
    ax.set_aspect("equal")


def legend_if_any(ax: Axes) -> None:
    """A legend over a map, where something has a name."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper right", fontsize="small", framealpha=0.9)


def marker_size(count: int) -> float:
    return float(np.clip(160 / np.sqrt(max(count, 1)), 1.0, 6.0))


def numbered_rings(ax: Axes, yx: Floats, numbers: Iterable[int], label: str) -> None:
    """Rings of one name around places (N, 2), each with its number beside it."""
    if len(yx):
        ax.plot(yx[:, 1], yx[:, 0], "o", mfc="none", mec=RING, ms=11, mew=1.6, ls="", label=label)
    for (y, x), number in zip(yx, numbers, strict=True):
        box = {"facecolor": "white", "alpha": 0.8, "pad": 1.0, "linewidth": 0.0}
        ax.annotate(str(number), (x, y), (7, 5), textcoords="offset points", color=RING, weight="bold", bbox=box)


def nothing(ax: Axes, why: str) -> Axes:
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes)
    ax.set(xticks=[], yticks=[])
    return ax


def nice(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a positive `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(m for m in (1, 2, 5) if m * power <= value * (1 + 1e-9)))


def directions() -> Colormap:
    """Cyclic colours for angles, all dark enough to be seen on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(0.8 * colormaps["hsv"](np.linspace(0, 1, 256))[:, :3], "directions")


def sampled_vectors(distortion: Distortion, count: int) -> tuple[Floats, Floats, float]:
    """Places (N, 2) where the displacement is known, about `count` along the longer side, it (N, 2), and their
    distance, px."""
    step = max(distortion.shape) / count
    axes = [index_from_edge(np.arange(step / 2, n, step)) for n in distortion.shape]
    yx = raster_places(*axes).reshape(-1, 2)
    value = distortion.displacement(yx)
    known = np.isfinite(value).all(axis=1)
    if distortion.mask is not None:
        known &= ~distortion.mask[tuple(np.rint(yx).astype(int).clip(0, np.array(distortion.shape) - 1).T)]
    return yx[known], value[known], step


def field_arrows(ax: Axes, distortion: Distortion, count: int, **style: Any) -> None:
    """The displacement as arrows, about `count` along the longer side, where it is known."""
    arrows(ax, *sampled_vectors(distortion, count), **style)


def arrows(
    ax: Axes,
    yx: Floats,
    vector: Floats,
    reach: float,
    colour: Sequence[Floats] = (),
    *,
    cut: float | None = None,
    **style: Any,
) -> None:
    """Arrows whose rms length is `reach` px of the drawing, with the length of one in a key.

    With `cut` the rms is a robust one, and what is longer than `cut` times that is drawn with this length and a ring
    at its tail, which the legend explains: one wrong spot shall neither cross the picture nor shrink all the others.
    """
    length = np.hypot(*vector.T)
    rms = robust.rms(length) if len(vector) else 0.0
    if cut is not None and rms > 0:
        # The squared length of normal errors is exponentially distributed: its median is ln 2 of its mean.
        rms = float(np.sqrt(np.median(length**2) / np.log(2))) or rms
    if not rms > 0:
        return
    longer = np.zeros(len(vector), bool) if cut is None else length > cut * rms
    if cut is not None and longer.any():
        vector = np.where(longer[:, None], vector * (cut * rms / np.maximum(length, cut * rms))[:, None], vector)
    drawn = ax.quiver(
        yx[:, 1],
        yx[:, 0],
        vector[:, 1],
        vector[:, 0],
        *colour,
        angles="xy",
        scale_units="xy",
        scale=rms / reach,
        **style,
    )
    key = nice(2 * rms)
    ax.quiverkey(drawn, 0.88, 1.03, key, f"{key:g} px", labelpos="E", coordinates="axes")
    if cut is not None and longer.any():
        many = f"{longer.sum()} arrow{'s' if longer.sum() > 1 else ''} cut at {cut * rms:.2g} px"
        label = f"{many}, the longest is {length.max():.2g} px"
        ax.plot(yx[longer, 1], yx[longer, 0], "o", mfc="none", mec=OUTLIER, ms=6, mew=0.9, ls="", label=label)
