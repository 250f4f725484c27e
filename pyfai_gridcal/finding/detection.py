"""Spots of an image, found without being told anything: survey, candidates, learned profile, fit, second look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..base.arrays import AnyArray, Bools
from ..base.errors import IndexingError, PickingError
from ..base.progress import Progress, untold
from ..indexing.indexing import GrownLattice, index_spots
from ..indexing.regularity import Regularity, regularity_of
from ..records.plate import LatticeKind
from ..records.points import ControlPoints
from ..records.spots import Noise, Polarity, Spots
from .picking import Candidates, pick
from .search import Found, completed, instrument_of, look_at
from .selection import chosen
from .survey import HoleGuess, filled, survey
from .windows import PreparedImage

__all__ = ["SpotsFound", "find_spots", "search_spots"]

#: Least contrast of a candidate relative to its neighbourhood's: half a hole has 0.5.
THRESHOLD = 0.35


@dataclass(frozen=True, eq=False)
class SpotsFound:
    """What a search found.

    Attributes
    ----------
    spots : with position, uncertainty and flags
    lattice : what the plate was said to be
    grown : the lattice of all the spots, None where the search did not need it
    """

    spots: Spots
    lattice: LatticeKind
    grown: GrownLattice | None

    def points(self, *, lattice: LatticeKind, angle_deg: float | None = None) -> ControlPoints:
        """The spots as :func:`~pyfai_gridcal.indexing.indexing.index_spots` indexes them; nothing grows twice."""
        if self.grown is None or lattice != self.lattice:
            return index_spots(self.spots, lattice=lattice, angle_deg=angle_deg)
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
    complete: bool = True,
    workers: int = 2,
    progress: Progress | None = None,
) -> SpotsFound:
    """As :func:`find_spots`, for those who index the spots as well: the lattice is handed on with them."""
    image = np.asarray(image)
    if image.ndim != 2 or not image.size:
        raise PickingError(f"image of shape {image.shape}", expected="two dimensions, none of them empty")
    if mask is not None and mask.shape != image.shape:
        raise PickingError(f"mask of shape {mask.shape} for an image of shape {image.shape}")
    say = progress or untold
    say(0.0, "looking for holes")
    ignore = mask
    if saturation is not None and not np.isfinite(image).all():
        ignore = ~np.isfinite(image) if mask is None else mask | ~np.isfinite(image)
    # the survey guesses polarity and size, unless they are given
    smooth = filled(image, ignore)
    if hole_px is not None:
        names = [polarity] if polarity else [g.polarity for g in survey(smooth, workers=workers)[:1]]
        guesses: tuple[HoleGuess, ...] = tuple(HoleGuess(name, hole_px / 2) for name in names)
    else:
        guesses = survey(smooth, polarity=polarity, workers=workers)
    # candidates for each guess, until those of one form a lattice
    found = _best_guess(smooth, guesses, threshold, lattice, mask)
    say(0.3, f"fitting {len(found.candidates)} spots")
    prepared = PreparedImage(image, mask, found.guess.polarity, saturation)
    # from here on each stage knows more: what a hole looks like, where each is, where one is missing
    tools, candidates, stretch_error = instrument_of(prepared, found, noise, workers)
    look = look_at(tools, candidates, stretch_error)
    spots, usual = chosen(look.tools, look.fitted, look.usual)
    grown = None
    if complete:
        say(0.8, "looking again where holes are missing")
        spots, grown = completed(look, spots, usual, lattice)
    say(1.0, "spots found")
    return SpotsFound(spots, lattice, grown)


def _best_guess(
    image: AnyArray, guesses: tuple[HoleGuess, ...], threshold: float, lattice: LatticeKind, mask: Bools | None
) -> Found:
    """The first guess about the holes whose candidates form a lattice."""
    best: tuple[float, Found, Regularity] | None = None
    for guess in guesses[:5]:
        candidates = pick(image, polarity=guess.polarity, radius_px=guess.radius_px, threshold=threshold)
        if mask is not None and len(candidates):
            k = np.clip(np.rint(candidates.yx).astype(int), 0, np.array(image.shape) - 1)
            candidates = candidates.select(~mask[k[:, 0], k[:, 1]])
        points = _lattice_of(candidates, lattice)
        regularity = regularity_of(points, len(candidates))
        merit = max(regularity.merit, 1e-6 * len(candidates))
        if best is None or merit > best[0]:
            best = merit, Found(guess, candidates, points), regularity
        if regularity.points >= 20 and regularity.share > 0.6 and not regularity.irregularity > 0.08:
            break
    if best is None or not len(best[1].candidates):
        raise PickingError(
            "no spots stand out of the noise",
            hint="is this the image of a grid of holes? check the exposure, --polarity and --hole",
        )
    found, regularity = best[1:]
    if regularity.by_chance and len(found.candidates) >= 20:
        piece = f"holds {regularity.points} of them" if regularity.points else "is smaller than 3 x 3"
        raise IndexingError(
            f"{len(found.candidates)} {found.guess.polarity} spots form no lattice: the largest piece {piece}",
            hint="is this the image of a regular grid of holes?",
        )
    return found


def _lattice_of(candidates: Candidates, lattice: LatticeKind) -> ControlPoints | None:
    """Candidates with their nodes; a hint that contradicts the image is for :func:`index_spots` to complain about."""
    if len(candidates) < 4:
        return None
    spots = Spots.from_positions(candidates.yx)
    kinds: tuple[LatticeKind, ...] = (lattice,) if lattice == "auto" else (lattice, "auto")
    for kind in kinds:
        try:
            return index_spots(spots, lattice=kind, sieve=False)
        except IndexingError:
            continue
    return None
