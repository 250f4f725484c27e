"""Many small equations at a time."""

from __future__ import annotations

import numpy as np

from pyfai_gridcal.base.normal import inverses, solved


def test_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    # of very different sizes, as counts and positions are
    design = rng.normal(size=(7, 30, 3)) * [1.0, 1e4, 1e-3]
    normal = design.transpose(0, 2, 1) @ design
    right = normal @ np.array([0.3, -2e-4, 5.0])
    np.testing.assert_allclose(solved(normal, right)[0], np.tile([0.3, -2e-4, 5.0], (7, 1)), rtol=1e-4)
    np.testing.assert_allclose(inverses(normal)[4], np.linalg.inv(normal[4]), rtol=1e-4)


def test_what_is_known_of_the_first_ones_helps() -> None:
    design = np.random.default_rng(2).normal(size=(5, 30, 6)) * [1.0, 100.0, 0.1, 1.0, 10.0, 0.1]
    normal = design.transpose(0, 2, 1) @ design
    right, core = normal @ np.arange(6.0), inverses(normal[:, :4, :4])
    for one, other in zip(solved(normal, right, core), solved(normal, right), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6 * np.abs(other).max())
    assert solved(normal[:, :4, :4], right[:, :4], core)[1] is core
    np.testing.assert_array_equal(normal, design.transpose(0, 2, 1) @ design)


def test_what_is_no_number_does_no_harm() -> None:
    normal = np.tile(np.diag([2.0, 5.0]), (2, 1, 1))
    normal[0, 0, 0] = np.nan
    out, _ = solved(normal, np.ones((2, 2)))
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[1], [0.5, 0.2], rtol=1e-5)


def test_what_is_given_stays_as_it_is() -> None:
    design = np.random.default_rng(1).normal(size=(5, 4, 9))
    # in the order in which the inverses are made
    normal = np.ascontiguousarray((design @ design.transpose(0, 2, 1)).transpose(1, 2, 0)).transpose(2, 0, 1)
    before = normal.copy()
    found = inverses(normal)
    assert np.array_equal(normal, before)
    np.testing.assert_allclose(found @ normal, np.tile(np.eye(4), (5, 1, 1)), atol=1e-4)
    assert np.isfinite(inverses(np.full((2, 3, 3), np.nan))).all()
