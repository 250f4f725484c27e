"""Tasks and workflows of ewoks, without a cluster."""
# what may be missing is looked for first

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("ewokscore", reason="needs ewoks: pip install 'pyfai-gridcal[ewoks]'")
pytest.importorskip("ewoks", reason="needs ewoks: pip install 'pyfai-gridcal[ewoks]'")

from ewoks import execute_graph
from ewokscore.progress import BasePercentageProgress
from ewokscore.task_discovery import discover_tasks_from_modules
from ewokscore.workflow_discovery import discover_all_workflows
from ewoksrun import QUIET, run
from ewoksutils.exceptions import TaskExecutionError

from pyfai_gridcal import synthetic
from pyfai_gridcal.base.errors import FileFormatError
from pyfai_gridcal.calibration import calibrate
from pyfai_gridcal.correction import parts
from pyfai_gridcal.correction.corrector import correct_image
from pyfai_gridcal.correction.spool import Spool
from pyfai_gridcal.correction.streams import DATA_PATH
from pyfai_gridcal.ewoks import graphs, tasks
from pyfai_gridcal.io.images.sources import open_frames
from pyfai_gridcal.io.kinds.kinds import read_distortion, write_distortion
from pyfai_gridcal.records.distortion import Distortion

pytestmark = QUIET

SHAPE = (250, 290)


@pytest.fixture(scope="module")
def scene() -> synthetic.Scene:
    return synthetic.demo_scene(SHAPE, pitch_px=24.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scene: synthetic.Scene) -> Path:
    """A grid image, its true detector, and a stack of 11 frames."""
    folder = tmp_path_factory.mktemp("ewoks")
    np.save(folder / "grid.npy", scene.render(np.random.default_rng(3), bounds=False).image)
    write_distortion(scene.distortion, folder / "true.h5")
    frames = np.random.default_rng(5).poisson(80, (11, *SHAPE)).astype(np.uint16)
    with h5py.File(folder / "stack.h5", "w") as file:
        file["entry/data"] = frames
    return folder


# -- what ewoks sees
def test_tasks_are_found() -> None:
    found = {t["task_identifier"].split(".")[-1]: t for t in discover_tasks_from_modules("pyfai_gridcal.ewoks.*")}
    for name in (
        "CalibrateGrid",
        "CalibrateRings",
        "ValidateGrid",
        "ConvertDetector",
        "CorrectImages",
        "CompareCalibrations",
    ):
        assert found[name]["input_model"]
        assert found[name]["output_model"]
        assert "Outputs:" in found[name]["description"]


def test_entry_points_are_declared() -> None:
    names = {e.name for e in importlib.metadata.entry_points(group="ewoks.tasks.class")}
    assert "pyfai_gridcal.ewoks.*" in names
    ready = {name.rpartition(".")[2] for name in discover_all_workflows() if name.startswith("pyfai_gridcal.")}
    assert ready == set(graphs.WORKFLOWS)


class Recorder(BasePercentageProgress):
    """Keeps what a task says of its progress."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def _update(self) -> None:
        self.seen.append(self.progress)


def execute(graph: dict[str, Any], engine: str = "core", **inputs: dict[str, Any]) -> dict[str, Any]:
    """Merged outputs of the last tasks of a graph; `inputs` are those of its nodes."""
    listed = [{"id": node, "name": k, "value": v} for node, given in inputs.items() for k, v in given.items()]
    return dict(execute_graph(graph, engine=engine, inputs=listed))


# -- calibration
@pytest.fixture(scope="module")
def calibrated(folder: Path, scene: synthetic.Scene) -> dict[str, Any]:
    """Outputs of CalibrateGrid, and what it said of its progress."""
    progress = Recorder()
    task = tasks.CalibrateGrid(
        inputs={
            "images": folder / "grid.npy",
            "pitch": f"{1e6 * scene.plate.pitch_m[0]}um",
            "output": folder / "det.h5",
            "json_file": folder / "det.json",
        },
        progress=progress,
    )
    task.execute()
    return {**task.get_output_values(), "progress": progress.seen}


def test_calibrate(calibrated: dict[str, Any], folder: Path, scene: synthetic.Scene) -> None:
    from pyFAI.detectors import detector_factory

    assert calibrated["verdict"] in ("good", "doubtful")
    detector = detector_factory(calibrated["detector"], config=calibrated["detector_config"])
    assert detector.shape == SHAPE
    error = synthetic.field_error(read_distortion(calibrated["detector_file"]), scene.distortion)
    assert error.rms_px < 0.05
    assert json.loads((folder / "det.json").read_text())["output"] == str(folder / "det.h5")
    assert calibrated["held_out_px"] < 0.05


def test_progress(calibrated: dict[str, Any]) -> None:
    seen = calibrated["progress"]
    assert seen == sorted(seen)
    assert len(seen) > 4
    assert seen[-1] == 100


def test_cancelled_at_the_next_occasion(folder: Path) -> None:
    task = tasks.CalibrateGrid(inputs={"images": folder / "grid.npy", "pitch": 1e-3, "output": folder / "never.h5"})
    say = task.say

    def cancel_then_say(fraction: float, text: str) -> None:
        task.cancel()
        say(fraction, text)

    task.say = cancel_then_say
    with pytest.raises(TaskExecutionError, match="cancelled"):
        task.execute()
    assert not (folder / "never.h5").exists()


def test_validate(calibrated: dict[str, Any], folder: Path) -> None:
    # With the image that the file holds, and with one that is given.
    done = run(tasks.ValidateGrid, detector_file=calibrated["detector_file"], output=str(folder / "corrected.npy.h5"))
    assert done["good"]
    assert done["misplacement_mean"] < 0.002
    assert Path(done["corrected_file"]).exists()
    given = {"images": str(folder / "grid.npy"), "tolerance": 1e-9}
    strict = run(tasks.ValidateGrid, detector_file=calibrated["detector_file"], **given)
    assert strict["misplacement_mean"] == pytest.approx(done["misplacement_mean"], rel=0.01)
    assert not strict["good"]


@pytest.mark.slow
def test_validation_with_the_pitch_that_the_file_knows(scene: synthetic.Scene, tmp_path: Path) -> None:
    """The errors of the holes, which the file knows too, still count."""
    scene = dataclasses.replace(scene, plate=synthetic.imperfect(scene.plate, 30e-6, seed=4, span=15))
    picture = scene.render(np.random.default_rng(3), bounds=False)
    np.save(tmp_path / "grid.npy", picture.image)
    calibrate(picture.image, pitch=scene.plate.pitch_m, plate=scene.plate).save(tmp_path / "det.h5")
    given = {"detector_file": tmp_path / "det.h5", "images": tmp_path / "grid.npy"}
    alone = run(tasks.ValidateGrid, **given)
    told = run(tasks.ValidateGrid, **given, pitch=scene.plate.pitch_m[0])
    assert alone["misplacement_mean"] < 0.002
    assert told["misplacement_mean"] == alone["misplacement_mean"]


def test_failure_is_raised_or_reported(folder: Path) -> None:
    noise = np.random.default_rng(0).poisson(100, (170, 210))
    given = {"images": noise, "pitch": 2e-3, "output": str(folder / "noise.h5")}
    with pytest.raises(TaskExecutionError):
        run(tasks.CalibrateGrid, **given)
    done = run(tasks.CalibrateGrid, **given, keep_going=True, json_file=str(folder / "noise.json"))
    assert done["verdict"] == "failed"
    assert done["detector_file"] is None
    assert done["reasons"]
    assert json.loads((folder / "noise.json").read_text())["verdict"]["level"] == "failed"
    assert not (folder / "noise.h5").exists()


# -- comparison
def changed(scene: synthetic.Scene) -> Distortion:
    """The detector after an accident: half a pixel of something smooth."""
    more = synthetic.fields.smooth(SHAPE, 0.5, 150.0, np.random.default_rng(8))
    field = synthetic.fields.SumField((scene.distortion.field, more))
    return dataclasses.replace(scene.distortion, field=field)


def test_compare(calibrated: dict[str, Any], folder: Path, scene: synthetic.Scene) -> None:
    write_distortion(changed(scene), folder / "changed.h5")
    given = {"detector_file": calibrated["detector_file"]}
    same = run(tasks.CompareCalibrations, reference=str(folder / "true.h5"), gauge="similarity", **given)
    assert same["rms_px"] < 0.05
    other = run(tasks.CompareCalibrations, reference=str(folder / "changed.h5"), gauge="similarity", **given)
    assert other["verdict"] == "different"
    assert 0.1 < other["rms_px"] < 1
    tolerated = run(tasks.CompareCalibrations, reference=str(folder / "changed.h5"), tolerance=2.0, **given)
    assert tolerated["verdict"] == "same"
    with pytest.raises(TaskExecutionError, match="different"):
        run(tasks.CompareCalibrations, reference=str(folder / "changed.h5"), strict=True, **given)


def test_fleet(folder: Path, scene: synthetic.Scene, tmp_path: Path) -> None:
    write_distortion(changed(scene), tmp_path / "before.h5")
    np.save(tmp_path / "blank.npy", np.full(SHAPE, 7, np.uint16))
    common = {"pitch": scene.plate.pitch_m[0], "images": str(folder / "grid.npy")}
    cameras = {
        "hurt": {**common, "reference": str(tmp_path / "before.h5"), "tolerance": 0.05},
        "dark": {**common, "images": str(tmp_path / "blank.npy")},
    }
    done = execute(graphs.fleet_graph(cameras, tmp_path))
    assert {row["camera"]: row["state"] for row in done["table"]} == {"hurt": "different", "dark": "failed"}
    assert done["attention"] == ["dark", "hurt"]
    assert json.loads((tmp_path / "fleet.json").read_text())["attention"] == ["dark", "hurt"]
    (tmp_path / "dark.json").unlink()
    records = {"dark": [str(tmp_path / "dark.json")]}
    assert run(tasks.GatherChecks, records=records)["table"][0]["state"] == "missing"
    with pytest.raises(TaskExecutionError, match="look at dark"):
        run(tasks.GatherChecks, records=records, strict=True)


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (tasks.CalibrateGrid, {"images": [], "pitch": "5mm"}),
        (tasks.CorrectImages, {"images": [], "detector_file": "d.h5", "output": "o.h5"}),
        (tasks.CorrectImages, {"images": "i.npy", "detector_file": [], "output": "o.h5"}),
        (tasks.ConvertDetector, {"detector_file": [], "output": "o.h5"}),
    ],
)
def test_nothing_to_work_on(task: Any, given: dict[str, Any]) -> None:
    with pytest.raises(TaskExecutionError, match="at least 1 item"):
        run(task, **given)


def test_part_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"out_0000of0002\.h5 is missing"):
        parts.join_parts(tmp_path / "out.h5", 2)


# -- conversion
def test_convert(folder: Path, tmp_path: Path) -> None:
    done = run(tasks.ConvertDetector, detector_file=folder / "true.h5", output=tmp_path / "e2dx.edf")
    assert len(done["files"]) == 2
    assert done["rms_px"] < 1e-3
    back = run(
        tasks.ConvertDetector, detector_file=tuple(done["files"]), output=str(tmp_path / "back.h5"), pixel="50um,60um"
    )
    assert back["kind"] == "nexus"
    assert read_distortion(back["detector_file"]).pixel_size == pytest.approx((50e-6, 60e-6))


# -- correction
@pytest.fixture(scope="module")
def wanted(folder: Path, scene: synthetic.Scene) -> np.ndarray:
    """The corrected stack, frame by frame."""
    truth = read_distortion(folder / "true.h5")
    with h5py.File(folder / "stack.h5") as file:
        return np.stack([correct_image(frame, truth) for frame in file["entry/data"]])


def read(path: str | Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file[DATA_PATH])


@pytest.mark.parametrize("engine", ["core", "ppf", "dask"])
def test_correction_in_parts(engine: str, folder: Path, wanted: np.ndarray, tmp_path: Path) -> None:
    if engine != "core":
        pytest.importorskip(f"ewoks{engine}", reason=f"needs ewoks{engine}")
    scheduler = {"scheduler": "multithreading"} if engine == "dask" else {}
    graph = graphs.correction_graph(folder / "true.h5", folder / "stack.h5", tmp_path / "out.h5", parts=3)
    done = execute_graph(graph, engine=engine, **scheduler)
    assert done["frames"] == 11
    np.testing.assert_array_equal(read(done["output"]), wanted)
    with h5py.File(done["output"]) as file:
        assert file[DATA_PATH].is_virtual
        assert file["entry_0000"].attrs["default"] == "corrected"
    with open_frames(done["data_url"]) as frames:
        assert frames.count == 11


def test_correction_in_one(folder: Path, wanted: np.ndarray, tmp_path: Path) -> None:
    given = {"detector_file": folder / "true.h5", "images": folder / "stack.h5", "output": tmp_path / "out.h5"}
    done = execute(graphs.workflow("correct"), correct=given)
    assert (done["frames"], done["corrected"], done["resumed"]) == (11, 11, 0)
    np.testing.assert_array_equal(read(done["output"]), wanted)
    single = {**given, "images": folder / "grid.npy", "output": tmp_path / "one.edf"}
    assert run(tasks.CorrectImages, **single)["data_url"] is None
    assert (tmp_path / "one.edf").exists()
    with pytest.raises(TaskExecutionError, match="h5 file"):
        run(tasks.CorrectImages, **{**single, "images": [str(folder / "grid.npy")] * 2})


def test_done_is_not_done_again(folder: Path, tmp_path: Path) -> None:
    given = {
        "detector_file": folder / "true.h5",
        "images": f"{folder / 'stack.h5'}::/entry/data",
        "output": tmp_path / "out.h5",
        "part": (1, 3),
    }
    first = run(tasks.CorrectImages, **given)
    before = Path(first["output"]).stat()
    again = run(tasks.CorrectImages, **given)
    after = Path(first["output"]).stat()
    assert (again["corrected"], again["resumed"], again["frames"]) == (0, first["frames"], first["frames"])
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    other = run(tasks.CorrectImages, **given, coverage=0.9)  # other work, to the same file
    assert other["corrected"] == first["frames"]
    with pytest.raises(TaskExecutionError, match="no complete part"):
        run(tasks.JoinCorrected, output=tmp_path / "out.h5", parts=3)
    for k in (0, 2):
        run(tasks.CorrectImages, **{**given, "part": (k, 3)})
    with pytest.raises(FileFormatError, match="other work"):
        parts.join_parts(tmp_path / "out.h5", 3)
    assert not (tmp_path / "out.h5").exists()


def test_waits_for_another_writer(folder: Path, tmp_path: Path) -> None:
    given = {"detector_file": folder / "true.h5", "images": folder / "stack.h5", "output": tmp_path / "out.h5"}
    other = Spool(tmp_path / "out.h5.part", "what another process does")
    with pytest.raises(TaskExecutionError, match="another process"):
        run(tasks.CorrectImages, **given, patience=0)
    timer = threading.Timer(0.3, other.close)
    timer.start()
    assert run(tasks.CorrectImages, **given, patience=60)["frames"] == 11
    timer.join()


def test_done_by_another_writer_while_looking(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"detector_file": folder / "true.h5", "images": folder / "stack.h5", "output": tmp_path / "out.h5"}
    portion, times = parts.portion, []

    def meanwhile(images: Any, part: Any) -> Any:
        times.append(1)
        if len(times) == 1:
            run(tasks.CorrectImages, **given, part=(1, 3))
            times.append(parts.part_path(tmp_path / "out.h5", (1, 3)).stat().st_ino)
        return portion(images, part)

    monkeypatch.setattr(parts, "portion", meanwhile)
    done = run(tasks.CorrectImages, **given, part=(1, 3))
    assert (done["corrected"], done["resumed"]) == (0, 4)
    assert Path(done["output"]).stat().st_ino == times[-1]
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_portions_are_all_and_once(count: int, folder: Path, tmp_path: Path) -> None:
    stack = np.arange(13)[:, None, None] * np.ones((1, 9, 9))
    for k, (low, high) in enumerate(((0, 5), (5, 12), (12, 13))):
        np.save(tmp_path / f"{k}.npy", stack[low:high])
    with h5py.File(tmp_path / "more.h5", "w") as file:
        file["entry/data"] = stack
    sources = [str(tmp_path / f"{k}.npy") for k in range(3)]
    sources += [f"{tmp_path}/more.h5::/entry/data[2:11:2]", stack[:4]]
    expected = [*range(13), 2, 4, 6, 8, 10, 0, 1, 2, 3]
    seen = []
    for k in range(count):
        for source in parts.portion(sources, (k, count)):
            with open_frames(source) as frames:
                seen += [int(frame[0, 0]) for frame in frames]
    assert seen == expected


def test_more_parts_than_frames(folder: Path, wanted: np.ndarray, tmp_path: Path) -> None:
    graph = graphs.correction_graph(folder / "true.h5", folder / "stack.h5", tmp_path / "out.h5", parts=13)
    assert execute(graph)["frames"] == 11
    np.testing.assert_array_equal(read(tmp_path / "out.h5"), wanted)


@pytest.mark.parametrize("part", [(3, 3), (-1, 2)])
def test_part_that_there_is_not(part: tuple[int, int], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskExecutionError, match="part"):
        run(
            tasks.CorrectImages,
            detector_file=folder / "true.h5",
            images=folder / "stack.h5",
            output=tmp_path / "out.h5",
            part=part,
        )
