"""Spots of an image, found without being told anything: survey, candidates, learned profile, fit, second look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import ndimage

from ..base.arrays import AnyArray, Bools
from ..base.errors import IndexingError, PickingError
from ..base.progress import Progress, untold
from ..base.threads import one_blas_thread
from ..indexing.indexing import GrownLattice, index_spots
from ..indexing.prediction import away_from
from ..indexing.regularity import Regularity, regularity_of
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Noise, Polarity, Spots
from .holes.undersampled import UNDERSAMPLED
from .large import enlarged, prepared_for, shrunk
from .phases import without_phases
from .picking import Candidates, pick
from .search import REGULAR, Found, completed, instrument_of, lattice_of, look_at
from .selection import chosen
from .survey import HoleGuess, filled, squared, survey, without_lines
from .units import in_usual_units

__all__ = ["SpotsFound", "find_spots", "search_spots"]

#: Least contrast of a candidate relative to its neighbourhood's: half a hole has 0.5.
THRESHOLD = 0.35
#: Least relative contrast of holes of a second kind, half as wide as the others: a quarter, less a margin. Ghosts have
#: less.
_FAINT = 0.14
#: How many more nodes there are with these, per node: every second hole, or every fourth.
_SECOND = 0.3
#: A candidate is no spot when none is nearer than this share of the pitch.
_APART = 0.35
#: Holes of at most this radius, px, are taken away together with lines.
_WIDER = 2.5
#: Irregularity from which on a crowd may be a lattice by chance only: noisy holes in a strong field have 0.02.
_CHANCE = 0.03
#: Share of the candidates on the lattice from which on no other guess is looked at.
_PLAIN = 0.9
#: Share of the image that holes cover at the least where the survey has seen them sharply: it clips the one per cent
#: that stands out most along with hot pixels, and its guess is good to 30 %.
_SPARSE = 0.025
#: Specks are so many times as bright as most of what stands out, with a halo of so many px around, and cover at most
#: this share of the image: holes in the middle of a beam are two or three times as bright as most. They hide these
#: where most of the contrast, squared, is theirs; elsewhere a search without them finds what the first one did.
_FAR_ABOVE, _HALO, _SPECKS = 4.0, 2, 0.1
#: Sizes about the best guess are this factor apart, as those of the survey; that far a guess goes at most, unless its
#: merit is hopeless beside that of the best: that of holes of half the radius is a tenth.
_STEP, _CLIMB, _HOPELESS = 2**0.5, 4, 0.1


@dataclass(frozen=True, eq=False)
class SpotsFound:
    """What a search found.

    Attributes
    ----------
    spots : with position, uncertainty and flags
    lattice : what the plate was said to be
    grown : the lattice of all the spots, None where the search did not need it
    aspect : of a pixel, slow over fast
    """

    spots: Spots
    lattice: LatticeKind
    grown: GrownLattice | None
    aspect: float = 1.0

    def points(self, *, lattice: LatticeKind, angle_deg: float | None = None) -> ControlPoints:
        """The spots as :func:`~pyfai_gridcal.indexing.indexing.index_spots` indexes them; nothing grows twice."""
        if self.grown is None or lattice != self.lattice:
            return index_spots(self.spots, lattice=lattice, angle_deg=angle_deg, aspect=self.aspect)
        return self.grown.points(self.spots, angle_deg)


def find_spots(
    image: AnyArray,
    *,
    mask: Bools | None = None,
    saturation: float | None = None,
    polarity: Polarity | None = None,
    hole_px: float | None = None,
    noise: Noise | None = None,
    threshold: float = THRESHOLD,
    lattice: LatticeKind = "auto",
    complete: bool = True,
    workers: int = 2,
    progress: Progress | None = None,
) -> Spots:
    """Find the holes in an image and measure where they are.

    Polarity, size and contrast of the holes come from the image; so does the lattice, which is used here only to know
    how holes are stretched and where to look a second time: nothing is dropped for not fitting it.

    Parameters
    ----------
    image : (ny, nx) counts
    mask : (ny, nx), True = ignore this pixel
    saturation : readings from here on are ignored
    polarity : "bright" or "dark" holes, if it is known
    hole_px : diameter of a hole, px, if it is known
    noise : noise of the pixels, if it is known
    threshold : least contrast of a candidate relative to its neighbourhood's
    lattice : what the plate is, if it is known
    complete : look a second time where the lattice says that a hole should be
    workers : threads
    progress : called with a fraction and what is being done

    Returns
    -------
    Spots with position, uncertainty and flags

    Raises
    ------
    PickingError
        Nothing that looks like holes was found.

    References
    ----------
    .. [1] J. Anderson, I. R. King, PASP 112 (2000) 1360, doi:10.1086/316632

    Examples
    --------
    >>> import numpy as np
    >>> from pyfai_gridcal import find_spots
    >>> from pyfai_gridcal.synthetic import demo_scene
    >>> picture = demo_scene((260, 300), pitch_px=24.0).render(np.random.default_rng(3))
    >>> spots = find_spots(picture.image)
    >>> spots.polarity, len(spots) > 120
    ('bright', True)
    """
    search = partial(search_spots, image, mask=mask, saturation=saturation, polarity=polarity, hole_px=hole_px)
    search = partial(search, noise=noise, threshold=threshold, lattice=lattice, complete=complete)
    return search(workers=workers, progress=progress).spots


@one_blas_thread()
@in_usual_units
def search_spots(
    image: AnyArray,
    *,
    mask: Bools | None = None,
    saturation: float | None = None,
    polarity: Polarity | None = None,
    hole_px: float | None = None,
    noise: Noise | None = None,
    threshold: float = THRESHOLD,
    lattice: LatticeKind = "auto",
    aspect: float = 1.0,
    complete: bool = True,
    workers: int = 2,
    progress: Progress | None = None,
) -> SpotsFound:
    """As :func:`find_spots`, for those who index the spots as well: the lattice is handed on with them.

    `aspect` is that of a pixel, slow over fast; a round hole is an oval in pixels that are not square.
    """
    image = np.asarray(image)
    if image.ndim != 2 or not image.size:
        raise PickingError(f"image of shape {image.shape}", expected="two dimensions, none of them empty")
    if mask is not None and mask.shape != image.shape:
        raise PickingError(f"mask of shape {mask.shape} for an image of shape {image.shape}")
    say = progress or untold
    say(0.0, "looking for holes")
    first = partial(_found, image, saturation=saturation, polarity=polarity, hole_px=hole_px)
    first = partial(first, threshold=threshold, lattice=lattice, aspect=aspect, workers=workers)
    try:
        found = first(mask)
    except IndexingError:
        # specks far brighter than holes hide these
        specks = _glaring(filled(image, mask), polarity)
        if specks is None:
            raise
        mask = specks if mask is None else mask | specks
        found = first(mask)
    say(0.3, f"fitting {len(found.candidates)} spots")
    prepared = prepared_for(image, mask, saturation, found)
    factor = prepared.factor
    # from here on each stage knows more: what a hole looks like, where each is, where one is missing
    tools, candidates, stretch_error = instrument_of(prepared, *shrunk(found, noise, factor), workers)
    look = look_at(tools, candidates, stretch_error)
    spots, usual = chosen(look.tools, look.fitted, look.usual)
    grown = None
    if complete:
        say(0.8, "looking again where holes are missing")
        spots, grown = completed(look, spots, usual, lattice, aspect)
        # holes of a pixel have been asked with places free
        if grown is not None and tools.profile_radius > UNDERSAMPLED:
            spots = without_phases(spots, grown.points(spots))
    if factor > 1:
        spots, grown = enlarged(spots, factor), None
    spots = replace(spots, passed_over=_passed_over(found, spots, image.shape))
    say(1.0, "spots found")
    return SpotsFound(spots, lattice, grown, aspect)


def _found(
    image: AnyArray,
    mask: Bools | None,
    *,
    saturation: float | None,
    polarity: Polarity | None,
    hole_px: float | None,
    threshold: float,
    lattice: LatticeKind,
    aspect: float,
    workers: int,
) -> Found:
    """The candidates, with the guess that made a lattice of them; see :func:`find_spots`."""
    ignore = mask
    if saturation is not None and not np.isfinite(image).all():
        ignore = ~np.isfinite(image) if mask is None else mask | ~np.isfinite(image)
    # the survey guesses polarity and size, unless they are given
    smooth, per = squared(filled(image, ignore), aspect)
    if hole_px is not None:
        names = [polarity] if polarity else [g.polarity for g in survey(smooth, workers=workers)[:1]]
        guesses: tuple[HoleGuess, ...] = tuple(HoleGuess(name, hole_px / 2 * np.sqrt(per.max())) for name in names)
    else:
        guesses = survey(smooth, polarity=polarity, workers=workers)
    # candidates for each guess, until those of one form a lattice
    found = _best_guess(smooth, guesses, threshold, lattice, mask, aspect).without_crowds(lattice, aspect)
    # its size was seen on pixels of the shorter side
    return replace(found, guess=replace(found.guess, radius_px=found.guess.radius_px / np.sqrt(per.max())))


def _glaring(image: AnyArray, polarity: Polarity | None) -> Bools | None:
    """Specks (ny, nx) that stand out far more than most of what does, or None: clusters of hot pixels, reflexes."""
    guess = survey(image, polarity=polarity)[0]
    every = pick(image, polarity=guess.polarity, radius_px=guess.radius_px, threshold=0.0)
    if not len(every):
        return None
    sign = 1.0 if guess.polarity == "bright" else -1.0
    far = sign * (image - np.median(image)) > _FAR_ABOVE * np.median(every.contrast)
    specks: Bools = ndimage.binary_dilation(far, iterations=_HALO)
    at = np.clip(np.rint(every.yx).astype(int), 0, np.array(image.shape) - 1)
    theirs = every.contrast[specks[tuple(at.T)]]
    hide = 2 * (theirs**2).sum() > (every.contrast**2).sum()
    return specks if hide and specks.mean() < _SPECKS else None


@dataclass(frozen=True, eq=False)
class _Attempt:
    """What came of a guess: all candidates, those that stand out enough, their lattice, and what speaks for it."""

    found: Found
    every: Candidates
    regularity: Regularity
    merit: float

    @property
    def is_plain(self) -> bool:
        """Whether nearly all that stands out lies on a lattice: other guesses need not be looked at."""
        it = self.regularity
        return it.points >= 20 and it.share > _PLAIN and it.irregularity < REGULAR


def _passed_over(found: Found, spots: Spots, shape: tuple[int, ...]) -> float:
    """Candidates on the lattice that are no spots, per spot; not those that the border cuts or that lie in the dark,
    nor a crowd on which a lattice has grown by chance."""
    if found.points is None:
        return 0.0
    yx, apart = found.points.yx, _APART * min(found.points.pitch_px)
    contrast = found.candidates.contrast[found.points.spot]
    inside = ((yx > apart) & (yx < np.array(shape) - 1 - apart)).all(axis=1)
    lost = inside & away_from(yx, spots.yx, apart) & (contrast > _FAINT * np.median(contrast))
    if not lost.any():
        return 0.0
    by_chance = not regularity_of(found.points, len(yx), lost).irregularity < _CHANCE
    return 0.0 if by_chance else float(lost.sum() / len(spots))


def _best_guess(
    image: AnyArray,
    guesses: tuple[HoleGuess, ...],
    threshold: float,
    lattice: LatticeKind,
    mask: Bools | None,
    aspect: float = 1.0,
) -> Found:
    """The guess about the holes of which the lattice shows most of the image's contrast; `image` is the squared one."""
    per = np.maximum([aspect, 1 / aspect], 1.0)

    attempts: list[_Attempt] = []
    picture = image

    def attempt(guess: HoleGuess) -> _Attempt:
        least = min(threshold, _FAINT)
        every = pick(picture, polarity=guess.polarity, radius_px=guess.radius_px, threshold=least)
        every = replace(every, yx=(every.yx + 0.5) / per - 0.5)
        if mask is not None and len(every):
            k = np.clip(np.rint(every.yx).astype(int), 0, np.array(mask.shape) - 1)
            every = every.select(~mask[k[:, 0], k[:, 1]])
        candidates = every.select(every.relative > threshold)
        # noise and what lies between holes form lattices, too, but those of holes have the contrast, and the area
        contrast, points = candidates.contrast, None
        if 2 * guess.radius_px**2 * float((contrast**2).sum()) > max((one.merit for one in attempts), default=0.0):
            points = lattice_of(candidates, lattice, aspect)
            contrast = contrast if points is None else contrast[points.spot]
        regularity = regularity_of(points, len(candidates))
        energy = float(np.median(contrast)) ** 2 * guess.radius_px**2 if len(contrast) else 0.0
        merit = energy * max(regularity.merit, 1e-6 * len(candidates))
        return _Attempt(Found(guess, candidates, points), every, regularity, merit)

    for guess in guesses[:5]:
        attempts.append(attempt(guess))
        if attempts[-1].is_plain:
            break
    if len(guesses) > 1 and not attempts[-1].is_plain:
        # lines, of dead columns for instance, hide the size of the holes, and holes beside them
        picture = without_lines(image)
        told = {guess.polarity for guess in guesses}
        clear = [guess for guess in survey(picture) if guess.polarity in told and guess.radius_px > _WIDER]
        attempts += [attempt(guess) for guess in clear[:3]]
        attempts += _climbed(attempts, attempt)
    elif len(guesses) > 1 and _is_sparse(attempts[-1], image):
        # of holes that are lost among the strays of their scale, the survey sees a blurred picture only
        attempts += _climbed(attempts, attempt)
    if not any(len(one.found.candidates) for one in attempts):
        raise PickingError(
            "no spots stand out of the noise",
            hint="is this the image of a grid of holes? check the exposure, --polarity and --hole",
        )
    best = max(attempts, key=lambda one: one.merit)
    found, regularity = best.found, best.regularity
    if regularity.by_chance and len(found.candidates) >= 20:
        piece = f"holds {regularity.points} of them" if regularity.points else "is smaller than 3 x 3"
        raise IndexingError(
            f"{len(found.candidates)} {found.guess.polarity} spots form no lattice: the largest piece {piece}",
            hint="is this the image of a regular grid of holes?",
        )
    return _with_fainter(best, attempts, lambda candidates: lattice_of(candidates, lattice, aspect))


def _is_sparse(one: _Attempt, image: AnyArray) -> bool:
    """Whether holes of this size cover so little of the image that smaller ones were specks to the survey."""
    guess = one.found.guess
    return bool(len(one.found.candidates) * np.pi * guess.radius_px**2 < _SPARSE * image.size)


def _climbed(attempts: list[_Attempt], attempt: Callable[[HoleGuess], _Attempt]) -> list[_Attempt]:
    """Attempts with larger and smaller holes than the best ones, as long as these gain.

    The survey's scale may be that of dirt, of dead columns for instance, and either polarity may be the right one.
    """
    starts, top = {}, max(one.merit for one in attempts)
    for one in sorted(attempts, key=lambda one: one.merit):
        if one.merit > _HOPELESS * top:
            starts[one.found.guess.polarity] = one
    more = []
    for start in starts.values():
        for step in (_STEP, 1 / _STEP):
            best = start
            for _ in range(_CLIMB):
                guess = best.found.guess
                more.append(attempt(replace(guess, radius_px=guess.radius_px * step)))
                if not more[-1].merit > best.merit:
                    break
                best = more[-1]
    return more


def _with_fainter(
    best: _Attempt, attempts: list[_Attempt], index: Callable[[Candidates], ControlPoints | None]
) -> Found:
    """With fainter candidates, too, or with those of smaller holes, if these make a finer lattice: then there is a
    second kind of hole."""
    found, points = best.found, best.regularity.points
    others = [(one.found, one.regularity) for one in attempts if one.found.guess.polarity == found.guess.polarity]
    if len(best.every) > len(found.candidates) + _SECOND * points:
        every = Found(found.guess, best.every, index(best.every))
        others.append((every, regularity_of(every.points, len(best.every))))
    for other, regularity in others:
        more = regularity.points > (1 + _SECOND) * points and regularity.share > 0.8
        if more and regularity.irregularity < _CHANCE:
            found, points = other, regularity.points
    return found
