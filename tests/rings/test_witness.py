"""Equations of rings: about any field, with the unknowns that are theirs alone eliminated and brought back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ringdrawing import PIXEL, modular, perfect, three_images

from pyfai_gridcal.fitting.plates.joint import JointProblem
from pyfai_gridcal.fitting.spline.basis import uniform_axes
from pyfai_gridcal.fitting.spline.problem import SplineField
from pyfai_gridcal.rings.solution import witness_of

SHAPE = (220, 250)


def test_rows_are_what_a_small_change_does() -> None:
    """Of motions and depths of modules, and of geometries, against differences."""
    rng = np.random.default_rng(1)
    truth, mask = modular(SHAPE, rng)
    witness = witness_of(three_images(truth, rng, seen=~mask), SHAPE, PIXEL, mask=mask, depths=True)
    y, x = uniform_axes((0.0, 0.0), SHAPE, 2, 3)
    seen, k = witness.seen[0], 4
    zero = np.zeros((y.size, x.size, 2))
    change = np.zeros_like(witness.motions)
    change.flat[k] = 1e-3
    moved = replace(witness, motions=change)
    moved = replace(moved, present=moved.field(SplineField(y, x, zero)))
    expected = witness.rows(0, y, x)[:, 2 * y.size * x.size + k].toarray().ravel() * 1e-3
    np.testing.assert_allclose(moved.seen[0].off - seen.off, expected, atol=2e-7)
    deep = replace(witness, depth=change * 1e-3)
    np.testing.assert_allclose(deep.seen[0].off - seen.off, seen.depth[:, [k]].toarray().ravel() * 1e-6, atol=2e-7)
    geometry = witness.geometry.copy()
    geometry[0, 0] += 1e-6
    there = replace(witness, geometry=geometry)
    np.testing.assert_allclose(there.seen[0].off - seen.off, seen.geometry[:, 0] * 1e-6, rtol=0.02)


def test_a_plate_solves_for_what_it_does_not_see() -> None:
    """The joint problem finds motions and geometries as the normal equations alone have them."""
    rng = np.random.default_rng(2)
    truth, mask = modular(SHAPE, rng)
    witness = witness_of(three_images(truth, rng, seen=~mask), SHAPE, PIXEL, mask=mask)
    y, x = uniform_axes((0.0, 0.0), SHAPE, 2, 3)
    told = witness.beside(y, x)
    scale = 1 / np.sqrt(np.diagonal(told.normal))
    whole = np.linalg.solve(told.normal * scale * scale[:, None], told.right * scale) * scale
    found = JointProblem(y, x, (), 0, 3, beside=told).solve(1.0, 1.0).further
    assert (told.count, told.own) == (12, 20)
    np.testing.assert_allclose(found[:12], whole[-32:-20], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[12:], whole[-20:], rtol=1e-4, atol=1e-9)


def test_scatter_is_that_of_the_points() -> None:
    rng = np.random.default_rng(3)
    images = [replace(p, sigma=np.full(len(p), np.nan)) for p in three_images(perfect(SHAPE), rng, noise_px=0.05)]
    witness = witness_of(images, SHAPE, PIXEL)
    np.testing.assert_allclose(np.sqrt(witness.scatter()), 0.05, rtol=0.1)
    assert all(seen.weight.all() for seen in witness.seen)
    assert len(witness.remarks()) == len(images)
