"""The command line with the real core, from an image to files, and what it says to images that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fabio
import numpy as np
import pytest

from pyfai_gridcal import cli
from pyfai_gridcal.base.arrays import AnyArray
from pyfai_gridcal.synthetic import SyntheticImage, demo_scene

SHAPE = (300, 372)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine there would be progress among the messages."""
    monkeypatch.setattr("pyfai_gridcal.cli._progress.PATIENCE", float("inf"))


@pytest.fixture(scope="module")
def picture() -> SyntheticImage:
    return demo_scene(SHAPE, pitch_px=24.3, seed=3).render(np.random.default_rng(3))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, picture: SyntheticImage) -> Path:
    """Folder with image, detector, summary and corrected image."""
    folder = tmp_path_factory.mktemp("made")
    fabio.edfimage.EdfImage(data=picture.image).write(str(folder / "grid.edf"))
    words = ["calibrate", f"{folder}/grid.edf", "--pitch", pitch_of(picture), "-o", f"{folder}/det.h5"]
    words += ["--json", f"{folder}/summary.json", "--corrected", f"{folder}/corrected.tif"]
    assert cli.main(words) == 0
    return folder


def pitch_of(picture: SyntheticImage) -> str:
    return f"{1e6 * picture.scene.plate.pitch_m[0]:.9f}um"


def test_detector_is_read_by_pyfai(made: Path, picture: SyntheticImage) -> None:
    from pyFAI.detectors import detector_factory

    detector = detector_factory(str(made / "det.h5"))
    assert detector.shape == SHAPE
    corners = detector.get_pixel_corners()
    centres = corners[..., 1:].mean(axis=2)
    known = ~np.asarray(detector.mask, bool)
    assert known.mean() > 0.8
    true = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1) + np.stack(picture.distortion.displacement_maps(), -1)
    true = true * picture.distortion.pixel_size
    # A rigid motion is free: compare distances from the centroid after the best turn.
    a, b = (v[known] - v[known].mean(axis=0) for v in (centres, true))
    u, _, v = np.linalg.svd(a.T @ b)
    error = np.hypot(*(a @ u @ v - b).T) / picture.distortion.pixel_size[0]
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_summary(made: Path) -> None:
    summary = json.loads((made / "summary.json").read_text())
    assert summary["verdict"]["level"] == "good"
    assert summary["output"] == str(made / "det.h5")
    assert summary["inputs"][0]["path"] == str(made / "grid.edf")
    assert len(summary["inputs"][0]["sha256"]) == 64


def test_corrected_image(made: Path) -> None:
    assert fabio.open(str(made / "corrected.tif")).data.sum() > 0


def test_validate(made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, picture: SyntheticImage) -> None:
    words = ["validate", f"{made}/det.h5", f"{made}/grid.edf"]
    out = ["-o", str(tmp_path / "c.edf"), "--json", str(tmp_path / "v.json")]
    assert cli.main([*words, "--pitch", pitch_of(picture), *out]) == 0
    assert "misplacement" in capsys.readouterr().out
    figures = json.loads((tmp_path / "v.json").read_text())
    assert figures["good"] is True
    assert figures["misplacement_mean_pitch"] < 0.003
    assert fabio.open(str(tmp_path / "c.edf")).data.ndim == 2


def test_validate_with_another_pitch_is_bad(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", f"{made}/det.h5", f"{made}/grid.edf", "--pitch", "3mm"]) == 1
    assert "not straight" in capsys.readouterr().err


def test_validate_a_detector_without_plate(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import h5py

    with h5py.File(made / "det.h5") as old, h5py.File(tmp_path / "plain.h5", "w") as new:
        for name, entry in old.items():
            old.copy(entry, new, name)
            new[name].pop("grid_calibration", None)
    assert cli.main(["validate", f"{tmp_path}/plain.h5", f"{made}/grid.edf"]) == 2
    assert "knows of no plate; give its --pitch" in capsys.readouterr().err
    assert cli.main(["validate", f"{tmp_path}/nothing.h5", f"{made}/grid.edf"]) == 1
    assert "no such file" in capsys.readouterr().err


def few_holes() -> AnyArray:
    y, x = np.mgrid[:200, :220]
    image = np.random.default_rng(0).normal(100, 3, y.shape)
    for cy, cx in ((60, 60), (60, 110), (110, 60), (110, 112)):
        image += 500 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 30)
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros((200, 220)),
        lambda: np.full((200, 220), 255, np.uint8),
        lambda: np.random.default_rng(0).normal(100, 3, (200, 220)),
        lambda: np.random.default_rng(0).poisson(3, (200, 220)).astype(np.uint16),
        few_holes,
        lambda: np.ones((3, 4)),
        lambda: np.arange(12.0),
    ],
    ids=["zeros", "white", "noise", "counts", "few holes", "tiny", "one-dimensional"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_grid(make: Callable[[], AnyArray], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.h5"
    out.write_text("precious")
    np.save(tmp_path / "image.npy", make())
    assert cli.main(["calibrate", f"{tmp_path}/image.npy", "--pitch", "2mm", "-o", str(out)]) == 1
    printed, error = capsys.readouterr()
    assert out.read_text() == "precious"
    # notes on the image, which may be the reason, come with it
    lines = error.splitlines()
    assert sum(line.startswith("pyFAI-gridcal: error: ") for line in lines) == 1
    assert all(line.startswith(("pyFAI-gridcal: error: ", "pyFAI-gridcal: note: ")) for line in lines[-2:])
    assert "Traceback" not in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image.npy", "out.h5"]
    assert "GOOD" not in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--lattice", "oblique"], "angle"),
        (["--hole", "3mm"], "holes smaller than the pitch"),
        (["--model", "magic"], "model 'magic'"),
        (["--gauge", "1,2,3"], "two numbers"),
        (["--detector", "Pilatos1M"], "did you mean"),
        (["--pitch", "3mm,2mm", "--lattice", "square"], "one pitch"),
        (["--angle", "-60"], "positive"),
        (["--max-sigma", "0"], "positive"),
    ],
)
def test_settings_without_sense(
    made: Path, tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.h5"
    assert cli.main(["calibrate", f"{made}/grid.edf", "--pitch", "2mm", "-o", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.slow
def test_several_exposures_and_their_plate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from pyfai_gridcal.synthetic import imperfect, place

    scene = demo_scene((290, 340), pitch_px=24.3, seed=8)
    plate = imperfect(scene.plate, 10e-6, seed=1)
    poses = [place(scene.distortion, plate, angle_deg=a, offset=o) for a, o in ((2.3, (0.3, 0.5)), (92, (2.1, -1.4)))]
    names = []
    for k, exposure in enumerate(replace(scene, plate=plate).exposures(poses)):
        names.append(f"{tmp_path}/{k}.edf")
        fabio.edfimage.EdfImage(data=exposure.render(np.random.default_rng(k)).image).write(names[-1])
    pitch = f"{1e6 * plate.pitch_m[0]:.6f}um"
    assert cli.main(["calibrate", *names, "--pitch", pitch, "-o", f"{tmp_path}/two.h5"]) == 0
    assert "exposure 2" in capsys.readouterr().out
    assert (
        cli.main(["calibrate", names[0], "--pitch", pitch, "--plate", f"{tmp_path}/two.h5", "-o", f"{tmp_path}/b.h5"])
        == 0
    )
