"""Changing what is not counted as distortion changes nothing that can be measured."""

from __future__ import annotations

import numpy as np
import pytest

from pyfai_gridcal.base.errors import UsageError
from pyfai_gridcal.fitting.gauge import GaugeChange, MovedField, best_gauge, gauge_point, gauge_words
from pyfai_gridcal.records.field import Field
from pyfai_gridcal.records.fit import Pose
from pyfai_gridcal.synthetic import fields

SHAPE = (300, 380)
PIXEL = (48e-6, 52e-6)


def truth() -> Field:
    smooth = fields.smooth(SHAPE, 5.0, 150.0, np.random.default_rng(1))
    return fields.SumField((smooth, fields.linear(SHAPE, shear=0.01, stretch=0.004, shift=(3.0, -2.0))))


def nodes() -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(0, 300, 20.0), np.arange(0, 380, 20.0), indexing="ij"), -1).reshape(-1, 2)


def metres(field: Field, pixel: tuple[float, float]) -> np.ndarray:
    return (nodes() + field.at(nodes()) + 0.5) * pixel


@pytest.mark.parametrize("gauge", ["least displacement", "centre", (40.0, 300.0)])
@pytest.mark.parametrize("nominal", [False, True])
def test_distances_on_the_plane_stay(gauge: object, nominal: bool) -> None:
    change = best_gauge(truth(), nodes(), PIXEL, gauge=gauge, shape=SHAPE, nominal=nominal)  # type: ignore[arg-type]
    field = change.field(truth())
    a, b = metres(truth(), PIXEL), metres(field, change.new)
    i, j = np.random.default_rng(0).integers(0, len(a), (2, 300))
    assert np.allclose(np.hypot(*(a[i] - a[j]).T), np.hypot(*(b[i] - b[j]).T), atol=1e-12)
    if nominal:
        assert change.new == PIXEL


def test_least_displacement_is_the_least() -> None:
    change = best_gauge(truth(), nodes(), PIXEL, gauge="least displacement", shape=SHAPE, nominal=False)
    best = (change.field(truth()).at(nodes()) ** 2).sum()
    for turn, scale in ((1e-3, 1), (-1e-3, 1), (0, 1.001), (0, 0.999)):
        other = GaugeChange(Pose(turn, (0.0, 0.0)), change.new, (change.new[0] * scale, change.new[1]))
        assert (other.field(change.field(truth())).at(nodes()) ** 2).sum() > best


@pytest.mark.parametrize(("gauge", "point"), [("centre", (149.5, 189.5)), ((40.0, 300.0), (40.0, 300.0))])
def test_a_pixel_stays_and_does_not_turn(gauge: object, point: tuple[float, float]) -> None:
    change = best_gauge(truth(), nodes(), PIXEL, gauge=gauge, shape=SHAPE, nominal=False)  # type: ignore[arg-type]
    field = change.field(truth())
    h = 0.5
    along_y, along_x = (
        (field.at(np.array([point]) + e) - field.at(np.array([point]) - e))[0] / (2 * h) for e in np.eye(2) * h
    )
    assert np.allclose(field.at([point]), 0, atol=1e-9)
    # neither stretched along an axis nor turned (metres), only sheared; squares of the slopes remain
    ratio = change.new[1] / change.new[0]
    assert abs(along_y[0]) < 3e-4
    assert abs(along_x[1]) < 3e-4
    assert abs(along_x[0] * ratio - along_y[1] / ratio) < 3e-4
    assert abs(along_x[0]) > 3e-3


def test_poses_go_along() -> None:
    change = best_gauge(truth(), nodes(), PIXEL, gauge="centre", shape=SHAPE, nominal=False)
    p = np.random.default_rng(1).uniform(-0.01, 0.01, (20, 2))
    pose = Pose(0.3, (0.002, 0.005))
    before = pose.corrected(p, PIXEL)
    assert np.allclose(change.pose(pose).corrected(p, change.new), before @ change.matrix.T + change.shift)


def test_moved_field_on_a_grid() -> None:
    moved = MovedField(truth(), np.array([[1.0, 0.1], [-0.1, 1.0]]), np.array([1.0, 2.0]))
    y, x = np.array([3.0, 200.0]), np.array([10.0, 20.0, 300.0])
    grid = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    assert np.allclose(moved.on_grid(y, x).reshape(-1, 2), moved.at(grid))


@pytest.mark.parametrize("gauge", ["nonsense", (1.0,), (1.0, float("nan"))])
def test_impossible_gauges(gauge: object) -> None:
    with pytest.raises(UsageError, match="gauge"):
        gauge_point(gauge, SHAPE)  # type: ignore[arg-type]


def test_words() -> None:
    assert "as given" in gauge_words("least displacement", SHAPE, nominal=True)
    assert "149.5" in gauge_words("centre", SHAPE, nominal=False)
