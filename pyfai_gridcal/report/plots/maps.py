"""Pictures over the area of the detector: image, spots, displacement, uncertainty, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats
from ...records.distortion import Distortion
from ...records.spots import Spots
from .canvas import OUTLIER, USED, axes_or_new, colorbar, field_arrows, frame, marker_size, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Component = Literal["magnitude", "dy", "dx"]
Colouring = Literal["plain", "sigma", "chi2"]
#: Images are reduced to about this many pixels along their longer side before they are drawn.
SHOWN = 1200


def reduced(data: AnyArray, side: int = SHOWN) -> tuple[AnyArray, tuple[float, float, float, float]]:
    """Block means of an image with at most about `side` px along an axis, and its extent (left, right, bottom, top)."""
    step = max(1, int(np.ceil(max(data.shape) / side)))
    ny, nx = (n // step * step for n in data.shape)
    extent = (-0.5, nx - 0.5, -0.5, ny - 0.5)
    if step == 1:
        return np.asarray(data), extent
    blocks = np.asarray(data[:ny, :nx], np.float32).reshape(ny // step, step, nx // step, step)
    return blocks.mean(axis=(1, 3)), extent


def image(
    data: AnyArray,
    *,
    ax: Axes | None = None,
    mask: Bools | None = None,
    log: bool = True,
    cmap: str = "gray",
    bar: bool = False,
) -> Axes:
    """Draw an image (ny, nx) in counts.

    Parameters
    ----------
    mask : (ny, nx) True = shown as missing
    log : colours on an arcsinh scale, on which weak spots stay visible, instead of a linear one
    bar : add a colour bar
    """
    from matplotlib.colors import AsinhNorm, Normalize

    ax = axes_or_new(ax)
    small, extent = reduced(np.where(mask, np.nan, data) if mask is not None else data)
    finite = small[np.isfinite(small)]
    low, high = np.percentile(finite, (0.5, 99.8)) if finite.size else (0.0, 1.0)
    high = max(high, low + 1e-9 * max(1.0, abs(low)))
    norm = AsinhNorm((high - low) / 10, low, high) if log else Normalize(low, high)
    drawn = ax.imshow(small, origin="lower", extent=extent, cmap=cmap, norm=norm, interpolation="nearest")
    frame(ax, data.shape)
    if bar:
        colorbar(ax, drawn, "counts")
    return ax


def spots(
    found: Spots,
    *,
    ax: Axes | None = None,
    data: AnyArray | None = None,
    shape: tuple[int, int] | None = None,
    used: Bools | None = None,
    colour: Colouring = "plain",
) -> Axes:
    """Draw the spots, over the image `data` where it is given.

    Parameters
    ----------
    used : (N,) False for those that are marked as left out
    colour : what the colour says
    """
    ax = axes_or_new(ax)
    if data is not None:
        image(data, ax=ax)
    y, x = found.yx.T
    keep = np.ones(len(found), bool) if used is None else np.asarray(used, bool)
    size = marker_size(len(found))
    if colour == "plain":
        ax.plot(x[keep], y[keep], "o", mfc="none", mec=USED, ms=size, mew=0.8, ls="", label=f"{keep.sum()} spots")
    else:
        value = np.hypot(*found.sigma_yx.T) / np.sqrt(2) if colour == "sigma" else found.chi2
        top = float(np.nanpercentile(value[keep], 98)) if keep.any() else 1.0
        drawn = ax.scatter(
            x[keep], y[keep], c=value[keep], s=size**2, cmap="viridis", vmax=top, label=f"{keep.sum()} spots"
        )
        colorbar(ax, drawn, "sigma, px" if colour == "sigma" else "reduced chi square")
    if not keep.all():
        ax.plot(x[~keep], y[~keep], "x", color=OUTLIER, ms=size + 1, ls="", label=f"{(~keep).sum()} left out")
    if data is not None or shape is not None:
        frame(ax, shape if data is None else data.shape)  # type: ignore[arg-type]
    else:
        ax.set(xlabel="fast (x), px", ylabel="slow (y), px")
        ax.set_aspect("equal")
    ax.legend(loc="upper right", framealpha=0.9, fontsize="small")
    return ax


def _sampled(distortion: Distortion, nodes: int = 400) -> tuple[Floats, Floats]:
    """Axes of pixel centres, at most about `nodes` along an axis, the last pixel among them."""
    ny, nx = distortion.shape
    step = max(1, -(-max(ny, nx) // nodes))
    return tuple(np.unique(np.append(np.arange(0, n, step), n - 1)).astype(float) for n in (ny, nx))  # type: ignore[return-value]


def _unknown(distortion: Distortion, y: Floats, x: Floats) -> Bools:
    if distortion.mask is None:
        return np.zeros((len(y), len(x)), bool)
    return distortion.mask[np.ix_(y.astype(int), x.astype(int))]


def displacement(
    distortion: Distortion, component: Component = "magnitude", *, ax: Axes | None = None, masked: bool = True
) -> Axes:
    """Draw the map of the displacement (corrected - observed), px; white where it is not known."""
    ax = axes_or_new(ax)
    y, x = _sampled(distortion)
    values = distortion.field.on_grid(y, x)
    shown = (
        np.hypot(values[..., 0], values[..., 1]) if component == "magnitude" else values[..., int(component == "dx")]
    )
    if masked:
        shown = np.where(_unknown(distortion, y, x), np.nan, shown)
    drawn = ax.pcolormesh(x, y, shown, shading="nearest", rasterized=True, cmap="viridis")
    if component != "magnitude":
        top = float(np.nanmax(np.abs(shown))) if np.isfinite(shown).any() else 1.0
        drawn.set(cmap="RdBu_r", clim=(-top, top))
    frame(ax, distortion.shape)
    colorbar(ax, drawn, {"magnitude": "displacement, px", "dy": "dy (slow), px", "dx": "dx (fast), px"}[component])
    return ax


def sigma(distortion: Distortion, *, ax: Axes | None = None) -> Axes:
    """Draw the map of the standard uncertainty of the displacement (rms of both axes), px."""
    ax = axes_or_new(ax)
    y, x = _sampled(distortion)
    if distortion.sigma is None:
        return nothing(ax, "no uncertainty is known")
    shown = np.sqrt(np.mean(distortion.sigma.on_grid(y, x) ** 2, axis=-1))
    shown = np.where(_unknown(distortion, y, x), np.nan, shown)
    top = float(np.nanpercentile(shown, 99)) if np.isfinite(shown).any() else 1.0
    drawn = ax.pcolormesh(x, y, shown, shading="nearest", cmap="magma", vmin=0, vmax=top, rasterized=True)
    frame(ax, distortion.shape)
    colorbar(ax, drawn, "sigma of the displacement, px")
    return ax


def vectors(distortion: Distortion, *, ax: Axes | None = None, count: int = 28) -> Axes:
    """Draw the displacement as arrows, about `count` along the longer side; the key tells their scale."""
    ax = axes_or_new(ax)
    field_arrows(ax, distortion, count, color="#1f77b4", width=0.002)
    frame(ax, distortion.shape)
    ax.set_title("displacement", loc="left", fontsize="medium")
    return ax


def before_after(
    raw: AnyArray, corrected: AnyArray, *, axes: Sequence[Axes] | None = None, mask: Bools | None = None
) -> Sequence[Axes]:
    """Draw an image as recorded and as corrected, side by side; returns both axes.

    Parameters
    ----------
    axes : two to draw on
    mask : (ny, nx) of the corrected image, True = shown as missing
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, 2, figsize=(11.0, 5.0), sharex=True, sharey=True, layout="constrained")[1]
    assert axes is not None
    image(raw, ax=axes[0])
    image(corrected, ax=axes[1], mask=mask)
    axes[0].set_title("as recorded")
    axes[1].set_title("corrected")
    return axes
