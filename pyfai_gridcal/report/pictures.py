"""Pictures that only the report shows: functions that draw on a matplotlib ``Axes``, as those of :mod:`.plots` do.

Which of all pictures the page shows, with title and caption, is listed in :mod:`.figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ..base.arrays import AnyArray, Bools, Floats
from ..finding.detection import THRESHOLD
from ..finding.picking import pick
from ..finding.survey import filled
from ..judging.measures import PairDistances, edges_around, residual_correlation
from ..records.distortion import Distortion
from ..records.fit import DistortionFit
from ..records.points import ControlPoints
from ..records.spots import HoleProfile, Spots
from . import plots
from .plots.canvas import CUT, arrows, field_arrows, legend_if_any
from .plots.quality import ring_worst

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..judging.validation import Validation


#: Colours of what belongs to the lattice, and of what does not.
_LINE, _OUT = "#2ca02c", "#d62728"


def grid(points: ControlPoints, *, ax: Axes, colour: str = _LINE, width: float = 0.6, every: int = 1) -> Axes:
    """Draw every so many lines of the lattice, from node to node, and its axes from the node (0, 0) in colours."""
    from matplotlib.collections import LineCollection

    key = {tuple(node): row for row, node in enumerate(points.ij.tolist())}
    xy = points.yx[:, ::-1]
    for step in ((1, 0), (0, 1)):
        drawn = [(i, j) for i, j in key if (j if step[0] else i) % every == 0]
        ends = [(key[(i, j)], key.get((i + step[0], j + step[1]))) for i, j in drawn]
        lines = [(xy[a], xy[b]) for a, b in ends if b is not None]
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=width, rasterized=True))
    if (0, 0) in key:
        start = xy[key[(0, 0)]]
        for node, name, shade in (((1, 0), "i", "#ff7f0e"), ((0, 1), "j", "#17becf")):
            if node in key:
                end = xy[key[node]]
                ax.annotate(
                    "",
                    end,
                    start,
                    arrowprops={"arrowstyle": "->", "color": shade, "lw": 1.6, "shrinkA": 0, "shrinkB": 0},
                )
                ax.annotate(name, end, color=shade, fontsize="small", fontweight="bold")
    return ax


def overview(
    data: AnyArray, fit: DistortionFit, exposure: int, *, ax: Axes, mask: Bools | None = None, every: int = 1
) -> Axes:
    """Draw an image with every so many lines of its lattice, crosses where points were not used, the worst spots."""
    points = fit.points[exposure]
    plots.image(data, ax=ax, mask=mask)
    grid(points, ax=ax, width=0.5, every=every)
    out = points.yx[~fit.used[exposure]]
    if len(out):
        ax.plot(out[:, 1], out[:, 0], "x", color=_OUT, ms=6, label=f"{len(out)} outliers")
    ring_worst(fit, exposure, ax=ax)
    legend_if_any(ax)
    return ax


def close_up(data: AnyArray, points: ControlPoints, middle: Sequence[float] | Floats, half: float, *, ax: Axes) -> Axes:
    """Draw a small part of an image with the spots and the lattice, every pixel to be seen."""
    low = [max(0, int(m - half)) for m in middle]
    high = [min(n, int(m + half) + 1) for m, n in zip(middle, data.shape, strict=True)]
    part = np.asarray(data[low[0] : high[0], low[1] : high[1]], float)
    extent = (low[1] - 0.5, high[1] - 0.5, low[0] - 0.5, high[0] - 0.5)
    ax.imshow(part, origin="lower", extent=extent, cmap="gray", interpolation="nearest")
    grid(points, ax=ax, width=0.8)
    y, x = points.yx.T
    sigma = 100 * points.sigma_yx
    near = (y > low[0] - 1) & (y < high[0]) & (x > low[1] - 1) & (x < high[1])
    ax.errorbar(x[near], y[near], sigma[near, 0], sigma[near, 1], fmt="none", ecolor=_OUT, elinewidth=1.2)
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="fast (x), px", ylabel="slow (y), px")
    ax.set_aspect("equal")
    return ax


def displacement_with_arrows(distortion: Distortion, *, ax: Axes, count: int = 24) -> Axes:
    """Draw the size of the displacement as a colour, its direction and size as arrows."""
    plots.displacement(distortion, ax=ax)
    field_arrows(ax, distortion, count, color="white", width=0.0025, edgecolor="black", linewidth=0.3)
    return ax


def contrasts(found: Contrasts, *, ax: Axes, bins: int = 60) -> Axes:
    """Draw the histogram of the contrast of all that stood out, with the threshold."""
    top = float(np.percentile(found.relative, 99.5)) * 1.1 if len(found.relative) else 1.0
    edges = np.linspace(0, max(top, 1.2), bins + 1).tolist()
    parts = [np.clip(found.relative[w], 0, edges[-1]) for w in (found.is_spot, ~found.is_spot)]
    labels = [f"{len(parts[0])} control points", f"{len(parts[1])} others"]
    ax.hist(parts, edges, stacked=True, color=[_LINE, "#999999"], label=labels)
    ax.axvline(found.threshold, color=_OUT, ls="--", lw=1.5, label=f"threshold {found.threshold:g}")
    ax.set(xlabel="contrast, relative to the spots around", ylabel="places", yscale="symlog")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize="small")
    return ax


def profile(hole: HoleProfile, *, ax: Axes) -> Axes:
    """Draw the learned picture of a hole, radially, with its section."""
    n = hole.table.shape[0]
    at = (np.arange(n) - n // 2) / hole.oversampling
    radius = np.hypot(at[:, None], at[None, :])
    ax.plot(radius.ravel(), hole.table.ravel(), ".", ms=2, color="0.65", label="all directions", rasterized=True)
    ax.plot(at[n // 2 :], hole.table[n // 2 :, n // 2], "-", color="C0", label="along slow (y)")
    ax.plot(at[n // 2 :], hole.table[n // 2, n // 2 :], "-", color="C1", label="along fast (x)")
    ax.set(xlim=(0, hole.reach), xlabel="distance from the centre, px", ylabel="reading, 1 = plateau")
    ax.axhline(0, color="k", lw=0.6)
    ax.legend(fontsize="small")
    return ax


def distance_histogram(pairs: PairDistances, *, ax: Axes, bins: int = 51) -> Axes:
    """Draw deviations of the distances at one range, held-out as outline; the rms before is told in words."""
    held = pairs.held_out[np.isfinite(pairs.held_out)]
    edges = edges_around(held, bins)
    rms = [pairs.rms(v) for v in (pairs.before, pairs.after, pairs.held_out)]
    ax.hist(pairs.after, edges, color="C0", alpha=0.5, label=f"corrected: rms {rms[1]:.4f} px")
    ax.hist(held, edges, histtype="step", color="C3", lw=1.4, label=f"left out: rms {rms[2]:.4f} px")
    ax.plot([], [], " ", label=f"as recorded: rms {rms[0]:.3g} px")
    pitches = "first neighbours" if pairs.steps == 1 else f"{pairs.steps} pitches apart"
    ax.set(xlabel="distance, measured - true, px", ylabel="pairs")
    ax.set_title(f"{len(pairs.after)} pairs, {pitches}", loc="left", fontsize="medium")
    ax.legend(fontsize="small")
    return ax


def distances_by_range(pairs: Sequence[PairDistances], *, ax: Axes) -> Axes:
    """Draw the rms deviation of distances against the range, before and after."""
    steps = [p.steps for p in pairs]
    for name, style in (("before", "k:"), ("after", "C0-"), ("held_out", "C3-")):
        rms = [p.rms(getattr(p, name)) for p in pairs]
        label = {"before": "as recorded", "after": "corrected", "held_out": "left out"}[name]
        ax.plot(steps, rms, style, marker="o", ms=3, label=label)
    ax.set(xscale="log", yscale="log", xlabel="distance, pitches", ylabel="rms deviation, px")
    ax.legend(fontsize="small")
    return ax


def correlation(fit: DistortionFit, *, ax: Axes) -> Axes:
    """Draw the correlation of residuals against the distance of the points."""
    rows = residual_correlation(fit)
    if rows:
        steps, value, sigma = np.array(rows).T
        ax.errorbar(steps, value, sigma, fmt="o-", ms=4)
        ax.set_ylim(min(-0.3, float(value.min()) - 0.1), max(0.3, float(value.max()) + 0.1))
        ax.set(xscale="log")
    ax.axhline(0, color="k", lw=0.8)
    ax.axhspan(-0.1, 0.1, color="0.9", zorder=0)
    ax.set(xlabel="distance, pitches", ylabel="correlation of residuals")
    return ax


def models(fit: DistortionFit, *, ax: Axes) -> Axes:
    """Draw the held-out error of the models that were tried: against the smoothness if there is a curve, else bars."""
    if any(trial.curve for trial in fit.trials):
        return plots.held_out(fit, ax=ax)
    tried = [trial for trial in fit.trials if np.isfinite(trial.held_out_px)]
    for row, trial in enumerate(tried):
        ax.barh(row, trial.held_out_px, color=_LINE if trial.chosen else "0.7")
        ax.annotate(f" {trial.held_out_px:.4f} px", (trial.held_out_px, row), va="center", fontsize="small")
    ax.set_yticks(range(len(tried)), [trial.name + " *" * trial.chosen for trial in tried])
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set_xlabel("prediction error at left-out holes, px rms per axis")
    return ax


def closed_loop(validation: Validation, *, ax: Axes) -> Axes:
    """Draw what is left of the distortion in the corrected image, as arrows."""
    points, counted = validation.points, validation.counted
    yx, left = points.yx[counted], validation.residual_yx[counted]
    plots.image(validation.corrected.data, ax=ax, mask=validation.corrected.mask)
    arrows(ax, yx, left, 0.8 * min(points.pitch_px), cut=CUT, color="#ff7f0e", width=0.002)
    legend_if_any(ax)
    ax.set_title(f"left: rms {validation.rms_px:.4f} px per axis", loc="left", fontsize="medium")
    return ax


#: Weakest contrast that is listed, relative to the neighbourhood.
_LEAST = 0.03


@dataclass(frozen=True, eq=False)
class Contrasts:
    """All places of an image that stood out of the noise.

    Attributes
    ----------
    relative : (N,) contrast over the one that is typical for the neighbourhood
    is_spot : (N,) whether it became a control point
    threshold : relative contrast below which places were not looked at (but where the lattice asked for a hole)
    """

    relative: Floats
    is_spot: Bools
    threshold: float


def contrasts_of(image: AnyArray, mask: Bools | None, spots: Spots, points: ControlPoints) -> Contrasts | None:
    """Look for places again with a lower threshold than the search had, None when hole size or points are not known."""
    if not spots.hole_px > 0 or not len(points):
        return None
    seen = pick(filled(np.asarray(image), mask), polarity=spots.polarity, radius_px=spots.hole_px / 2, threshold=_LEAST)
    if not len(seen):
        return None
    distance, _ = cKDTree(points.yx).query(seen.yx)
    return Contrasts(seen.relative, np.asarray(distance < 0.3 * min(points.pitch_px)), THRESHOLD)
