"""Which model: one smooth field, a polynomial, tiles; compared by what they predict for points they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..base.arrays import AnyArray, Bools, Floats, select_rows
from ..base.errors import FittingError, UsageError
from ..base.progress import Progress, untold
from ..records.field import label_at, without_gaps
from ..records.fit import TrialScore
from ..records.settings import require_model
from .interpolation import GridData, ThinPlate
from .polynomial import Polynomial
from .recipe import CLEARLY, SURE, FieldFit, Recipe, Sample, gains, sureness
from .rigid import Placement, RigidBody
from .spline.recipe import BSpline
from .support import Support, support_of
from .tiles.placing import near_seams, placed_seams
from .tiles.seams import Seam, find_seams, labels_of_mask, labels_of_seams, seam_strips
from .tiles.tiles import FEWEST_PER_TILE, TiledSupport, common_pixel_size, fit_tiles
from .view import PlateView, evenly_drawn

#: How those are made that are one field over the whole detector.
_RECIPES: dict[str, Callable[[], Recipe]] = {
    "spline": BSpline,
    "polynomial": Polynomial,
    "thinplate": ThinPlate,
    "griddata": GridData,
    "rigid": RigidBody,
}

#: By this factor tiles must predict better where only the points tell of seams: a narrow ridge looks like one.
_BEYOND_DOUBT = 0.5

#: On few knots it must at least predict better by this one to be looked into. Seams of mosaics reach a tenth.
_MAY_PAY = 0.8


@dataclass(frozen=True, eq=False)
class Choice:
    """The model that was taken.

    Attributes
    ----------
    fit, support : the field, its uncertainty and where it is known
    start : the placement that its displacements refer to
    trials : all that were compared
    strips : (slow, fast) pixels that may belong to either side of a seam
    notes : in words
    rigid : whether the pixel size is tied to that of the tiles
    """

    fit: FieldFit
    support: Support | TiledSupport
    start: Placement
    trials: tuple[TrialScore, ...]
    strips: Bools
    notes: tuple[str, ...] = ()
    rigid: bool = False


@dataclass(frozen=True, eq=False)
class _Layout:
    """Tile of each pixel, pixels that may be on either side of a seam, where this came from, and the points that lie on
    a seam (None unless the points are all that tells of it)."""

    labels: AnyArray
    strips: Bools
    note: str = ""
    cut: Bools | None = None


def choose(
    view: PlateView,
    *,
    model: str = "auto",
    mask: Bools | None = None,
    labels: AnyArray | None = None,
    hole_diameter_px: float = 0.0,
    progress: Progress = untold,
) -> Choice:
    """Fit the model asked for, or the one of "auto": tiles where these predict better than a smooth field.

    Parameters
    ----------
    view : points, plate, detector
    model : one of :data:`~pyfai_gridcal.records.settings.MODELS`
    mask : (slow, fast), True = no pixel; its gaps separate tiles
    labels : (slow, fast) tile of each pixel, -1 for none
    hole_diameter_px : diameter of a hole, px, 0 if it is not known: no seam passes through a whole one
    progress : called with (fraction, what)
    """
    require_model(model)
    # a model that is one field is fitted, and that is all
    start, sample = view.placed()
    nothing = np.zeros(view.shape, dtype=bool)
    if model in _RECIPES and model != "rigid":
        fit = _RECIPES[model]().fit(sample)
        return Choice(fit, support_of(fit, sample), start, (_trial(fit, chosen=True),), nothing)
    if model == "rigid":
        return _tiled(view, _Layout(np.zeros(view.shape, dtype=np.int16), nothing), (RigidBody(),))
    # is there anything that could be tiles: labels, gaps, seams?
    layout = _layout(view, sample, mask, labels, hole_diameter_px, doubt=model == "auto")
    if layout is None and model in ("tiles", "mosaic"):
        one = np.zeros(view.shape, dtype=np.int16)
        layout = _Layout(one, nothing, "neither gaps nor seams were found: one tile")
    if layout is None:
        return _smooth(sample, start, nothing)
    try:
        tiled = _tiled(view, layout, (RigidBody(), BSpline()))
    except FittingError:
        if model in ("tiles", "mosaic"):
            raise
        # parts that have no place on the plate are no tiles
        return _smooth(sample, start, nothing)
    if model in ("tiles", "mosaic"):
        return tiled
    # tiles against one smooth field: a rough one first, which is enough where the difference is large
    progress(0.4, "comparing tiles with a smooth field")
    clearly = CLEARLY if layout.cut is None else _BEYOND_DOUBT
    rough = BSpline(orders=(3,), most_cells=24).fit(sample)
    if tiled.fit.held_out_px < 0.5 * clearly * rough.held_out_of(tiled.fit.used):
        return _with_rival(tiled, rough)
    smooth = _smooth(sample, start, nothing)
    if tiled.fit.held_out_px < clearly * smooth.fit.held_out_of(tiled.fit.used):
        return _with_rival(tiled, smooth.fit)
    return replace(smooth, trials=(*smooth.trials, replace(tiled.trials[0], chosen=False)))


def _with_rival(tiled: Choice, smooth: FieldFit) -> Choice:
    """Tiles, with the smooth field that they were better than."""
    one, many = smooth.held_out_of(tiled.fit.used), tiled.fit.held_out_px
    note = f"a smooth field leaves a seam: prediction error {one:.3g} px, {many:.3g} px with tiles"
    trials = (*tiled.trials, replace(_trial(smooth), held_out_px=one))
    return replace(tiled, trials=trials, notes=(*tiled.notes, note))


def _smooth(sample: Sample, start: Placement, nothing: Bools) -> Choice:
    """A spline, or a polynomial where that predicts better, and the field is known as well among the holes."""
    fit: FieldFit = BSpline().fit(sample)
    support = support_of(fit, sample)
    some = evenly_drawn(len(sample))
    rival = Polynomial().fit(sample.select(some))
    trials = [_trial(fit, chosen=True), replace(_trial(rival), note=rival.note)]
    if _predicts_better(rival, fit, some, of=len(sample)):
        other = Polynomial().fit(sample)
        if _predicts_better(other, fit, np.arange(len(sample)), of=len(sample)):
            known = support_of(other, sample)
            # what left out holes do not tell: the places between them, and in gaps
            if known.rms_inside <= support.rms_inside:
                trials = [replace(trials[0], chosen=False), _trial(other, chosen=True)]
                return Choice(other, known, start, tuple(trials), nothing)
    return Choice(fit, support, start, tuple(trials), nothing)


def _predicts_better(rival: FieldFit, fit: FieldFit, rows: AnyArray, *, of: int) -> bool:
    """Whether a rival, fitted to the points `rows` of a fit, predicts left out points clearly or, as far as these tell
    it of all the points, surely better.

    Both are asked for the same points, whose own noise is nearly all that either is off by; so in a near tie what
    counts is the difference at each point, and how much the differences scatter.
    """
    if rival.held_out_px < CLEARLY * fit.held_out_of(fit.used):
        return True
    # fitted to all of them, a point would have as much less of a share in its own prediction
    share = len(rows) / of
    less = np.sqrt((1 - rival.leverage) / (1 - share * rival.leverage))
    each = gains(replace(rival, held_out=less * rival.held_out), select_rows(fit, rows, "held_out", "used"))
    # some of very many points cannot tell a tie, which does not matter there: it would cost much to decide it
    return sureness(each) > max(SURE * float(np.sqrt(share)), 1.0)


def _layout(
    view: PlateView,
    sample: Sample,
    mask: Bools | None,
    labels: AnyArray | None,
    hole_diameter_px: float,
    *,
    doubt: bool,
) -> _Layout | None:
    """Tiles as given, from the gaps of the mask or from seams (with `doubt`: if these may pay); None for a single
    tile."""
    nothing = np.zeros(view.shape, dtype=bool)
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != view.shape:
            raise UsageError(f"labels of shape {labels.shape}", expected=f"{view.shape} as the detector")
        return _Layout(_numbered(labels), nothing, "tiles as given")
    if mask is not None and mask.any():
        found = labels_of_mask(mask)
        if _inhabited(found, sample.yx[sample.used]) > 1:
            return _Layout(found, nothing, f"{found.max() + 1} tiles from the gaps of the mask")
    seams = _sensible(find_seams(sample.yx, view.points.ij, sample.d), sample.spacing)
    if not seams or (doubt and not _may_pay(sample, seams)):
        return None
    placed = placed_seams(sample, seams, hole_diameter_px=hole_diameter_px)
    seams = placed.seams
    words = ", ".join(map(str, seams))
    return _Layout(
        labels_of_seams(seams, view.shape), seam_strips(seams, view.shape), f"seams found at {words} px", placed.cut
    )


def _sensible(seams: tuple[Seam, ...], spacing: float) -> tuple[Seam, ...]:
    """The strongest seams that leave tiles at least four spacings wide."""
    kept: list[Seam] = []
    for s in sorted(seams, key=lambda s: -s.jump_px * s.share):
        crossing = [s.axis != k.axis or abs(s.slope - k.slope) > 0.2 for k in kept]
        alone = all(c or abs(s.middle - k.middle) > 4 * spacing for c, k in zip(crossing, kept, strict=True))
        if alone and s.high - s.low < 1.6 * spacing:
            kept.append(s)
    return tuple(sorted(kept, key=lambda s: (s.axis, s.middle)))


def _may_pay(sample: Sample, seams: tuple[Seam, ...]) -> bool:
    """Whether tiles predict better than a smooth field already on few knots: a scratch, or a row of holes that is off,
    looks like a seam, and to place it, and to fit the tiles in full, takes long."""
    whole = replace(sample, used=sample.used & ~near_seams(sample, seams).any(axis=0))
    recipe = BSpline(orders=(3,), most_cells=24)
    try:
        tiles = fit_tiles(whole, labels_of_seams(seams, sample.shape), (recipe,)).fit
    except FittingError:
        return True
    return tiles.held_out_px < _MAY_PAY * recipe.fit(whole).held_out_of(tiles.used)


def _numbered(labels: AnyArray) -> AnyArray:
    """Labels 0 .. count - 1; pixels without a tile (negative) join the nearest."""
    values, rank = np.unique(labels, return_inverse=True)
    return without_gaps(rank.reshape(labels.shape).astype(np.int16) - int((values < 0).sum()))


def _inhabited(labels: AnyArray, yx: Floats) -> int:
    """Number of tiles with enough points."""
    return int((np.bincount(label_at(labels, yx)) >= FEWEST_PER_TILE).sum())


def _tiled(view: PlateView, layout: _Layout, recipes: tuple[Recipe, ...]) -> Choice:
    """A field per tile, all on one plate."""
    tile = label_at(layout.labels, view.points.yx)
    start, sample = view.placed()
    whole = np.ones(len(tile), dtype=bool) if layout.cut is None else ~layout.cut
    if view.pixel_size is None:
        size = common_pixel_size(view.positions, view.points.yx, tile, sample.used & whole)
        start, sample = view.placed(size)
    found = fit_tiles(replace(sample, used=sample.used & whole), layout.labels, recipes)
    notes = [layout.note] if layout.note else []
    if found.empty:
        notes.append(f"tiles without enough points are masked: {', '.join(map(str, found.empty))}")
    rigid = found.fit.name == "tiles (rigid)"
    trials = (_trial(found.fit, chosen=True),)
    return Choice(found.fit, found.support, start, trials, layout.strips, tuple(notes), rigid)


def _trial(fit: FieldFit, *, chosen: bool = False) -> TrialScore:
    return TrialScore(fit.name, fit.held_out_px, chosen, fit.curve, fit.note)
