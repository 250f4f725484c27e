"""All checks that make a verdict, as a table: the name of each, its limits, and what it means when they are passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..records.verdict import Check, check_above, check_below

#: An error of the field that nobody needs to know of, px.
_NEGLIGIBLE = 0.1


@dataclass(frozen=True)
class Scale:
    """What limits are relative to: the smallest pitch and the usual uncertainty of a spot, px, and the factor by which
    the error of the field is raised because points are few: a reason to doubt what it may be, not to say that it is.
    """

    pitch: float
    sigma: float
    caution: float = 1.0


#: A limit; one that depends on the image as a function of its scale.
Limit = float | Callable[[Scale], float] | None


@dataclass(frozen=True)
class Rule:
    """One check: the limits of a figure, and what it means when they are passed.

    Attributes
    ----------
    name : of the check
    doubtful, failed : limits
    words : with {value}, {percent} and {rest} (of a share, in per cent) of the figure, {sigma} of a spot, and {cause}
    below : the figure should not fall below its limits, instead of not exceed them
    """

    name: str
    doubtful: Limit
    failed: Limit
    words: str
    below: bool = False

    def check(self, value: float, scale: Scale, cause: str) -> Check:
        """What came out."""
        doubtful, failed = (limit(scale) if callable(limit) else limit for limit in (self.doubtful, self.failed))
        text = self.words.format(
            value=value, percent=100 * value, rest=100 * (1 - value), sigma=scale.sigma, cause=cause
        )
        judge = check_below if self.below else check_above
        return judge(self.name, value, text, doubtful=doubtful, failed=failed)


#: All checks, in the order of the report.
RULES = (
    # Do the spots look like images of equal round holes?
    Rule("corners of the spots", 0.05, 0.14,
         "the spots are not round (they deviate from disks by {percent:.0f} %, with corners): cells between lines, a"
         " chessboard, or holes that are not round?"),
    Rule("oval spots", 0.2, 0.5,
         "the spots are not round (oval, {percent:.0f} % off a disk): motion, tilt, or lines instead of holes?"),
    # reflexes and smears of read-out reach 0.1, coma 0.12
    Rule("copies beside the spots", 0.2, None,
         "beside each spot lies a copy of it, with {percent:.0f} % of its light: exposed twice, or a reflex?"),
    # good holes reach 0.038 (burrs), triangles 0.056 to 0.066
    Rule("differences of spot shape", 0.05, 0.25,
         "the spots differ in shape or are not round: their shape differs from the common one by {percent:.0f} % of"
         " the amplitude. Moved during the exposure, exposed twice, or no holes?"),
    Rule("share of odd spots", 0.1, 0.6,
         "{percent:.0f} % of the spots have another shape than most: dirt, shadows, or no holes?"),
    Rule("scatter of the amplitudes", 0.12, None,
         "neighbouring spots differ in brightness by {percent:.0f} %: holes of different size, or no holes?"),
    Rule("two kinds of spots", 0.06, None,
         "two kinds of spots take turns: their brightness differs by {percent:.0f} %. Holes of two sizes? Is the pitch"
         " that of neighbours, of whichever kind?"),
    Rule("holes that were passed over", 0.4, None,
         "{percent:.0f} % as many places as there are spots lie on a lattice, too, but do not look like these: a second"
         " kind of holes, or a part of the plate that was lost?"),
    # Is it one lattice, and is it regular?
    Rule("second lattice", 0.0, 0.15,
         "between the spots of the lattice lie others that form a second lattice ({percent:.0f} % as many): exposed "
         "twice, or two grids over each other"),
    Rule("spots between the nodes", 0.15, 0.8,
         "many spots lie between the nodes of the lattice ({percent:.0f} % as many as on it): dirt, or not the image"
         " of one grid"),
    Rule("irregularity of the lattice, pitch", 0.03, 0.08,
         "neighbouring spots lie irregularly, by {percent:.1f} % of the pitch: not a regular grid of holes, or a bad"
         " plate"),
    Rule("spots inconsistent with their neighbours", 0.01, 0.1,
         "{percent:.1f} % of the spots are inconsistent with their neighbours: wrong indices, or not a regular grid of"
         " holes"),
    Rule("tiles offset by about half a pitch, pitch", 0.33, None,
         "parts of the lattice are offset by {value:.2f} pitches: which hole follows which is ambiguous"),
    Rule("points apart from the others", 0.25, None,
         "{percent:.0f} % of the points stand apart from the others: their place in the lattice is extrapolated over"
         " a gap"),
    Rule("filling of the lattice", 0.6, 0.25, "only {percent:.0f} % of the nodes hold a spot", below=True),
    # Are there enough points, and do they agree?
    Rule("control points", 25, 9, "only {value} control points", below=True),
    Rule("share of spots assigned to the grid", 0.8, 0.45,
         "only {percent:.0f} % of the spots lie on the lattice", below=True),
    Rule("share of points used", 0.9, 0.6, "{rest:.0f} % of the control points are outliers of the fit", below=True),
    # Are plate and pixel what they were said to be, and is the field one to one?
    Rule("aspect of the lattice", 1.1, 1.25, "{cause}"),
    Rule("pixel size seen and given", 1.12, 1.5, "{cause}"),
    Rule("not one-to-one", 0.0, 0.01, "the field is not one-to-one on {percent:.2g} % of the pixels"),
    # How well is the field known?
    Rule("prediction error, share of the pitch", 0.03, 0.12, "left-out holes are predicted no better than {cause}"),
    Rule("error of the field, px", _NEGLIGIBLE, lambda scale: scale.caution * max(1.0, 0.05 * scale.pitch),
         "the field is known no better than {value:.2g} px"),
    Rule("area off by a tenth of a pixel", 0.01, None,
         "{percent:.1f} % of the calibrated area may be off by more than a tenth of a pixel"),
    Rule("common residuals of neighbours, px", _NEGLIGIBLE, None,
         "neighbouring points are off together, by {value:.2g} px: the model does not follow the field"),
    Rule("extra scatter that photon noise does not explain, px",
         lambda scale: max(0.015 * scale.pitch, 5 * scale.sigma, 0.3), None,
         "points scatter by {value:.2g} px more than photon noise explains ({sigma:.2g} px): {cause}"),
    Rule("jump of the residuals, px", lambda scale: max(_NEGLIGIBLE, 4 * scale.sigma), None,
         "the points jump by {value:.2g} px at {cause}"),
    Rule("steps along rows of holes, px", _NEGLIGIBLE / 2, None,
         "the points jump by {value:.2g} px along {cause}"),
    Rule("coverage", 0.25, 0.002, "only {percent:.1f} % of the detector is calibrated", below=True),
)  # fmt: skip
