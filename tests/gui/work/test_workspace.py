"""The work without a window: what is computed again, undo, redo, cancel, errors."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeSettings, FakeStages

from pyfai_gridcal.base.errors import ImageError, IndexingError
from pyfai_gridcal.base.progress import Cancelled
from pyfai_gridcal.gui.work.edits import Edit
from pyfai_gridcal.gui.work.state import WorkExposure
from pyfai_gridcal.gui.work.workspace import Workspace

SHAPE = (120, 200)


@pytest.fixture
def stages() -> FakeStages:
    return FakeStages()


@pytest.fixture
def work(stages: FakeStages) -> Workspace:
    workspace = Workspace(stages, FakeSettings())
    workspace.set_exposures((WorkExposure("grid", array=np.zeros(SHAPE)),))
    return workspace


def test_nothing_to_do_without_an_image(stages: FakeStages) -> None:
    workspace = Workspace(stages, FakeSettings())
    with pytest.raises(ImageError, match="no image"):
        workspace.compute()
    assert workspace.results().missing == "image"
    assert not workspace.is_modified


def test_each_stage_runs_once(work: Workspace, stages: FakeStages) -> None:
    assert work.results().missing == "image"
    assert work.compute("found").missing == "spots"
    results = work.compute()
    assert results.missing is None
    assert results.exposures[0].spots is not None
    assert results.calibration["points"] == len(results.exposures[0].spots)
    work.compute()
    assert stages.calls == {"load": 1, "find": 1, "index": 1, "calibrate": 1}


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ({"hole": 5.0}, {"find", "index", "calibrate"}),
        ({"lattice": "hexagonal"}, {"index", "calibrate"}),
        ({"model": "polynomial"}, {"calibrate"}),
    ],
)
def test_a_setting_recomputes_what_depends_on_it(
    work: Workspace, stages: FakeStages, setting: dict[str, object], again: set[str]
) -> None:
    work.compute()
    stages.calls.clear()
    work.set_settings(**setting)
    work.compute()
    assert stages.calls == dict.fromkeys(again, 1)
    work.undo()
    assert work.results().missing is None, "the old results are still there"


def test_the_same_setting_is_no_step(work: Workspace) -> None:
    step = work.can_undo
    work.set_settings(lattice="auto")
    assert work.can_undo == step


def test_remove_undo_redo(work: Workspace, stages: FakeStages) -> None:
    before = work.compute().calibration["points"]
    done = work.toggle_spot(10.5, 34.0)
    assert done == Edit.at("remove", 10.0, 35.0)
    assert work.compute().calibration["points"] == before - 1
    assert work.can_undo == "remove spot"
    work.undo()
    assert (work.can_redo, work.results().calibration["points"]) == ("remove spot", before)
    work.redo()
    assert work.toggle_spot(10.5, 34.0) == Edit.at("restore", 10.0, 35.0)
    assert work.compute().calibration["points"] == before
    assert stages.calls["find"] == 1, "edits do not look for spots again"
    assert work.toggle_spot(18.0, 23.0) is None, "no spot there"


def test_a_new_step_forgets_what_was_undone(work: Workspace) -> None:
    work.set_settings(model="a")
    work.undo()
    work.set_settings(model="b")
    assert work.can_redo is None
    work.undo()
    assert work.state.settings.model == "auto"


def test_added_spot_is_refined(work: Workspace, stages: FakeStages) -> None:
    work.edit(Edit.at("add", 18.0, 23.0))
    one = work.compute("spots").exposures[0]
    assert one.spots is not None
    assert one.found is not None
    assert len(one.spots) == len(one.found) + 1
    assert one.spots.yx[-1].tolist() == [18.25, 23.25]
    assert stages.calls["refine"] == 1


def test_regions_mask_and_origin(work: Workspace) -> None:
    everything = work.compute("points").exposures[0].points
    assert everything is not None
    work.edit(Edit.within("exclude", [(0, 0), (0, 100), (60, 100), (60, 0)]))
    fewer = work.compute("points").exposures[0].points
    assert fewer is not None
    assert len(fewer) == len(everything) - 3 * 4
    mask = np.zeros(SHAPE, bool)
    mask[:, :30] = True
    work.clear_edits()
    work.set_drawn_mask(mask)
    masked = work.compute("points").exposures[0].points
    assert masked is not None
    assert len(masked) == len(everything) - 6
    work.set_settings(origin=(61.0, 104.0))
    points = work.compute("points").exposures[0].points
    assert points is not None
    assert points.yx[(points.ij == 0).all(axis=1)].tolist() == [[61.0, 104.0]]


def test_an_empty_mask_is_none(work: Workspace) -> None:
    step = work.can_undo
    work.set_drawn_mask(np.zeros(SHAPE, bool))
    assert work.state.exposures[0].drawn is None
    assert work.can_undo == step


def test_two_exposures(work: Workspace, stages: FakeStages) -> None:
    one = work.compute().calibration["points"]
    work.set_exposures((*work.state.exposures, WorkExposure("second", array=np.ones(SHAPE))))
    assert work.compute().calibration["points"] == 2 * one
    assert stages.calls["load"] == 2
    work.edit(Edit.at("remove", 10, 12), exposure=1)
    assert work.compute().calibration["points"] == 2 * one - 1
    assert stages.calls["index"] == 3, "the first exposure is left alone"


def test_progress_grows_and_can_cancel(work: Workspace, stages: FakeStages) -> None:
    seen: list[float] = []
    work.compute(progress=lambda fraction, text: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    work.set_settings(hole=7.0)

    def stop(fraction: float, text: str) -> None:
        if "index" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        work.compute(progress=stop)
    assert work.results().missing == "points", "what was finished is kept"


def test_error_keeps_what_was_found(work: Workspace, stages: FakeStages) -> None:
    stages.fail_at = "index"
    with pytest.raises(IndexingError):
        work.compute()
    assert work.results().exposures[0].spots is not None
    assert work.results().missing == "points"


def test_saved_and_modified(work: Workspace) -> None:
    heard: list[bool] = []
    work.listen(lambda: heard.append(work.is_modified))
    assert work.is_modified
    work.mark_saved()
    assert not work.is_modified
    work.set_settings(model="x")
    assert work.is_modified
    work.undo()
    assert not work.is_modified
    assert heard == [False, True, False]
