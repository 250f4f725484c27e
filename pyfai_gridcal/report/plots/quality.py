"""Pictures that tell how good a calibration is: residuals, pulls, held-out error, bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...base.robust import rms
from ...judging import measures
from ...judging.measures import edges_around, standardised_residuals, width_of
from ...records.fit import DistortionFit, used_rows
from ...records.spots import Spots
from .canvas import (
    AXES,
    CUT,
    OUTLIER,
    arrows,
    axes_or_new,
    colorbar,
    directions,
    frame,
    legend_if_any,
    marker_size,
    nothing,
    numbered_rings,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "contrast",
    "held_out",
    "pulls",
    "residual_against_sigma",
    "residual_directions",
    "residual_histogram",
    "residuals",
    "subpixel_bias",
]


def residuals(fit: DistortionFit, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw the residuals (corrected - node) as arrows where the spots are; outliers are crosses.

    An arrow much longer than the others is cut, and has a ring at its tail. The worst spots have numbers.
    Arrows that point the same way over a region are distortion that the model missed: see
    :func:`residual_directions`.
    """
    ax = axes_or_new(ax)
    points, used = fit.points[exposure], fit.used[exposure]
    yx, vector = points.yx[used], fit.residual_yx[exposure][used]
    angle = np.degrees(np.arctan2(vector[:, 0], vector[:, 1]))
    reach = 0.8 * min(points.pitch_px)
    arrows(ax, yx, vector, reach, (angle,), cut=CUT, cmap=directions(), clim=(-180, 180), width=0.002)
    out = points.yx[~used]
    if len(out):
        ax.plot(out[:, 1], out[:, 0], "x", color=OUTLIER, ms=4, ls="", label=f"{len(out)} outliers")
    ring_worst(fit, exposure, ax=ax)
    legend_if_any(ax)
    frame(ax, fit.distortion.shape)
    ax.set_title("residuals", loc="left", fontsize="medium")
    return ax


def ring_worst(fit: DistortionFit, exposure: int, *, ax: Axes) -> None:
    """Put rings with their numbers around the worst spots of an exposure, as they stand in the report's list."""
    worst = measures.worst_rows(fit)
    rank, rows = [k for k, one in enumerate(worst, 1) if one[0] == exposure], [r for k, r in worst if k == exposure]
    numbered_rings(ax, fit.points[exposure].yx[rows], rank, "worst spots")


def residual_directions(fit: DistortionFit, exposure: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw the direction of each residual as a colour: a good calibration looks like confetti."""
    ax = axes_or_new(ax)
    points, used = fit.points[exposure], fit.used[exposure]
    y, x = points.yx[used].T
    dy, dx = fit.residual_yx[exposure][used].T
    angle = np.degrees(np.arctan2(dy, dx))
    size = marker_size(len(points)) ** 2
    drawn = ax.scatter(x, y, c=angle, s=size, cmap=directions(), vmin=-180, vmax=180, rasterized=True)
    frame(ax, fit.distortion.shape)
    colorbar(ax, drawn, "direction, degrees from fast to slow")
    return ax


def residual_histogram(fit: DistortionFit, *, ax: Axes | None = None, bins: int = 60) -> Axes:
    """Draw the histogram of the residuals along both axes, with the held-out ones as steps."""
    ax = axes_or_new(ax, (6.0, 4.0))
    inside, outside = used_rows(fit, fit.residual_yx), used_rows(fit, fit.held_out_yx)
    sigma = used_rows(fit, [p.sigma_yx for p in fit.points])
    edges = edges_around(outside, bins)
    for axis, (name, colour) in enumerate(AXES):
        size = rms(inside[:, axis], sigma[:, axis])
        ax.hist(inside[:, axis], edges, alpha=0.45, color=colour, label=f"{name}: rms {size:.4f} px")
        ax.hist(outside[:, axis], edges, histtype="step", color=colour, lw=1.4)
    ax.set(xlabel="residual, px (outline: left out)", ylabel="spots")
    ax.legend(fontsize="small")
    return ax


def pulls(fit: DistortionFit, *, ax: Axes | None = None) -> Axes:
    """Draw the histogram of the standardised residuals beside the normal distribution that it should be."""
    ax = axes_or_new(ax, (6.0, 4.0))
    pull = standardised_residuals(fit).ravel()
    pull = pull[np.isfinite(pull)]
    t = np.linspace(-5, 5, 201)
    if len(pull):
        label = f"{len(pull)} values, spread {width_of(pull):.2f} (robust)"
        ax.hist(np.clip(pull, -5, 5), np.linspace(-5, 5, 61).tolist(), density=True, alpha=0.5, color="C0", label=label)
    ax.plot(t, np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi), "k-", lw=1, label="normal distribution")
    ax.set(xlabel="residual / uncertainty", ylabel="density")
    ax.legend(fontsize="small")
    return ax


def residual_against_sigma(fit: DistortionFit, *, ax: Axes | None = None) -> Axes:
    """Draw each residual's length against the sigma of its spot; the line is where one equals the other."""
    ax = axes_or_new(ax, (6.0, 4.0))
    sizes = [np.hypot(*p.sigma_yx.T) for p in fit.points]
    lengths = [np.hypot(*r.T) for r in fit.residual_yx]
    size, length, used = (np.concatenate(column) for column in (sizes, lengths, fit.used))
    ax.loglog(size[used], length[used], ".", color="C0", ms=3, alpha=0.6, label=f"{used.sum()} used", rasterized=True)
    if not used.all():
        ax.loglog(size[~used], length[~used], "x", color=OUTLIER, ms=4, label=f"{(~used).sum()} outliers")
    if len(size):
        ends = np.array([size.min(), size.max()])
        ax.plot(ends, ends, "k--", lw=1)
    worst = measures.worst_rows(fit)
    at = np.array([(lengths[k][row], sizes[k][row]) for k, row in worst]).reshape(-1, 2)
    numbered_rings(ax, at, range(1, len(worst) + 1), "worst spots")
    ax.set(xlabel="sigma of the spot, px", ylabel="residual, px")
    ax.legend(fontsize="small")
    return ax


def held_out(fit: DistortionFit, *, ax: Axes | None = None) -> Axes:
    """Draw the held-out error against the smoothness for each model that was tried, the chosen one in bold."""
    ax = axes_or_new(ax, (6.0, 4.0))
    if not fit.trials:
        return nothing(ax, "one model only, nothing to compare")
    for number, trial in enumerate(fit.trials):
        name, colour = f"{trial.name}: {trial.held_out_px:.4f} px", f"C{number % 10}"
        width = 2.2 if trial.chosen else 1.0
        if trial.curve:
            at, error = np.array(sorted(trial.curve)).T
            ax.semilogy(at, error, "o-", ms=3, color=colour, lw=width, label=name)
        elif np.isfinite(trial.held_out_px):
            ax.axhline(trial.held_out_px, color=colour, lw=width, ls="--", label=name)
        if trial.chosen:
            ax.plot(0, trial.held_out_px, "*", color=colour, ms=13)
    ax.set(yscale="log", xlabel="smoothness, log10 relative to the chosen one", ylabel="prediction error, px")
    ax.legend(fontsize="small")
    return ax


def subpixel_bias(fit: DistortionFit, *, ax: Axes | None = None, bins: int = 20) -> Axes:
    """Draw the mean residual against the place of the spot within its pixel: flat when spots are found without bias."""
    ax = axes_or_new(ax, (6.0, 4.0))
    rows = list(measures.subpixel_bias(fit, bins))
    phase = np.array([middle for middle, _, _ in rows])
    for axis, (name, colour) in enumerate(AXES):
        mean, error = np.array([(mean[axis], error[axis]) for _, mean, error in rows]).T
        beside = phase + (axis - 0.5) * 0.15 / bins  # so that bars of both axes are seen
        ax.errorbar(beside, mean, error, fmt="o", ms=4, color=colour, label=name)
    ax.axhline(0, color="k", lw=0.8)
    ax.set(xlabel="place within the pixel, px from its centre", ylabel="mean residual, px")
    ax.legend(fontsize="small")
    return ax


def contrast(found: Spots, *, ax: Axes | None = None, bins: int = 60) -> Axes:
    """Draw the histogram of the amplitudes of the spots, in counts."""
    ax = axes_or_new(ax, (6.0, 4.0))
    value = found.amplitude[np.isfinite(found.amplitude) & (found.amplitude > 0)]
    if not len(value):
        return nothing(ax, "no spots")
    low, high = np.log10(value.min()), np.log10(value.max())
    ax.hist(value, np.logspace(low - 0.02, high + 0.02, bins + 1).tolist(), color="C0", alpha=0.7)
    ax.set(xscale="log", xlabel="amplitude of the spot, counts", ylabel="spots")
    return ax
