"""``calibrate``: what it understands and says, with a stand-in for the core."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from commands import Calibration, Core, Verdict, run

from pyfai_gridcal.base.errors import IndexingError


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


def test_settings_reach_the_core(
    core: Core, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for there in ("p.h5", "old.h5"):
        (tmp_path / there).touch()
    words = "--pitch 3mm,2mm --pixel 50um,48um --lattice rectangular --polarity dark --hole 0.5mm --model mosaic"
    words += " --gauge centre --max-sigma 0.1 --angle 75 --origin 10.5,20 --detector Pilatus1M --plate p.h5"
    words += " --tilt 0.2deg --source 10m --gap 2mm --pitch-tolerance 20ppm --expansion 16.5e-6 --temperature 20±2"
    words += " --prior old.h5"
    words += " --sensor CdTe,1mm --name Eiger2_CdTe_4M"
    assert run("calibrate", image, *words.split(), "-o", tmp_path / "out.h5") == 0
    assert core.calls[0][1] == {
        "pitch": (0.003, 0.002),
        "pixel": (50e-6, 48e-6),
        "lattice": "rectangular",
        "polarity": "dark",
        "hole": 0.0005,
        "model": "mosaic",
        "gauge": "centre",
        "max_sigma": 0.1,
        "angle": 75,
        "origin": (10.5, 20),
        "detector": "Pilatus1M",
        "plate": "p.h5",
        "prior": "old.h5",
        "tilt": 0.2,
        "source": 10.0,
        "gap": 0.002,
        "pitch_tolerance": 20e-6,
        "expansion": 16.5e-6,
        "temperature": (20.0, 2.0),
        "sensor": "CdTe,1mm",
    }
    assert (tmp_path / "out.h5").read_text() == "detector Eiger2_CdTe_4M"
    assert run("calibrate", image, "--pitch", "5mm", "--sensor", "kryptonite,1mm") == 2


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


@pytest.mark.parametrize("name", ["detector.spline", "detector.EDF", "detector.poni", "detector.xyz"])
def test_result_under_the_name_of_another_kind(
    core: Core, image: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", image, "--pitch", "5mm", "-o", image.with_name(name)) == 2
    assert "pyFAI-gridcal convert" in capsys.readouterr().err
    assert not core.calls


def test_a_report_under_another_name_is_refused_before_the_work(
    core: Core, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", image, "--pitch", "5mm", "--report", image.with_name("r.pdf")) == 2
    assert "expected a name that ends in ." in capsys.readouterr().err
    assert not core.calls


def test_failed_verdict_writes_no_detector(
    core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core.result = Calibration(Verdict("failed", ("two grids overlap", "seams")))
    out = tmp_path / "out.h5"
    out.write_text("precious")
    assert run("calibrate", image, "--pitch", "5mm", "-o", out, "--json", tmp_path / "s.json") == 1
    assert out.read_text() == "precious"
    told = capsys.readouterr()
    for reason in ("two grids overlap", "seams"):
        assert (told.out + told.err).count(reason) == 1
    assert "not to be trusted" in told.err
    assert "--force" in told.err
    assert run("calibrate", image, "--pitch", "5mm", "-o", out, "--json", "-") == 1
    assert "two grids overlap; seams" in capsys.readouterr().err.splitlines()[-1]
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


def test_notes_that_explain_a_failure_are_told_once(
    core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core.error = IndexingError("found 7 spots")
    for note in ("12 % read below 3: dead, masked", "5 saturated pixels", "5 saturated pixels"):
        core.error.add_note(note)
    assert run("calibrate", image, "--pitch", "5mm", "--json", tmp_path / "s.json") == 1
    assert capsys.readouterr().err.splitlines() == [
        "pyFAI-gridcal: error: found 7 spots",
        "pyFAI-gridcal: note: 12 % read below 3: dead, masked",
        "pyFAI-gridcal: note: 5 saturated pixels",
    ]
    assert "5 saturated pixels" in json.loads((tmp_path / "s.json").read_text())["notes"]


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


@pytest.mark.parametrize(
    "words", [("--prior", "no.h5"), ("--plate", "no.h5"), ("--rings", "no.npt:a.poni"), ("--rings", "a.npt:no.poni")]
)
def test_files_that_are_named_are_there_before_the_work(
    core: Core, image: Path, tmp_path: Path, words: tuple[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for there in ("a.npt", "a.poni"):
        (tmp_path / there).touch()
    assert run("calibrate", image, "--pitch", "5mm", *words) == 1
    assert " cannot be read: No such file or directory" in capsys.readouterr().err
    assert not core.calls


def test_letters_are_those_of_pyfais_tools(core: Core, image: Path, tmp_path: Path) -> None:
    mask, dark = np.zeros((40, 50)), np.full((40, 50), 60.0)
    mask[3, 4] = 1
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "dark.npy", dark)
    words = ["-m", tmp_path / "mask.npy", "-d", tmp_path / "dark.npy", "-f", tmp_path / "dark.npy", "-D", "Pilatus1M"]
    assert run("calibrate", image, "-p", "5mm", "-o", tmp_path / "o.h5", *words) == 0
    given, settings = core.calls[0]
    assert np.argwhere(given.mask).tolist() == [[3, 4]]
    assert np.allclose(given.data, np.load(image) - 60)
    assert settings["detector"] == "Pilatus1M"


@pytest.mark.parametrize(
    ("words", "says"), [(["-p", "2", "mm"], "2mm without a space"), (["-p", "2mm", "--pixel", "50"], "; write 50um (")]
)
def test_units_apart_or_missing(
    core: Core, image: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("calibrate", image, *words) == 2
    assert says in capsys.readouterr().err


def test_hdf5_image_is_not_overwritten(core: Core, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "grid.h5"
    with h5py.File(path, "w") as file:
        file["entry/data"] = np.random.default_rng(0).normal(100, 3, (40, 50))
    before = path.read_bytes()
    assert run("calibrate", f"{path}::/entry/data", "--pitch", "5mm") == 0
    assert path.read_bytes() == before
    assert (tmp_path / "grid_detector.h5").exists()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_write_protected_output(core: Core, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    assert run("calibrate", image, "--pitch", "5mm", "-o", tmp_path / "closed" / "x.h5") == 2
    assert "cannot be written" in capsys.readouterr().err
