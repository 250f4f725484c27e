"""Where the centre of a pixel is.

One hole on the same pixels has different coordinates in different programs. The upper part shows the numbers along
one axis; the lower part shows the corners of a pixel in pyFAI's order, and the sign of the displacement.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

#: Name, coordinate of the left edge of the first pixel, where the displacement is stored.
DIALECTS = (
    ("index frame: here, ImageD11, numpy arrays", -0.5, "centre"),
    ("edge frame: pyFAI, Fit2D", 0.0, "corner"),
    ("counted from 1: Fortran, MATLAB", 0.5, "centre"),
)


def main(folder: Path) -> None:
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1.15))
    rulers(top)
    left, right = bottom.get_subplotspec().subgridspec(1, 2, width_ratios=(1, 1.3)).subplots()
    bottom.remove()
    corners(left)
    displacement(right)
    figure.savefig(folder / "pixel_frames.png", dpi=90)


def rulers(ax) -> None:
    """The same four pixels with the rulers of the dialects."""
    shades = ("#eef2f6", "#dfe6ee")
    for k in range(5):
        ax.add_patch(Rectangle((k, 3.25), 1, 0.8, fc=shades[k % 2], ec="0.4"))
    ax.plot(2.25, 3.65, "o", ms=20, mfc="#ffb000", mec="k", zorder=3)
    ax.plot([2.25, 2.25], [-0.3, 3.65], "k:", lw=1)
    ax.annotate("hole", (2.25, 3.65), (2.62, 3.6), va="center")
    for row, (name, edge, kind) in enumerate(DIALECTS):
        y = 2.4 - row
        ax.plot([0, 5], [y, y], "k-", lw=1)
        for tick in np.arange(np.ceil(edge), edge + 5.01):
            at = tick - edge
            ax.plot([at, at], [y, y + 0.18], "k-", lw=1)
            ax.annotate(f"{tick + 0.0:g}", (at, y - 0.1), ha="center", va="top", fontsize=9)
        ax.plot(2.25, y, "o", color="#d62728", ms=7)
        ax.annotate(f"{2.25 + edge:g}", (2.25, y + 0.12), (4, 2), textcoords="offset points", color="#d62728")
        ax.annotate(f"{name}\n(whole numbers are at the {kind} of a pixel)", (5.3, y), va="center", fontsize=9)
    ax.set(xlim=(-0.4, 9.2), ylim=(-0.5, 4.2))
    ax.axis("off")


def corners(ax) -> None:
    """A pixel with its corners A, B, C, D."""
    ax.add_patch(Rectangle((0, 0), 1, 1, fc="#eef2f6", ec="k"))
    for name, (y, x) in zip("ABCD", ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        ax.plot(x, y, "o", color="C0", ms=8)
        ax.annotate(f"{name} ({y}, {x})", (x, y), (0, 9 if y else -17), textcoords="offset points", ha="center")
    ax.annotate("", (0.92, -0.42), (0.0, -0.42), arrowprops={"arrowstyle": "->"})
    ax.annotate("fast, x, p2", (0.46, -0.44), ha="center", va="top", fontsize=9)
    ax.annotate("", (-0.32, 0.92), (-0.32, 0.0), arrowprops={"arrowstyle": "->"})
    ax.annotate("slow, y, p1", (-0.36, 0.46), ha="right", va="center", rotation=90, fontsize=9)
    ax.set(xlim=(-0.6, 1.5), ylim=(-0.7, 1.35), aspect="equal")
    ax.set_title("corners (y, x) of a pixel in pyFAI's order", fontsize=10)
    ax.axis("off")


def displacement(ax) -> None:
    """Observed and corrected place with the displacement between them."""
    for k in range(5):
        ax.plot([k, k], [0, 3], color="0.8", lw=1)
        if k < 4:
            ax.plot([0, 4], [k, k], color="0.8", lw=1)
    observed, corrected = (1.3, 0.9), (2.9, 2.1)
    ax.annotate(
        "", corrected, observed, arrowprops={"arrowstyle": "->", "lw": 2, "color": "C0", "shrinkA": 4, "shrinkB": 4}
    )
    for (x, y), name, shade in ((observed, "observed", "#d62728"), (corrected, "corrected", "#2ca02c")):
        ax.plot(x, y, "o", color=shade, ms=9)
        ax.annotate(name, (x, y), (8, -12), textcoords="offset points", color=shade)
    ax.annotate("displacement (dy, dx) =\ncorrected - observed,\nstored at the observed place", (0.15, 2.2), fontsize=9)
    ax.set(xlim=(-0.1, 4.1), ylim=(-0.1, 3.1), aspect="equal")
    ax.set_title("sign: where it should have been, minus where it was seen", fontsize=10)
    ax.axis("off")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
