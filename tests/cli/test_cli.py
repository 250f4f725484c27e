"""The command line: what it understands, what it says, and how it ends. The core is replaced by a stand-in."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyfai_gridcal import cli
from pyfai_gridcal.base.errors import FittingError, IndexingError, UsageError
from pyfai_gridcal.cli._progress import ProgressLine


@dataclass
class Verdict:
    level: str = "good"
    reasons: tuple[str, ...] = ()


@dataclass
class Calibration:
    """What the command needs of one."""

    verdict: Verdict
    saved: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        return {
            "verdict": {"level": self.verdict.level, "reasons": self.verdict.reasons},
            "pixel": np.array([5e-5, np.nan]),
            "spots": np.int64(12),
        }

    def report(self) -> str:
        return "12 spots, fine\n"

    def save(self, path: Path, *, progress: object = None) -> None:
        Path(path).write_text("detector")
        self.saved.append(str(path))


@dataclass
class Core:
    """Stand-in for the module ``calibration``."""

    result: Calibration = field(default_factory=lambda: Calibration(Verdict()))
    error: BaseException | None = None
    calls: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)

    def calibrate(self, images: Any, **settings: Any) -> Calibration:
        settings.pop("progress")
        self.calls.append((images, settings))
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    import pyfai_gridcal.report  # noqa: F401  # which imports the real module, whatever ran before

    core = Core()
    module = types.ModuleType("pyfai_gridcal.calibration")
    module.calibrate = core.calibrate  # type: ignore[attr-defined]
    module.Settings = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyfai_gridcal.calibration", module)
    return core


@pytest.fixture
def image(tmp_path: Path) -> Path:
    np.save(tmp_path / "grid.npy", np.random.default_rng(0).normal(100, 3, (40, 50)))
    return tmp_path / "grid.npy"


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


# -- the whole
def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "calibrate" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("pyFAI-gridcal ")


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    listed = [name for name, module, _ in cli.COMMANDS if cli._exists(module)]
    assert {"calibrate", "validate", "demo"} <= set(listed)
    for name in listed:
        if name in ("gui", "calib2", "view"):
            continue  # they may need what is not installed
        assert run(name, "--help") == 0, name
        assert f"usage: pyFAI-gridcal {name}" in capsys.readouterr().out


def test_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrat", "x.edf") == 2
    assert "'calibrat'" in (error := capsys.readouterr().err)
    assert "did you mean calibrate?" in error
    assert run("calibrate", "x.edf", "--pitch", "5mm", "--foo") == 2
    error = capsys.readouterr().err
    assert "--foo" in error
    assert error.count("\n") == 1


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyfai_gridcal", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pyFAI-gridcal ")


# -- calibrate
def test_calibrate(core: Core, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", image, "--pitch", "5mm") == 0
    (given, settings) = core.calls[0]
    assert settings == {"pitch": (0.005, 0.005)}
    assert given.shape == (40, 50)
    assert core.result.saved == [str(image.with_suffix(".h5"))]
    out, err = capsys.readouterr()
    assert "12 spots" in out
    assert "grid.h5" in out
    assert err == ""


def test_settings_reach_the_core(core: Core, image: Path, tmp_path: Path) -> None:
    words = "--pitch 3mm,2mm --pixel 50um,48um --lattice rectangular --polarity dark --hole 0.5mm --model mosaic"
    words += " --gauge least --max-sigma 0.1 --angle 75 --origin 10.5,20 --detector Pilatus1M --plate p.h5"
    assert run("calibrate", image, *words.split(), "-o", tmp_path / "out.h5") == 0
    assert core.calls[0][1] == {
        "pitch": (0.003, 0.002),
        "pixel": (50e-6, 48e-6),
        "lattice": "rectangular",
        "polarity": "dark",
        "hole": 0.0005,
        "model": "mosaic",
        "gauge": "least displacement",
        "max_sigma": 0.1,
        "angle": 75,
        "origin": (10.5, 20),
        "detector": "Pilatus1M",
        "plate": "p.h5",
    }
    assert (tmp_path / "out.h5").exists()


def test_several_images_are_exposures(core: Core, image: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.load(image) + 2)
    assert run("calibrate", image, tmp_path / "b.npy", "--pitch", "5mm", "-o", tmp_path / "o.h5") == 0
    assert len(core.calls[0][0]) == 2
    assert (
        run("calibrate", image, tmp_path / "b.npy", "--pitch", "5mm", "-o", tmp_path / "o.h5", "--combine", "mean") == 0
    )
    assert np.allclose(core.calls[1][0].data, np.load(image) + 1)


def test_mask_dark_flat(core: Core, image: Path, tmp_path: Path) -> None:
    mask, dark = np.zeros((40, 50)), np.full((40, 50), 60.0)
    mask[3, 4] = 1
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "dark.npy", dark)
    files = ["--mask", tmp_path / "mask.npy", "--dark", tmp_path / "dark.npy", "--flat", tmp_path / "dark.npy"]
    assert run("calibrate", image, "--pitch", "5mm", "-o", tmp_path / "o.h5", *files) == 0
    given = core.calls[0][0]
    assert np.argwhere(given.mask).tolist() == [[3, 4]]
    assert np.allclose(given.data, np.load(image) - 60)


@pytest.mark.parametrize(
    ("pitch", "says"),
    [
        ("5", "5 what?"),
        ("-5mm", "positive"),
        ("0mm", "positive"),
        ("nan", "nan what?"),
        ("5 parsec", "unknown unit"),
        ("2,5mm", "decimals"),
    ],
)
def test_pitch_without_sense(
    core: Core, image: Path, pitch: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", image, "--pitch", pitch) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert out == ""
    assert not core.calls


def test_pitch_is_needed(core: Core, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", image) == 2
    assert "--pitch" in capsys.readouterr().err


def test_json(core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", image, "--pitch", "5mm", "--json", tmp_path / "s.json") == 0
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["verdict"]["level"] == "good"
    assert record["pixel"] == [5e-5, None]
    assert record["spots"] == 12
    assert record["output"] == str(image.with_suffix(".h5"))
    capsys.readouterr()
    assert run("calibrate", image, "--pitch", "5mm", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["spots"] == 12


def test_raw_data_beside_the_image_are_not_replaced(core: Core, image: Path) -> None:
    import h5py

    raw = image.with_suffix(".h5")
    with h5py.File(raw, "w") as file:
        file["entry/data"] = [1, 2, 3]
    assert run("calibrate", image, "--pitch", "5mm") == 0
    assert core.result.saved == [str(image.with_name("grid_detector.h5"))]
    with h5py.File(raw) as file:
        assert file["entry/data"][()].tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["detector.spline", "detector.EDF", "detector.poni"])
def test_result_under_the_name_of_another_kind(
    core: Core, image: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", image, "--pitch", "5mm", "-o", image.with_name(name)) == 2
    assert "pyFAI-gridcal convert" in capsys.readouterr().err
    assert not core.calls


def test_failed_verdict_writes_no_detector(
    core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core.result = Calibration(Verdict("failed", ("two grids overlap", "seams")))
    out = tmp_path / "out.h5"
    out.write_text("precious")
    assert run("calibrate", image, "--pitch", "5mm", "-o", out, "--json", tmp_path / "s.json") == 1
    assert out.read_text() == "precious"
    error = capsys.readouterr().err.splitlines()[-1]
    assert "two grids overlap; seams" in error
    assert "--force" in error
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["verdict"] == {"level": "failed", "reasons": ["two grids overlap", "seams"]}
    assert "output" not in record
    assert run("calibrate", image, "--pitch", "5mm", "-o", out, "--force") == 1
    assert out.read_text() == "detector"


def test_doubtful_is_written(core: Core, image: Path) -> None:
    core.result = Calibration(Verdict("doubtful", ("few points",)))
    assert run("calibrate", image, "--pitch", "5mm") == 0
    assert image.with_suffix(".h5").exists()


def test_nothing_found(core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core.error = IndexingError("found 7 spots", expected="at least 9", hint="look at the image")
    assert run("calibrate", image, "--pitch", "5mm", "--json", tmp_path / "s.json") == 1
    assert capsys.readouterr().err == "pyFAI-gridcal: error: found 7 spots; expected at least 9; look at the image\n"
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["verdict"]["level"] == "failed"
    assert "7 spots" in record["verdict"]["reasons"][0]
    assert not image.with_suffix(".h5").exists()


def test_what_goes_wrong_with_files(
    core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "junk.edf").write_bytes(b"no image")
    (tmp_path / "folder.h5").mkdir()
    cases: list[tuple[list[object], str]] = [
        ([tmp_path / "nothing.edf"], "no such file"),
        ([tmp_path / "junk.edf"], "cannot be read as an image"),
        ([image, "-o", tmp_path / "no" / "where.h5"], "folder"),
        ([image, "-o", tmp_path / "folder.h5"], "is a folder"),
        ([image, "-o", image], "one of the inputs"),
        ([image, "-o", tmp_path / "a.h5", "--json", tmp_path / "a.h5"], "two outputs"),
        ([image, "--mask", "Pilatos1M"], "neither the name nor the file of a detector"),
        ([image, "--mask", "Pilatus1M"], "shape"),
        ([image, "--dark", tmp_path / "nothing.edf"], "no such file"),
    ]
    for words, says in cases:
        assert run("calibrate", *words, "--pitch", "5mm") in (1, 2)
        out, err = capsys.readouterr()
        assert says in err, words
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert out == ""
    assert not core.calls


def test_hdf5_image_is_not_overwritten(core: Core, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "grid.h5"
    with h5py.File(path, "w") as file:
        file["entry/data"] = np.random.default_rng(0).normal(100, 3, (40, 50))
    before = path.read_bytes()
    assert run("calibrate", f"{path}::/entry/data", "--pitch", "5mm") == 0
    assert path.read_bytes() == before
    assert (tmp_path / "grid_detector.h5").exists()


# -- ends
@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (UsageError("no"), 2, "error: no"),
        (FittingError("no"), 1, "error: no"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("odd"), 1, "RuntimeError: odd (use --debug"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(28, "No space left on device", "x.h5"), 1, "x.h5: No space left"),
        (ModuleNotFoundError("No module named 'PySide6'", name="PySide6.QtCore"), 1, "pyfai-gridcal[gui]"),
        (ImportError("No Qt wrapper found. Install PySide6, PyQt6, PyQt5."), 1, "pyfai-gridcal[gui]"),
    ],
)
def test_ends(
    core: Core, image: Path, error: BaseException, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    core.error = error
    assert run("calibrate", image, "--pitch", "5mm") == status
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not image.with_suffix(".h5").exists()


def test_debug_shows_where(core: Core, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core.error = RuntimeError("odd")
    assert run("calibrate", image, "--pitch", "5mm", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err
    assert run("--debug", "calibrate", image, "--pitch", "5mm") == 1
    assert "Traceback" in capsys.readouterr().err


def test_verbose(core: Core, image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(images: Any, **_: Any) -> Calibration:
        logging.getLogger("pyfai_gridcal.x").info("of ours")
        logging.getLogger("pyFAI.x").warning("of theirs")
        return core.result

    monkeypatch.setattr(sys.modules["pyfai_gridcal.calibration"], "calibrate", talk)
    assert run("calibrate", image, "--pitch", "5mm") == 0
    assert capsys.readouterr().err == ""
    assert run("-v", "calibrate", image, "--pitch", "5mm") == 0
    assert capsys.readouterr().err == "INFO pyfai_gridcal.x: of ours\n"
    assert run("calibrate", image, "--pitch", "5mm", "-vv") == 0
    assert "of theirs" in capsys.readouterr().err
    assert logging.getLogger("pyFAI").level == logging.NOTSET


def test_reader_that_leaves() -> None:
    code = "import sys; from pyfai_gridcal.cli import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()


# -- progress
class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_waits_two_seconds() -> None:
    for stream in (io.StringIO(), Terminal()):
        now = [0.0]
        with ProgressLine(stream, clock=lambda: now[0]) as progress:  # noqa: B023  # called at once
            progress(0.1, "early")
            assert stream.getvalue() == ""
            now[0] = 2.5
            progress(0.5, "fitting")
            assert "50 % fitting" in stream.getvalue()
            now[0] = 2.55
            progress(0.6, "too soon")
        assert "too soon" not in stream.getvalue()
        if stream.isatty():
            assert stream.getvalue().endswith("\r\x1b[K")
        else:
            assert stream.getvalue() == " 50 % fitting\n"


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        progress(1.0, "done")
    assert capsys.readouterr().err == ""


def test_convert_tells_how_far_the_fit_of_a_spline_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hub import wave

    from pyfai_gridcal.cli import _progress
    from pyfai_gridcal.io.kinds.kinds import write_distortion

    write_distortion(wave(), tmp_path / "a.npz")
    for name in ("PATIENCE", "SPARSE"):
        monkeypatch.setattr(_progress, name, 0.0)
    assert cli.main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "a.spline")]) == 0
    assert re.search(r"^ *\d+ % .*knots", capsys.readouterr().err, re.MULTILINE)


def test_binned_pixels_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hub import wave

    from pyfai_gridcal.io.kinds.kinds import write_distortion

    ny, nx = wave().shape
    write_distortion(wave(), tmp_path / "a.npz")
    assert cli.main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--binning", "2"]) == 0
    assert f"binned 2 x 2 to {ny // 2} x {nx // 2} pixels" in capsys.readouterr().out


def test_images_of_another_shape_cost_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hub import wave

    from pyfai_gridcal.io.kinds.kinds import write_distortion

    write_distortion(wave(), tmp_path / "a.npz")
    np.save(tmp_path / "image.npy", np.ones((30, 40), np.float32))
    assert run("correct", tmp_path / "a.npz", tmp_path / "image.npy", "-o", tmp_path / "out.npy") == 1
    assert "as the detector" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "image.npy"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_write_protected_output(core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    assert run("calibrate", image, "--pitch", "5mm", "-o", tmp_path / "closed" / "x.h5") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_options_are_the_settings_of_the_core() -> None:
    from dataclasses import fields
    from typing import get_args

    from pyfai_gridcal.cli import _options
    from pyfai_gridcal.records.plate import LatticeKind
    from pyfai_gridcal.records.settings import Settings

    assert set(_options.SETTINGS) | {"pitch"} == {f.name for f in fields(Settings)}
    assert set(_options.LATTICES) == set(get_args(LatticeKind))


@pytest.mark.parametrize("model", ["auto", "spline", "mosaic"])
def test_models_in_the_help_are_known(model: str) -> None:
    from pyfai_gridcal.cli import _options

    assert model in _options.SETTINGS["model"]["help"]
