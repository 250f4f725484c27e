"""Clicks and drags in the plot become edits that can be undone."""

from __future__ import annotations

import numpy as np
import pytest
import scenes
from qtest import LEFT, QTest, click, drag, kept, qt
from scenes import hole

from pyfai_gridcal.gui.work.edits import edits_from_json, edits_to_json, inside_polygon
from pyfai_gridcal.records.spots import SpotFlag

pytestmark = pytest.mark.gui


def test_remove_a_spot_undo_redo(go):
    task, (y, x) = go.calibrated(), hole()
    before = kept(task)
    task.plot.tools.action("select-spot").trigger()
    click(task.plot, y, x)
    go.idle()
    assert kept(task) == before - 1
    assert len(task.view().fit.points[0]) == before - 1 - (before - len(task.view().fit.points[0]) - 1)
    assert "1 removed" in task.panel.spotLabel.text()
    assert task.plot.getCurve("removed").getXData().size == 1
    QTest.keyClick(task, qt.Qt.Key.Key_Z, qt.Qt.KeyboardModifier.ControlModifier)
    go.idle()
    assert kept(task) == before
    assert task.plot.getCurve("removed") is None
    assert task.actionsByName["redo"].text() == "Redo remove spot"
    task.actionsByName["redo"].trigger()
    go.idle()
    assert kept(task) == before - 1
    click(task.plot, y, x)
    go.idle()
    assert kept(task) == before, "a second click brings it back"


def test_exclude_and_include_regions(go):
    task = go.calibrated()
    before, yx = kept(task), task.view().results.exposures[0].spots.yx
    task.plot.tools.setTool("exclude-rectangle")
    drag(task.plot, (60, 50), (200, 130))
    go.idle()
    corners = np.array(task.workspace.state.exposures[0].edits[-1].yx)
    np.testing.assert_allclose([corners.min(axis=0), corners.max(axis=0)], [(60, 50), (200, 130)], atol=1.5)
    inside = ((yx > corners.min(axis=0)) & (yx < corners.max(axis=0))).all(axis=1)
    assert inside.sum() > 15
    assert kept(task) == before - inside.sum()
    task.plot.tools.setTool("include-polygon")
    corners = [(55, 45), (55, 135), (120, 135), (120, 45)]
    for corner in [*corners, corners[0]]:
        click(task.plot, *corner)
    go.idle()
    again = inside_polygon(yx, task.workspace.state.exposures[0].edits[-1].yx) & inside
    assert again.sum() > 5
    assert kept(task) == before - inside.sum() + again.sum()
    assert task.view().fit is not None
    QTest.mouseClick(task.panel.forgetButton, LEFT)
    go.idle()
    assert kept(task) == before


def test_add_a_spot_where_one_was_missed(go, monkeypatch):
    task, (y, x) = go.task, hole()
    real = task.core.find

    def blind(*args):
        found = real(*args)
        return found.select(np.hypot(*(found.yx - (y, x)).T) > 8)

    monkeypatch.setattr(task.core, "find", blind)
    go.calibrated()
    before = kept(task)
    task.plot.tools.setTool("add-spot")
    click(task.plot, y + 2.0, x - 1.5)
    go.idle()
    work = task.view().results.exposures[0]
    np.testing.assert_allclose(work.spots.yx[-1], (y, x), atol=0.06)
    assert work.spots.flags[-1] & SpotFlag.USER
    assert kept(task) == before + 1
    points = task.view().fit.points[0]
    assert np.hypot(*(points.yx - (y, x)).T).min() < 0.06, "it has a node"


def test_no_spot_where_there_is_no_hole(go, box):
    task, (y, x) = go.calibrated(), hole()
    before = kept(task)
    task.plot.tools.setTool("add-spot")
    half = scenes.PITCH / scenes.PIXEL[0] / 2
    click(task.plot, y + half, x + half)
    _, text, details = box()
    assert "no hole at" in text
    assert not details
    go.idle()
    assert kept(task) == before
    assert not task.workspace.state.exposures[0].edits, "the edit was taken back"


def test_pick_the_origin(go):
    task, (y, x) = go.calibrated(), hole((80, 290))
    task.plot.tools.setTool("pick-origin")
    click(task.plot, y + 2, x + 1)
    go.idle()
    points = task.view().fit.points[0]
    np.testing.assert_allclose(points.yx[(points.ij == 0).all(axis=1)][0], (y, x), atol=0.1)
    marker = task.plot._getMarker("origin")
    assert marker.getPosition() == pytest.approx((x + 0.5, y + 0.5), abs=0.1)


def test_index_by_hand(go):
    """Where the grid is counted wrongly, a hole and two of its neighbours tell how."""
    task, yx = go.calibrated(), [hole((150, 190)), hole((150, 215)), hole((175, 190))]
    before = task.view().fit.points[0]
    task.plot.tools.action("pick-lattice").trigger()
    click(task.plot, *yx[0])
    assert task.plot._getMarker("picked 0").getText() == "(0, 0)"
    for one in yx[1:]:
        click(task.plot, *one)
    go.idle()
    assert task.plot.tools.tool() is None
    assert task.plot._getMarker("picked 0") is None
    points = task.view().fit.points[0]
    np.testing.assert_allclose(points.yx[(points.ij == 0).all(axis=1)][0], yx[0], atol=0.1)
    assert len(points) == len(before)
    assert {tuple(d) for d in (points.ij[np.argsort(points.spot)] - before.ij[np.argsort(before.spot)]).tolist()} != {
        (0, 0)
    }
    assert edits_from_json(edits_to_json(task.workspace.state.exposures[0].edits))[0].kind == "index"


def test_three_holes_that_are_no_neighbours(go, box):
    task, yx = go.calibrated(), [hole((150, 190)), hole((60, 300)), hole((150, 190))]
    task.plot.tools.action("pick-lattice").trigger()
    for one in yx:
        click(task.plot, *one)
    go.idle()
    assert "from these three holes" in task.panel.progressText.text()
    task.workspace.undo()
    go.idle()
    assert task.view().fit is not None
