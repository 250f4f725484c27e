"""Several exposures of one plate: whose error is it, the plate's or the detector's?

Each exposure is first fitted alone. What it leaves at the holes is the fingerprint of the plate, by which the exposures
are brought to one numbering of the holes. Then the field, the poses and the error of each hole are solved together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...base.arrays import AnyArray, Bools, Floats, Ints
from ...base.frames import edge_from_index
from ...base.geometry import turn_matrix
from ...base.progress import Progress, untold
from ...records.budget import PlateBudget
from ...records.fit import Pose
from ...records.plate import Plate, without_errors
from ..recipe import FieldFit, Sample
from ..rigid import place
from ..spline.basis import Axis, uniform_axes
from ..spline.problem import SplineField
from ..spline.recipe import BSpline
from ..view import PlateView
from .beside import MakeWitness, Witness
from .joint import Exposure, JointProblem, JointSolution
from .lean import Leaning, bends, lean_words
from .positions import Positions, numbered
from .registration import Match, fingerprint, map_print, register
from .uncertainty import joint_uncertainty

#: Largest number of intervals along the longer axis: the joint problem is solved with dense matrices, here of
#: some 1800 rows.
MOST_CELLS = 26
#: Rounds until geometries of rings, which hold the whole distortion at first, have settled: four or five.
_WITNESSED = 6
#: Distance, in nodes, between the numberings of exposures that have no hole in common.
_APART = 1_000_000
#: Change of a tilt, rad, that is none: a thousandth of a degree.
_STILL = 2e-5


@dataclass(frozen=True, eq=False)
class JointFit:
    """The result for all exposures.

    Attributes
    ----------
    views : the exposures in the common numbering of the holes
    poses : of the plate in each exposure
    pixel_size : (slow, fast) metres
    sample : what the exposures, one after the other, asked of the field
    fit : the field, with what it leaves of that
    hole_ij : (H, 2) nodes of all holes
    error_yx, error_sigma_yx : (H, 2) errors of the holes and their uncertainty, metres, plate frame
    notes : in words
    depth : (ny, nx) metres, of a detector that is not flat
    """

    views: tuple[PlateView, ...]
    poses: tuple[Pose, ...]
    pixel_size: tuple[float, float]
    sample: Sample
    fit: FieldFit
    hole_ij: Ints
    error_yx: Floats
    error_sigma_yx: Floats
    notes: tuple[str, ...]
    depth: AnyArray | None = None

    @property
    def on_plate(self) -> Bools:
        """(H,) holes in the common numbering, not those of an exposure that fits to no other."""
        return np.asarray(np.abs(self.hole_ij[:, 0]) < _APART // 2)


def fit_exposures(
    views: Sequence[PlateView],
    *,
    positions: Positions | None = None,
    budget: PlateBudget | None = None,
    witness: MakeWitness | None = None,
    progress: Progress = untold,
) -> JointFit:
    """Solve all exposures together.

    Parameters
    ----------
    views : exposures of one plate on one detector
    positions : where motors had the plate
    budget : what is known of its tilt
    witness : of the same field, besides the plate; then one exposure is enough
    progress : called with (fraction, what)
    """
    ideal = [replace(v, plate=without_errors(v.plate)) for v in views]
    # each exposure by itself, as if the plate were perfect: what is left over tells the holes apart
    alone = []
    for k, view in enumerate(ideal):
        progress(0.4 * k / len(views), f"exposure {k + 1} alone")
        start, sample = view.placed()
        alone.append((start, BSpline().fit(sample)))
    sizes = [start.pixel_size for start, _ in alone]
    pixel_size = views[0].pixel_size or _mean_pixel_size(sizes, [len(v.points) for v in views])
    # one numbering of the holes: by these fingerprints, by the map of the plate, or by the positions of motors
    prints = [fingerprint(v.points.ij, start, fit) for v, (start, fit) in zip(ideal, alone, strict=True)]
    known = map_print(views[0].plate)
    matches = register(
        prints if known is None else [*prints, known], views[0].plate, first=None if known is None else -1
    )
    matches = matches[: len(views)]
    notes: list[str] = []
    if positions is not None:
        extent = max(float(np.ptp(v.positions, axis=0).max()) for v in ideal)
        matches, new = numbered(positions, matches, [start.pose for start, _ in alone], views[0].plate, extent)
        notes += [f"exposure {k + 1}: its holes are numbered by its position" for k in new]
        positions = replace(positions, believed=np.array([m is not None for m in matches]))
    progress(0.45, "all exposures together")
    ordered = _renumbered(views, matches, pixel_size)
    leaning = None if budget is None else Leaning.of(budget, views[0].shape, pixel_size)
    other = None if witness is None else witness(pixel_size)
    done = _solve(ordered, matches, [fit for _, fit in alone], pixel_size, positions, leaning, other, progress)
    return replace(done, notes=(*notes, *done.notes))


def _mean_pixel_size(sizes: Sequence[tuple[float, float]], weights: Sequence[int]) -> tuple[float, float]:
    mean = np.exp(np.average(np.log(sizes), axis=0, weights=weights))
    return float(mean[0]), float(mean[1])


def _renumbered(
    views: Sequence[PlateView], matches: Sequence[Match | None], pixel_size: tuple[float, float]
) -> list[PlateView]:
    out = []
    for k, (view, match) in enumerate(zip(views, matches, strict=True)):
        matrix, offset = (
            (np.eye(2, dtype=int), np.array([_APART * (k + 1), 0])) if match is None else (match.matrix, match.offset)
        )
        points = view.points.reindexed(matrix, offset)
        out.append(PlateView(points, view.plate, view.shape, pixel_size))
    return out


def _solve(
    views: list[PlateView],
    matches: list[Match | None],
    alone: list[FieldFit],
    pixel_size: tuple[float, float],
    positions: Positions | None,
    leaning: Leaning | None,
    witness: Witness | None,
    progress: Progress,
) -> JointFit:
    """Alternate solutions with updates of poses, smoothness, rms of the holes and outliers."""
    # a list of all holes, and the row in it of each observation
    nodes = np.concatenate([v.points.ij for v in views])
    holes, row = np.unique(nodes, axis=0, return_inverse=True)
    rows = np.split(row.reshape(-1), np.cumsum([len(v.points) for v in views])[:-1])
    # where to start: knots, poses, smoothness and errors of the holes as each exposure alone has them
    order, y, x = _knots(alone, views[0].shape)
    if witness is not None and not witness.smooth:
        y, x = uniform_axes((0.0, 0.0), views[0].shape, 2, y.degree)
    poses = _starts(views, pixel_size, leaning)
    scale = float(np.sqrt(pixel_size[0] * pixel_size[1]))
    used = [f.used.copy() for f in alone]
    hole_rms = max(float(np.sqrt(np.mean([f.nugget**2 for f in alone]))), 1e-3) if len(views) > 1 else 1e-3
    smoothness, extra = _first_smoothness(alone, order), 0.0
    for round_ in range(10):
        exposures = [
            _exposure(v, pose, r, u, pixel_size, scale) for v, pose, r, u in zip(views, poses, rows, used, strict=True)
        ]
        positions = positions.judged(poses) if positions is not None and round_ else positions
        # solve for the field, the poses and the holes with what is thought of smoothness and errors so far
        prior = None if positions is None else positions.prior(poses, pixel_size)
        lean = None if leaning is None else leaning.prior(poses)
        beside = None if witness is None else witness.beside(y, x)
        problem = JointProblem(y, x, exposures, len(holes), order, extra, prior=prior, lean=lean, beside=beside)
        solution = problem.solve(smoothness, hole_rms)
        witness = None if witness is None else witness.after(y, x, solution.coefficients, solution.further)
        moves = zip(poses, exposures, solution.moves, solution.tilts, strict=True)
        poses = [_moved(pose, e, move, tilt, pixel_size) for pose, e, move, tilt in moves]
        # what the solution says of these, of outliers, and of the scatter of the spots
        smooth = witness is None or witness.smooth
        solution = _next(solution, alone=len(views) == 1, smooth=smooth)
        steps = np.log([solution.next_smoothness / smoothness, solution.next_hole_rms / hole_rms])
        before, extra_before = used, extra
        used, extra = _judged(solution, problem, used, extra)
        same = all(np.array_equal(a, b) for a, b in zip(before, used, strict=True))
        noise = float(np.median(exposures[0].sigma)) ** 2
        same &= np.abs(solution.tilts).max() < _STILL
        settled = same and np.abs(steps[0]) < 0.2 and np.abs(steps[1]) < 0.02
        settled &= witness is None or round_ >= _WITNESSED
        if settled and abs(extra - extra_before) < 0.15 * (noise + extra) and np.abs(solution.moves[:, 0]).max() < 1e-7:
            break
        smoothness, hole_rms = solution.next_smoothness, max(solution.next_hole_rms, 1e-4)
        # a field that needs a third of the coefficients gets closer knots, once
        cells = max(y.cells, x.cells)
        if round_ == 1 and smooth and solution.field_freedom > 0.35 * y.size * x.size and cells < MOST_CELLS:
            order, y, x = _knots(alone, views[0].shape, min(MOST_CELLS, int(1.5 * cells)))
        progress(0.5 + 0.04 * round_, "all exposures together")
    done = _result(views, matches, exposures, problem, solution, poses, pixel_size, holes, extra, witness)
    return done if positions is None else replace(done, notes=(*done.notes, *positions.remarks(matches)))


def _next(solution: JointSolution, *, alone: bool, smooth: bool) -> JointSolution:
    """What it can ask for: of one exposure nobody can tell holes from spots; a field that is not there is not rough."""
    if alone:
        solution = replace(solution, next_hole_rms=solution.hole_rms)
    return solution if smooth else replace(solution, next_smoothness=solution.smoothness)


def _knots(alone: Sequence[FieldFit], shape: tuple[int, int], cells: int = 0) -> tuple[int, Axis, Axis]:
    """Order of the roughness, and knots: a dozen coefficients for each parameter that an exposure alone asked for."""
    richest = max(alone, key=lambda f: f.freedom)
    problem = richest.uncertainty.problem  # type: ignore[union-attr]
    degree, finest = problem.y.degree, max(problem.y.cells, problem.x.cells)
    if not cells:
        cells = int(np.clip(np.ceil(np.sqrt(12 * richest.freedom)) - degree, 8, min(MOST_CELLS, finest)))
    y, x = uniform_axes((0.0, 0.0), shape, cells, degree)
    return problem.order, y, x


def _first_smoothness(alone: Sequence[FieldFit], order: int) -> float:
    values = [f.uncertainty.smoothness_for(order) for f in alone]  # type: ignore[union-attr]
    return float(np.exp(np.mean(np.log(values))))


def _exposure(
    view: PlateView, pose: Pose, hole: Ints, used: Bools, pixel_size: tuple[float, float], scale: float
) -> Exposure:
    node = pose.corrected(view.positions, pixel_size)
    turn = turn_matrix(pose.angle_rad) * (scale / np.asarray(pixel_size))[:, None]
    bent = bends(pose, view.positions, pixel_size)
    return Exposure(view.points.yx, node, view.points.sigma_yx, turn, node.mean(axis=0), hole, used, bent)


def _starts(views: Sequence[PlateView], pixel_size: tuple[float, float], leaning: Leaning | None) -> list[Pose]:
    """The poses to begin with, upright where tilts are to be found."""
    poses = [place(v.positions, v.points.yx, pixel_size=pixel_size).pose for v in views]
    return poses if leaning is None else [leaning.upright(pose) for pose in poses]


def _moved(pose: Pose, exposure: Exposure, move: Floats, tilt: Floats, pixel_size: tuple[float, float]) -> Pose:
    """The pose after a further turn about the centre of the exposure, a shift (px) and a tilt (rad)."""
    turn = float(move[0])
    centre = edge_from_index(exposure.centre) * pixel_size
    shift = np.asarray(pose.shift_m)
    new = turn_matrix(turn) @ (shift - centre) + centre + move[1:] * pixel_size
    return Pose(pose.angle_rad + turn, (float(new[0]), float(new[1])), pose.lean and pose.lean.tilted(tilt))


def _judged(
    solution: JointSolution, problem: JointProblem, used: Sequence[Bools], extra: float, limit: float = 6.0
) -> tuple[list[Bools], float]:
    """Points that are no outliers, and the variance (px²) that they show beyond their sigma."""
    variance = [(e.sigma**2).mean(axis=1) + extra for e in problem.exposures]
    size = [np.sqrt((r**2).mean(axis=1) / v) for r, v in zip(solution.residuals, variance, strict=True)]
    typical = float(np.median(np.concatenate([s[u] for s, u in zip(size, used, strict=True)]))) / 0.83
    now = [u & (s < limit * max(typical, 1.0)) for s, u in zip(size, used, strict=True)]
    count = 2 * sum(int(u.sum()) for u in used)
    free = count - solution.freedom
    if free < 0.02 * count:
        return now, extra
    chi2 = sum(2 * float((s[u] ** 2).sum()) for s, u in zip(size, now, strict=True)) / free
    mean = float(np.mean(np.concatenate([v[u] for v, u in zip(variance, now, strict=True)])))
    return now, max(extra + (chi2 - 1) * mean, 0.0)


def _result(
    views: list[PlateView],
    matches: list[Match | None],
    exposures: list[Exposure],
    problem: JointProblem,
    solution: JointSolution,
    poses: list[Pose],
    pixel_size: tuple[float, float],
    holes: Ints,
    extra: float,
    witness: Witness | None,
) -> JointFit:
    """Gather what was found in the units and frames of the records."""
    uncertainty = joint_uncertainty(problem, solution)
    shares = [problem.leverage(k, solution) for k in range(len(exposures))]
    scale = float(np.sqrt(pixel_size[0] * pixel_size[1]))
    spacings = [float(np.sqrt(abs(np.linalg.det(view.points.basis_px)))) for view in views]
    remarks = _remarks(views, matches, problem, solution, holes, scale) + ([] if witness is None else witness.remarks())
    shared = [v.points.shared_yx for v in views]
    sample = Sample(
        yx=np.concatenate([e.yx for e in exposures]),
        d=np.concatenate([e.node - e.yx for e in exposures]),
        sigma=np.concatenate([e.sigma for e in exposures]),
        shape=views[0].shape,
        spacing=float(np.mean(spacings)),
        used=np.concatenate([e.used for e in exposures]),
        pixel_size=pixel_size,
        shared=np.concatenate([s for s in shared if s is not None]) if all(s is not None for s in shared) else None,
    )
    spline = SplineField(problem.y, problem.x, solution.coefficients)
    fit = FieldFit(
        name="spline",
        field=spline if witness is None else witness.field(spline),
        residual=np.concatenate(solution.residuals),
        held_out=np.concatenate(_held_out(exposures, solution, shares, len(holes))),
        used=sample.used,
        z=np.zeros_like(sample.d),
        leverage=np.zeros_like(sample.d),
        uncertainty=uncertainty,
        sigma=sample.sigma,
        nugget=float(np.sqrt(extra)),
        freedom=solution.field_freedom,
        note=f"{len(views)} exposures and the errors of {len(holes)} holes together",
    )
    return JointFit(
        views=tuple(views),
        poses=tuple(poses),
        pixel_size=pixel_size,
        sample=sample,
        fit=fit,
        hole_ij=holes,
        error_yx=_known_errors(views[0].plate, holes) + solution.errors * scale,
        error_sigma_yx=solution.error_sigma * scale,
        notes=tuple(remarks),
        depth=None if witness is None else witness.depth_map(),
    )


def _held_out(
    exposures: Sequence[Exposure], solution: JointSolution, shares: Sequence[Floats], holes: int
) -> list[Floats]:
    """(N, 2) of each exposure: residuals of points that were left out, px."""
    seen = np.bincount(np.concatenate([e.hole[e.used] for e in exposures]), minlength=holes)
    out = []
    for e, residual, share in zip(exposures, solution.residuals, shares, strict=True):
        # nothing else tells where a hole is that was seen once: its own residual has to do
        alone = seen[e.hole] < min(2, len(exposures))
        out.append(residual / (1 - np.where((e.used & ~alone)[:, None], share, 0.0)))
    return out


def _known_errors(plate: Plate, holes: Ints) -> Floats:
    """(H, 2) errors that the plate came with, metres."""
    return plate.positions(holes) - without_errors(plate).positions(holes)


def _remarks(
    views: Sequence[PlateView],
    matches: Sequence[Match | None],
    problem: JointProblem,
    solution: JointSolution,
    holes: Ints,
    scale: float,
) -> list[str]:
    """What hangs together, and what the exposures leave open."""
    out = [
        (
            f"holes of the plate are off by {solution.hole_rms * scale * 1e6:.3g} µm rms;"
            " their mean pitch is taken for nominal, which no exposure can tell"
        )
    ]
    if len(views) == 1:
        return []
    if problem.lean is not None:
        out.append(lean_words(problem, solution))
    lonely = [k + 1 for k, m in enumerate(matches) if m is None]
    if lonely:
        numbers = ", ".join(map(str, lonely))
        out.append(f"exposure {numbers}: no holes recognised, used with holes of its own")
    where = holes @ views[0].plate.basis
    seen = np.bincount(np.concatenate([e.hole for e in problem.exposures]), minlength=len(holes))
    group = (seen > 1) & (np.abs(holes[:, 0]) < _APART // 2)
    if group.sum() < 6:
        return out
    off = where - where[group].mean(axis=0)
    off[~group] = 0.0
    for name, mode in (("stretch", np.stack([off[:, 0], -off[:, 1]], 1)), ("shear", off[:, ::-1])):
        unit = mode / np.linalg.norm(mode)
        if problem.mode_sigma(solution, unit) > 0.6 * solution.hole_rms:
            out.append(
                f"a {name} of the plate cannot be told from one of the detector with these exposures:"
                " turn the plate by a quarter (a sixth) for one more"
            )
    return out
