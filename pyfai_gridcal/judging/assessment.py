"""The checks that make the verdict on a calibration.

"good" means: nothing was found that contradicts an error of the field below a tenth of a pixel (rms over the pixels
that are not masked). "doubtful" means that it may be larger, or that something was seen which does not belong to the
image of a plate of round holes. "failed" means that the image is not what it was taken for.

All limits are relative to what the image itself shows (pitch, amplitude, number of points), but the tenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.arrays import Bools
from ..base.units import format_length
from ..fitting.fitting import folded_pixels
from ..fitting.tiles.seams import Seam, find_seams
from ..indexing.regularity import regularity_of
from ..records.fit import DistortionFit
from ..records.points import ControlPoints
from ..records.spots import Spots
from ..records.verdict import Check, Verdict, check_above, check_below
from . import regularities as statistics

__all__ = ["assess"]

#: An error of the field that nobody needs to know of, px.
_NEGLIGIBLE = 0.1
#: Points of which the claimed error of the field is raised by 1.4 if it is limited by their number, not by their noise.
#: Random fields of a hundred holes were found to be up to 2.9 times as wrong as their uncertainty says.
_FEW = 250
#: Reduced chi square from which on a misfit is more than a noise model that is not perfect.
_SEEN = 1.3
#: Share of the pairs of neighbours across a line whose displacements jump, when there is a seam beyond doubt.
_SURE = 0.6
#: What a jump across a line may come from, and when the line is a row of holes (plates are made in steps, too).
_TAPERS = "a seam between modules or tapers? try --model mosaic"
_ROWS = "it runs along a row of holes: a plate that was made in steps, or a seam of the detector?"
#: A spot whose shape differs by this part of its amplitude from the common one is odd.
_ODD = 0.1


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
    checks = [
        *_looks(spots),
        *_lattice(fit, spots),
        *_amount(fit, spots),
        *_geometry(fit, pitch_given, pixel_given),
        *_accuracy(fit, spots),
        *_coverage(fit, mask),
    ]
    return Verdict.of(tuple(checks))


def _worst(spots: tuple[Spots, ...], figure: Callable[[Spots], float]) -> float:
    return max((figure(s) for s in spots), default=0.0)


# ----------------------------------------------------------------------------------------------- spots
def _corners(spots: Spots) -> float:
    if spots.profile is None:
        return 0.0
    structure = statistics.angular_structure(spots.profile)
    return float(np.sqrt(sum(structure[m] ** 2 for m in (4, 6, 8))))


def _oval(spots: Spots) -> float:
    return 0.0 if spots.profile is None else statistics.angular_structure(spots.profile)[2]


def _typical_misfit(spots: Spots) -> float:
    misfit = statistics.profile_misfit(spots)
    # where light is scarce, a little too low a noise makes a large misfit
    return float(np.median(misfit)) if len(misfit) and np.median(spots.chi2) > _SEEN else 0.0


def _odd_share(spots: Spots) -> float:
    odd = (statistics.profile_misfit(spots) > _ODD) & (spots.chi2 > 2 * _SEEN)
    return float(odd.mean()) if len(odd) else 0.0


def _looks(spots: tuple[Spots, ...]) -> list[Check]:
    """Do they look like images of equal round holes?"""
    corners, oval = _worst(spots, _corners), _worst(spots, _oval)
    misfit, odd = _worst(spots, _typical_misfit), _worst(spots, _odd_share)
    scatter = _worst(spots, statistics.amplitude_scatter)
    return [
        check_above(
            "corners of the spots",
            corners,
            f"the spots are not round (they deviate from disks by {100 * corners:.0f} %, with corners): cells between "
            "lines, a chessboard, or holes that are not round?",
            doubtful=0.05,
            failed=0.14,
        ),
        check_above(
            "oval spots",
            oval,
            f"the spots are not round (oval, {100 * oval:.0f} % off a disk): motion, tilt, or lines instead of holes?",
            doubtful=0.2,
            failed=0.5,
        ),
        check_above(
            "unlikeness of the spots",
            misfit,
            f"the spots are not alike or not round: their shape differs from the common one by {100 * misfit:.0f} % "
            "of the amplitude. Shaken while exposing, exposed twice, or no holes?",
            doubtful=0.06,
            failed=0.25,
        ),
        check_above(
            "share of odd spots",
            odd,
            f"{100 * odd:.0f} % of the spots have another shape than most: dirt, shadows, or no holes?",
            doubtful=0.1,
            failed=0.6,
        ),
        check_above(
            "scatter of the amplitudes",
            scatter,
            f"neighbouring spots differ in brightness by {100 * scatter:.0f} %: holes of different size, or no holes?",
            doubtful=0.12,
            failed=None,
        ),
    ]


# ----------------------------------------------------------------------------------------------- lattice
def _lattice(fit: DistortionFit, spots: tuple[Spots, ...]) -> list[Check]:
    """Is it one lattice, and is it regular?"""
    every = list(zip(fit.points, spots, strict=True))
    second = max(statistics.second_lattice(p, s) for p, s in every)
    between = max(statistics.spots_between(p, s) for p, s in every)
    irregular = max(np.nan_to_num(regularity_of(p, len(s)).irregularity) for p, s in every)
    # holes that a seam cuts are known to be wrong
    whole = [p.select(used) if fit.distortion.is_tiled else p for p, used in zip(fit.points, fit.used, strict=True)]
    broken = max(statistics.broken_share(p) for p in whole)
    between_nodes = max(p.seam_doubt for p in fit.points)
    apart = max(statistics.pieces(p) for p in fit.points)
    fill = min(statistics.lattice_fill(p) for p in fit.points)
    return [
        check_above(
            "second lattice",
            second,
            f"between the spots of the lattice lie others that form a second lattice ({100 * second:.0f} % as many): "
            "exposed twice, or two grids over each other",
            doubtful=0.0,
            failed=0.15,
        ),
        check_above(
            "spots between the nodes",
            between,
            f"many spots lie between the nodes of the lattice ({100 * between:.0f} % as many as on it): dirt, or not "
            "the image of one grid",
            doubtful=0.15,
            failed=0.8,
        ),
        check_above(
            "irregularity of the lattice, pitch",
            irregular,
            f"neighbouring spots lie irregularly, by {100 * irregular:.1f} % of the pitch: not a regular grid of "
            "holes, or a bad plate",
            doubtful=0.03,
            failed=0.08,
        ),
        check_above(
            "spots that contradict their neighbours",
            broken,
            f"{100 * broken:.1f} % of the spots contradict their neighbours: wrong indices, or not a regular grid of "
            "holes",
            doubtful=0.01,
            failed=0.1,
        ),
        check_above(
            "pieces between two nodes, pitch",
            between_nodes,
            f"pieces of the lattice are {between_nodes:.2f} pitches off each other: how they go on is a guess",
            doubtful=0.33,
            failed=None,
        ),
        check_above(
            "points apart from the others",
            apart,
            f"{100 * apart:.0f} % of the points stand apart from the others: their place in the lattice is "
            "extrapolated over a gap",
            doubtful=0.25,
            failed=None,
        ),
        check_below(
            "filling of the lattice",
            fill,
            f"only {100 * fill:.0f} % of the nodes hold a spot",
            doubtful=0.6,
            failed=0.25,
        ),
    ]


def _amount(fit: DistortionFit, spots: tuple[Spots, ...]) -> list[Check]:
    """Are there enough points, and do they agree?"""
    fewest = min(len(p) for p in fit.points)
    share = sum(len(p) for p in fit.points) / max(sum(len(s) for s in spots), 1)
    used = float(np.mean(np.concatenate(fit.used)))
    return [
        check_below("control points", fewest, f"only {fewest} control points", doubtful=25, failed=9),
        check_below(
            "share of spots with a node",
            share,
            f"only {100 * share:.0f} % of the spots lie on the lattice",
            doubtful=0.8,
            failed=0.45,
        ),
        check_below(
            "share of points used",
            used,
            f"{100 * (1 - used):.0f} % of the control points are outliers of the fit",
            doubtful=0.9,
            failed=0.6,
        ),
    ]


# ----------------------------------------------------------------------------------------------- geometry
def _geometry(fit: DistortionFit, pitch_given: int, pixel_given: bool) -> list[Check]:
    """Are plate and pixel what they were said to be, and is the field one to one?"""
    d = fit.distortion
    raster = d.pixel_size if pixel_given else (1.0, 1.0)
    aspect = min(statistics.corrected_anisotropy(p, fit.plate, raster) for p in fit.points)
    out = [
        check_above("aspect of the lattice", aspect, _aspect_words(fit, aspect, pitch_given), doubtful=1.1, failed=1.25)
    ]
    if pixel_given:
        out.append(_scale(fit))
    valid = np.ones(d.shape, bool) if d.mask is None else ~d.mask
    folded = float((folded_pixels(d.field, d.shape) & valid).sum() / max(int(valid.sum()), 1))
    text = f"the field folds over on {100 * folded:.2g} % of the pixels"
    out.append(check_above("folded over", folded, text, doubtful=0.0, failed=0.01))
    return out


def _aspect_words(fit: DistortionFit, aspect: float, pitch_given: int) -> str:
    pixel = fit.distortion.pixel_size
    longer = max(pixel) / min(pixel)
    if longer - 1 > 0.5 * (aspect - 1):
        order = "in the right order" if pitch_given > 1 else "of a rectangular plate"
        return (
            f"pixels come out {longer:.2f} times longer one way than the other: give both pitches {order} "
            "(--pitch 3mm,2mm), or the pixel size if pixels are like that (--pixel)"
        )
    return (
        f"everywhere the grid is {aspect:.2f} times longer one way than the other, askew to the pixels: give both "
        "pitches of a rectangular plate (--pitch 3mm,2mm), or the angle of an oblique one (--lattice oblique --angle)"
    )


def _scale(fit: DistortionFit) -> Check:
    """Pixel size that the lattice shows against the one that was given."""
    d = fit.distortion
    given = float(np.sqrt(d.pixel_size[0] * d.pixel_size[1]))
    scales = [np.median(np.sqrt(statistics.lattice_scale(p, fit.plate).prod(axis=1))) for p in fit.points]
    seen = float(1 / np.median(scales))
    ratio = max(seen / given, given / seen)
    text = (
        f"the lattice shows {format_length(seen)} per pixel, but {format_length(given)} was given: check the pitch and "
        "the pixel size"
    )
    return check_above("pixel size seen and given", ratio, text, doubtful=1.12, failed=1.5)


# ----------------------------------------------------------------------------------------------- accuracy
def _accuracy(fit: DistortionFit, spots: tuple[Spots, ...]) -> list[Check]:
    pitch = min(min(p.pitch_px) for p in fit.points)
    sigma = float(np.sqrt(np.mean([np.median(p.sigma_yx**2) for p in fit.points])))
    held, scatter = fit.held_out_px, fit.plate_sigma_px
    common = max(statistics.common_motion(*row) for row in zip(fit.points, fit.held_out_yx, fit.used, strict=True))
    systematic = common[0] if common[0] > 3 * common[1] else 0.0
    expected = float(np.hypot(_field_sigma(fit) * _caution(fit, sigma), systematic))
    cause = "the field is rougher than the model follows" if systematic > scatter else "errors of the plate, or jumps"
    return [
        check_above(
            "held-out error, share of the pitch",
            held / pitch,
            f"points left out are predicted no better than {held:.2g} px: {cause}",
            doubtful=0.03,
            failed=0.12,
        ),
        check_above(
            "error of the field, px",
            expected,
            f"the field is known no better than {expected:.2g} px",
            doubtful=_NEGLIGIBLE,
            failed=max(1.0, 0.05 * pitch),
        ),
        check_above(
            "common residuals of neighbours, px",
            systematic,
            f"neighbouring points are off together, by {systematic:.2g} px: the model does not follow the field",
            doubtful=_NEGLIGIBLE,
            failed=None,
        ),
        check_above(
            "scatter beyond the spots' own sigma, px",
            scatter,
            f"points scatter by {scatter:.2g} px more than the images of the holes explain ({sigma:.2g} px): {cause}",
            doubtful=max(0.015 * pitch, 5 * sigma, 0.3),
            failed=None,
        ),
        _seam(fit, sigma),
    ]


def _field_sigma(fit: DistortionFit) -> float:
    """Rms uncertainty of the field over the pixels that are not masked, length of the vector, px."""
    d = fit.distortion
    maps = d.sigma_maps(step=8)
    if maps is None:
        return 0.0
    valid = np.isfinite(maps[0]) & np.isfinite(maps[1])
    if d.mask is not None:
        valid &= ~d.mask[::8, ::8]
    if not valid.any():
        return float("inf")
    return float(np.sqrt(np.mean((maps[0] ** 2 + maps[1] ** 2)[valid])))


def _caution(fit: DistortionFit, sigma: float) -> float:
    """Factor by which the claimed error of the field is raised.

    Points that are predicted as well as they are seen show how rough the field is. Where prediction is much worse, the
    roughness between them is guessed from them, the worse the fewer they are.
    """
    points = max(int(sum(used.sum() for used in fit.used)), 1)
    guessed = max(1 - (1.5 * sigma / max(fit.held_out_px, 1e-12)) ** 2, 0.0)
    return float(np.sqrt(1 + guessed * _FEW / points))


def _seam(fit: DistortionFit, sigma: float) -> Check:
    """A jump across a straight line that the model does not have: of the residuals, or of the displacements
    themselves, where the field was bent to follow it."""
    jump, where, cause = 0.0, "", ""
    for p, residual, held_out, used in zip(fit.points, fit.residual_yx, fit.held_out_yx, fit.used, strict=True):
        if fit.distortion.is_tiled or used.sum() < 36:
            continue
        d = fit.distortion.displacement(p.yx) - residual
        found = [
            *find_seams(p.yx[used], p.ij[used], held_out[used]),
            *(seam for seam in find_seams(p.yx, p.ij, d) if seam.share > _SURE),
        ]
        for seam in found:
            if seam.share * seam.jump_px > jump:
                jump, where = seam.share * seam.jump_px, str(seam)
                cause = _ROWS if seam.slope and _along_rows(seam, p) else _TAPERS
    text = f"the points jump by {jump:.2g} px at {where}: {cause}"
    return check_above("jump of the residuals, px", jump, text, doubtful=max(_NEGLIGIBLE, 4 * sigma), failed=None)


def _along_rows(seam: Seam, points: ControlPoints) -> bool:
    """Whether a seam runs along a row of holes: it leaves the direction of the lattice by less than a pitch over the
    whole image."""
    along = np.array([seam.slope, 1.0] if seam.axis == 0 else [1.0, seam.slope])
    across = along[::-1] * [1.0, -1.0] / np.hypot(*along)
    step = float(np.linalg.norm(points.basis_px, axis=1).max())
    turn = step / max(float(np.ptp(points.yx[:, 1 - seam.axis])), step)
    return bool((np.abs(points.basis_px @ across) < turn * np.linalg.norm(points.basis_px, axis=1)).any())


def _coverage(fit: DistortionFit, mask: Bools | None) -> list[Check]:
    d = fit.distortion
    alive = np.ones(d.shape, bool) if mask is None else ~mask
    known = alive if d.mask is None else alive & ~d.mask
    share = float(known.sum() / max(int(alive.sum()), 1))
    text = f"only {100 * share:.1f} % of the detector is calibrated"
    return [check_below("coverage", share, text, doubtful=0.25, failed=0.002)]
