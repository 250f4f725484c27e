"""The checks that make the verdict on a calibration.

"good" means: nothing was found that contradicts an error of the field below a tenth of a pixel (rms over the pixels
that are not masked). "doubtful" means that it may be larger, or that something was seen which does not belong to the
image of a plate of round holes. "failed" means that the image is not what it was taken for.

Most limits are relative to what the image itself shows (pitch, amplitude, number of points); all of them stand in
:mod:`~pyfai_gridcal.judging.limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.geometry import tree_of
from ..base.robust import rms
from ..base.threads import one_blas_thread
from ..base.units import format_length
from ..fitting.fitting import folded_pixels
from ..fitting.neighbours import surely_common
from ..fitting.support import share_off
from ..fitting.tiles.seams import Seam, find_seams
from ..indexing.regularity import regularity_of
from ..records.field import TiledField
from ..records.fit import DistortionFit
from ..records.plate import without_errors
from ..records.points import ControlPoints
from ..records.spots import Spots
from ..records.verdict import Verdict
from .limits import RULES, Scale
from .regularities import (
    amplitude_scatter,
    angular_structure,
    broken_share,
    copy_share,
    corrected_anisotropy,
    hole_share,
    lattice_fill,
    lattice_scale,
    pieces,
    profile_misfit,
    ripple,
    second_lattice,
    spots_between,
    tile_offset,
    two_kinds,
)
from .steps import row_step, stays
from .tilt import tilted_view

#: Figures by the name of their check, and what else its words need to know.
Figures = dict[str, float]
Words = dict[str, str]

#: Points of which the claimed error of the field is raised by 1.4 if it is limited by their number, not by their noise.
#: Random fields of a hundred holes were found to be up to 2.9 times as wrong as their uncertainty says.
_FEW = 250
#: Reduced chi square from which on a misfit is more than a noise model that is not perfect.
_SEEN = 1.3
#: Share of the pairs of neighbours across a line whose displacements jump, when there is a seam beyond doubt.
_SURE = 0.6
#: Fewest points among which a seam is looked for.
_SEAM_POINTS = 36
#: Pixels between two samples of the map of the uncertainty, which is smooth.
_STEP = 8
#: What a jump across a line may come from, and when the line is a row of holes (plates are made in steps, too).
_TAPERS = "a seam between modules or tapers? try --model mosaic"
_ROWS = "it runs along a row of holes"
#: Rows that are named by their place.
_NAMED_ROWS = 3
#: Share of the plate beyond which holes may be the cells of something else: a chessboard has a half of light cells,
#: seen as 0.36 and more where it is blurred; holes half as wide as their pitch have a fifth.
_CROWDED = 0.3
#: A spot whose shape differs by this part of its amplitude from the common one is odd.
_ODD = 0.1


@one_blas_thread()
def assess(
    fit: DistortionFit,
    spots: tuple[Spots, ...],
    *,
    pitch_given: int = 1,
    pixel_given: bool = False,
    mask: Bools | None = None,
) -> Verdict:
    """Judge a fit.

    Parameters
    ----------
    fit : of all exposures
    spots : of each exposure
    pitch_given : how many pitches the user named
    pixel_given : whether the user named a pixel size
    mask : (ny, nx) pixels that never had a chance of being calibrated
    """
    sigma = float(np.sqrt(np.mean([np.median(p.sigma_yx**2) for p in fit.points])))
    scale = Scale(min(min(p.pitch_px) for p in fit.points), sigma, _caution(fit, sigma))
    words: Words = {}
    figures = {
        **_looks(fit, spots, fit.distortion.pixel_size if pixel_given else (1.0, 1.0)),
        **_lattice(fit, spots),
        **_amount(fit, spots),
        **_geometry(fit, pitch_given, pixel_given, words),
        **_accuracy(fit, scale, words),
        **_seam(fit, words),
        "steps along rows of holes, px": _steps(fit, mask, words),
        "coverage": _coverage(fit, mask),
    }
    checks = (rule.check(figures[rule.name], scale, words.get(rule.name, "")) for rule in RULES if rule.name in figures)
    return Verdict.of(tuple(checks))


# ----------------------------------------------------------------------------------------------- spots
def _looks(fit: DistortionFit, spots: tuple[Spots, ...], pixel: tuple[float, float]) -> Figures:
    """How far spots are from images of equal round holes, in the worst exposure."""
    aspect = pixel[0] / pixel[1]
    figures: dict[str, Callable[[Spots], float]] = {
        # blur goes by pixels: where these are long, it makes ovals of round holes
        "oval spots": lambda s: _harmonics(s, aspect, 2) / max(aspect, 1 / aspect) ** 0.5,
        "differences of spot shape": _typical_misfit,
        "share of odd spots": _odd_share,
        "scatter of the amplitudes": amplitude_scatter,
        "holes that were passed over": lambda s: s.passed_over,
    }
    worst = {name: max((figure(s) for s in spots), default=0.0) for name, figure in figures.items()}
    # square holes are as good as round ones; a chessboard, and the cells between lines, are no holes
    every = list(zip(fit.points, spots, strict=True))
    cornered = [_harmonics(s, aspect, 4, 6, 8) for p, s in every if hole_share(p, s) > _CROWDED]
    return {
        "corners of the spots": max(cornered, default=0.0),
        "copies beside the spots": max(
            0.0 if s.profile is None else copy_share(s.profile, 0.5 * min(p.pitch_px), aspect) for p, s in every
        ),
        **worst,
        "two kinds of spots": max(two_kinds(p, s) for p, s in every),
    }


def _harmonics(spots: Spots, aspect: float, *which: int) -> float:
    """Rms of some angular harmonics of the spots, in real lengths."""
    if spots.profile is None:
        return 0.0
    structure = angular_structure(spots.profile, aspect)
    return float(np.sqrt(sum(structure[m] ** 2 for m in which)))


def _typical_misfit(spots: Spots) -> float:
    misfit = profile_misfit(spots)
    # where light is scarce, a little too low a noise makes a large misfit
    return float(np.median(misfit)) if len(misfit) and np.median(spots.chi2) > _SEEN else 0.0


def _odd_share(spots: Spots) -> float:
    odd = (profile_misfit(spots) > _ODD) & (spots.chi2 > 2 * _SEEN)
    return float(odd.mean()) if len(odd) else 0.0


# ----------------------------------------------------------------------------------------------- lattice
def _lattice(fit: DistortionFit, spots: tuple[Spots, ...]) -> Figures:
    """Whether it is one lattice, and regular, in the worst exposure."""
    every = list(zip(fit.points, spots, strict=True))
    # holes that a seam cuts are known to be wrong
    whole = [p.select(used) if fit.distortion.is_tiled else p for p, used in zip(fit.points, fit.used, strict=True)]
    irregular = (regularity_of(p, len(s)).irregularity for p, s in every)
    # pieces of lattice that do not touch, and tiles that it grew across where they happened to fit
    apart = [max(p.seam_doubt, tile_offset(fit.distortion, p)) for p in fit.points]
    return {
        "second lattice": max(second_lattice(p, s) for p, s in every),
        "spots between the nodes": max(spots_between(p, s) for p, s in every),
        "irregularity of the lattice, pitch": max(np.nan_to_num(value) for value in irregular),
        "spots inconsistent with their neighbours": max(map(broken_share, whole)),
        "tiles offset by about half a pitch, pitch": max(apart),
        "points apart from the others": max(map(pieces, fit.points)),
        "filling of the lattice": min(map(lattice_fill, fit.points)),
    }


def _amount(fit: DistortionFit, spots: tuple[Spots, ...]) -> Figures:
    """Whether there are enough points, and whether they agree."""
    return {
        "control points": min(len(p) for p in fit.points),
        "share of spots assigned to the grid": sum(len(p) for p in fit.points) / max(sum(len(s) for s in spots), 1),
        "share of points used": float(np.mean(np.concatenate(fit.used))),
    }


# ----------------------------------------------------------------------------------------------- geometry
def _geometry(fit: DistortionFit, pitch_given: int, pixel_given: bool, words: Words) -> Figures:
    """Whether plate and pixel are what they were said to be, and the field is one to one."""
    d = fit.distortion
    # A pixel size that was fitted has taken the aspect upon itself: then it is seen on the raster of the image.
    raster = d.pixel_size if pixel_given else (1.0, 1.0)
    scales = [lattice_scale(p, fit.plate, raster) for p in fit.points]
    tilts = [tilted_view(p, fit.plate, d.shape, raster) for p in fit.points]
    aspect = min(t.anisotropy if t else corrected_anisotropy(s) for t, s in zip(tilts, scales, strict=True))
    words["aspect of the lattice"] = _aspect_words(fit, aspect, pitch_given)
    out = {"aspect of the lattice": aspect}
    if pixel_given:
        given = float(np.sqrt(d.pixel_size[0] * d.pixel_size[1]))
        seen = given / float(np.median([np.median(np.sqrt(one.prod(axis=1))) for one in scales]))
        out["pixel size seen and given"] = max(seen / given, given / seen)
        words["pixel size seen and given"] = (
            f"the lattice shows {format_length(seen)} per pixel, but {format_length(given)} was given: check the "
            "pitch and the pixel size"
        )
    valid = np.ones(d.shape, bool) if d.mask is None else ~d.mask
    folded = folded_pixels(d.field, d.shape)
    out["not one-to-one"] = int(np.count_nonzero(folded & valid)) / max(int(np.count_nonzero(valid)), 1)
    return out


def _aspect_words(fit: DistortionFit, aspect: float, pitch_given: int) -> str:
    pixel = fit.distortion.pixel_size
    longer = max(pixel) / min(pixel)
    if longer - 1 > 0.5 * (aspect - 1):
        order = "in the right order" if pitch_given > 1 else "of a rectangular plate"
        return (
            f"the pixel aspect ratio comes out as {longer:.2f}: give both pitches {order} "
            "(--pitch 3mm,2mm), or the pixel size if pixels are like that (--pixel)"
        )
    return (
        f"the grid is {aspect:.2f} times longer along one direction, oblique to the pixels, than across it: give both "
        "pitches of a rectangular plate (--pitch 3mm,2mm), or the angle of an oblique one (--lattice oblique --angle)"
    )


# ----------------------------------------------------------------------------------------------- accuracy
def _accuracy(fit: DistortionFit, scale: Scale, words: Words) -> Figures:
    """How well points that were left out are predicted, how well the field is known, and what residuals share."""
    scatter = fit.plate_sigma_px
    rows = list(zip(fit.points, fit.held_out_yx, fit.used, strict=True))
    common = max(surely_common(tree_of(points.yx[used]), held[used]) for points, held, used in rows)
    waves = max(ripple(*row) for row in rows)
    systematic = max(common, waves)
    cause = "the field is rougher than the model follows" if systematic > scatter else "errors of the plate, or jumps"
    words["prediction error, share of the pitch"] = f"{fit.held_out_px:.2g} px: {cause}"
    words["extra scatter that photon noise does not explain, px"] = cause
    # what neighbours share is in the map of the uncertainty, too; few points leave the rest unsure, not what they show
    rest = np.sqrt(np.maximum(_field_sigma(fit) ** 2 - common**2, 0.0))
    sigma = np.hypot(rest * scale.caution, systematic)
    return {
        "prediction error, share of the pitch": fit.held_out_px / scale.pitch,
        "error of the field, px": rms(sigma),
        "area off by a tenth of a pixel": float(share_off(sigma).mean()),
        "common residuals of neighbours, px": systematic,
        "extra scatter that photon noise does not explain, px": scatter,
    }


def _field_sigma(fit: DistortionFit) -> Floats:
    """Uncertainty (N,) of the field at the pixels that are not masked, length of the vector, px."""
    d = fit.distortion
    maps = d.sigma_maps(step=_STEP)
    if maps is None:
        return np.zeros(1)
    valid = np.isfinite(maps[0]) & np.isfinite(maps[1])
    if d.mask is not None:
        valid &= ~d.mask[::_STEP, ::_STEP]
    return np.asarray(np.hypot(*maps)[valid]) if valid.any() else np.full(1, np.inf)


def _caution(fit: DistortionFit, sigma: float) -> float:
    """Factor by which the claimed error of the field is raised.

    Points that are predicted as well as they are seen show how rough the field is. Where prediction is much worse, the
    roughness between them is guessed from them, the worse the fewer they are: of tiles, each from its own.
    """
    field = fit.distortion.field
    tiles = len(field.fields) if isinstance(field, TiledField) else 1
    points = max(sum(int(used.sum()) for used in fit.used) / tiles, 1)
    guessed = max(1 - (1.5 * sigma / max(fit.held_out_px, 1e-12)) ** 2, 0.0)
    return float(np.sqrt(1 + guessed * _FEW / points))


def _seam(fit: DistortionFit, words: Words) -> Figures:
    """A jump across a straight line that the model does not have: of the residuals, or of the displacements
    themselves, where the field was bent to follow it."""
    jump, cause = 0.0, ": "
    for p, found in _seams(fit):
        for seam in found:
            if seam.share * seam.jump_px > jump:
                jump = seam.share * seam.jump_px
                rows = bool(seam.slope) and _along_rows(seam, p)
                cause = f"{seam}: {f'{_ROWS}: {_whose(fit, None)}' if rows else _TAPERS}"
    words["jump of the residuals, px"] = cause
    return {"jump of the residuals, px": jump}


def _seams(fit: DistortionFit) -> Iterable[tuple[ControlPoints, list[Seam]]]:
    """Points of each exposure, with the seams that they show; none where tiles were fitted or points are few."""
    for p, d, held_out, used in zip(fit.points, _given(fit), fit.held_out_yx, fit.used, strict=True):
        if fit.distortion.is_tiled or used.sum() < _SEAM_POINTS:
            continue
        sure = [seam for seam in find_seams(p.yx, p.ij, d) if seam.share > _SURE]
        yield p, [*find_seams(p.yx[used], p.ij[used], held_out[used]), *sure]


def _given(fit: DistortionFit) -> Iterator[Floats]:
    """Displacements (N, 2) that the points of each exposure show: from where they are to where their holes are, px."""
    for p, pose in zip(fit.points, fit.poses, strict=True):
        yield pose.corrected(fit.plate.positions(p.ij), fit.distortion.pixel_size) - p.yx


def _steps(fit: DistortionFit, mask: Bools | None, words: Words) -> float:
    """A jump along a whole row of holes. Whoever asked for tiles knows that the detector has them."""
    if fit.distortion.is_tiled and len(fit.trials) == 1:
        return 0.0
    jump = 0.0
    for p, d, used in zip(fit.points, _given(fit), fit.used, strict=True):
        size, rows = row_step(p, d, used, mask)
        if size > jump:
            named = ", ".join(f"{axis} = {at:.0f}" for axis, at in rows[:_NAMED_ROWS])
            more = " ..." * (len(rows) > _NAMED_ROWS)
            count = f"{len(rows)} row{'s' if len(rows) > 1 else ''} of holes ({named}{more} px)"
            jump, words["steps along rows of holes, px"] = size, f"{count}: {_whose(fit, mask)}"
    return jump


def _whose(fit: DistortionFit, mask: Bools | None) -> str:
    """Whether jumps along rows of holes are the plate's, which was made in steps, or the detector's; or what tells."""
    if len(fit.points) == 1:
        return (
            "a plate that was made in steps, or a seam of the detector? One more exposure tells: turn the plate by a "
            "quarter, shift it by three pitches, and calibrate both together. What stays there is the detector's: name "
            "it with --mask or --model mosaic"
        )
    ideal = replace(fit, plate=without_errors(fit.plate))
    rows = [row_step(p, d, used, mask)[1] for p, d, used in zip(fit.points, _given(ideal), fit.used, strict=True)]
    if stays(rows, min(fit.points[0].pitch_px)):
        return "it stays there while the plate moves: a seam of the detector, name it with --mask or --model mosaic"
    return "it moves with the plate, which was made in steps: more exposures, turned and shifted, bring it down"


def _along_rows(seam: Seam, points: ControlPoints) -> bool:
    """Whether a seam runs along a row of holes: it leaves the direction of the lattice by less than a pitch over the
    whole image."""
    along = np.array([seam.slope, 1.0] if seam.axis == 0 else [1.0, seam.slope])
    across = along[::-1] * [1.0, -1.0] / np.hypot(*along)
    step = float(np.linalg.norm(points.basis_px, axis=1).max())
    turn = step / max(float(np.ptp(points.yx[:, 1 - seam.axis])), step)
    return bool((np.abs(points.basis_px @ across) < turn * np.linalg.norm(points.basis_px, axis=1)).any())


def _coverage(fit: DistortionFit, mask: Bools | None) -> float:
    """Share of the pixels that could be calibrated, and are."""
    d = fit.distortion
    alive = np.ones(d.shape, bool) if mask is None else ~mask
    known = alive if d.mask is None else alive & ~d.mask
    return int(np.count_nonzero(known)) / max(int(np.count_nonzero(alive)), 1)
