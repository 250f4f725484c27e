"""Correctors from files, by the command that opens them: the kept table, the checksum of the work, wrong usage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import fabio
import h5py
import numpy as np
import pytest
from stacks import COUNT, SHAPE, Stop, digest, make_files, read, run, stop_after

from pyfai_gridcal.correction.streams import correct_stack


def test_command_on_a_stack_and_its_cache(stack, detector, tmp_path):
    from pyfai_gridcal.cli import main

    out = tmp_path / "out.h5"
    assert main(["correct", str(detector), stack, "-o", str(out), "--json", str(tmp_path / "done.json")]) == 0
    assert json.loads((tmp_path / "done.json").read_text())["frames"] == COUNT
    kept = list(detector.parent.glob("det.h5.table-*.npz"))
    assert len(kept) == 1
    first = digest(out)
    stamp = kept[0].stat().st_mtime_ns
    assert main(["correct", str(detector), stack, "-o", str(out)]) == 0
    assert digest(out) == first
    assert kept[0].stat().st_mtime_ns == stamp
    kept[0].write_bytes(kept[0].read_bytes()[:-100])
    assert main(["correct", str(detector), stack, "-o", str(out)]) == 0
    assert digest(out) == first
    assert main(["correct", str(detector), stack, "-o", str(out), "--no-cache"]) == 0
    assert digest(out) == first


@pytest.mark.parametrize("more", [{}, {"coverage": 0.7, "whole": True}, {"dark": "a.edf", "flat": "b.edf"}])
def test_command_goes_on_with_what_others_began(stack, detector, tmp_path, frames, more):
    from pyfai_gridcal.cli import main
    from pyfai_gridcal.correction.opening import CorrectorFiles, open_corrector

    for name, frame in zip(("a.edf", "b.edf"), frames, strict=False):
        fabio.edfimage.EdfImage(data=frame).write(str(tmp_path / name))
    more = {name: str(tmp_path / value) if isinstance(value, str) else value for name, value in more.items()}
    words = [word for name, value in more.items() for word in (f"--{name}", *([] if value is True else [str(value)]))]
    corrector, key = open_corrector(CorrectorFiles((str(detector),), **more))
    out = tmp_path / "out.h5"
    with pytest.raises(Stop):
        correct_stack([stack], corrector, out, key=key, progress=stop_after(5))
    assert main(["correct", str(detector), stack, "-o", str(out), "--json", str(tmp_path / "done.json"), *words]) == 0
    assert json.loads((tmp_path / "done.json").read_text())["resumed"] == 5


def test_the_result_does_not_depend_on_how_files_are_named(stack, detector, tmp_path, monkeypatch):
    from pyfai_gridcal.cli import main

    assert main(["correct", str(detector), stack, "-o", str(tmp_path / "one.h5")]) == 0
    monkeypatch.chdir(detector.parent)
    assert main(["correct", detector.name, os.path.relpath(stack), "-o", str(tmp_path / "two.h5")]) == 0
    assert digest(tmp_path / "one.h5") == digest(tmp_path / "two.h5")


def test_command_on_files(detector, tmp_path, frames):
    from pyfai_gridcal.cli import main

    names = make_files(tmp_path, frames)
    assert main(["correct", str(detector), *names, "-o", f"{tmp_path}/new/", "--suffix", ".tif"]) == 0
    assert len(list((tmp_path / "new").glob("*.tif"))) == 5
    assert main(["correct", str(detector), names[0], "-o", str(tmp_path / "one.edf"), "--dummy", "-1"]) == 0
    assert (
        main(["correct", str(detector), *names, "-o", str(tmp_path / "all.h5"), "--dark", names[0], "--flat", names[1]])
        == 0
    )
    assert read(tmp_path / "all.h5").shape == (5, *SHAPE)


def test_command_with_wrong_usage(detector, tmp_path, frames, capsys):
    from pyfai_gridcal.cli import main

    names = make_files(tmp_path, frames)
    before = digest(tmp_path / "in_0.edf")
    cases = [
        (["correct", str(detector), names[0], "-o", names[0]], "one of the inputs"),
        (["correct", str(detector), *names, "-o", str(tmp_path)], "replaced"),
        (["correct", str(detector), *names, "-o", str(tmp_path / "one.edf")], "5 images"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "no" / "x.h5")], "folder"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "x.h5"), "-j", "0"], "jobs"),
        (["correct", str(detector), names[0], "-o", str(tmp_path / "x.h5"), "--compression", "zip"], "compression"),
        (["correct", names[0], names[0], "-o", str(tmp_path / "x.h5")], "does not tell"),
        (["correct", str(detector), str(tmp_path / "none.edf"), "-o", str(tmp_path / "x.h5")], "no such file"),
    ]
    for arguments, reason in cases:
        assert main(arguments) in (1, 2)
        assert reason in capsys.readouterr().err
    assert digest(tmp_path / "in_0.edf") == before


@pytest.mark.slow
def test_killed_and_started_again(detector, tmp_path):
    """The real thing: SIGKILL in the middle, then the same command; the file is the one of an unbroken run."""
    shape, count = SHAPE, 1500
    one = np.random.default_rng(2).poisson(5, (50, *shape)).astype(np.uint16)
    with h5py.File(tmp_path / "long.h5", "w") as file:
        dataset = file.create_dataset("data", (count, *shape), np.uint16, chunks=(1, *shape))
        for k in range(0, count, 50):
            dataset[k : k + 50] = one + k
    out, part = tmp_path / "out.h5", tmp_path / "out.h5.part"
    command = [
        sys.executable,
        "-m",
        "pyfai_gridcal",
        "correct",
        str(detector),
        str(tmp_path / "long.h5"),
        "-o",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while (
        time.monotonic() < limit and process.poll() is None and not (part.exists() and part.stat().st_size > 1_000_000)
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.exists()
    assert not out.exists()
    again = run(*command[3:], "--json", "-")
    assert again.returncode == 0, again.stderr
    assert 0 < json.loads(again.stdout)["resumed"] < count
    first = digest(out)
    out.unlink()
    unbroken = run(*command[3:])
    assert unbroken.returncode == 0, unbroken.stderr
    assert digest(out) == first


@pytest.fixture
def whole(tmp_path):
    """A detector file, an image of the whole detector, and the same corrected."""
    from hub import wave

    from pyfai_gridcal.correction.corrector import correct_image
    from pyfai_gridcal.io.kinds.kinds import read_distortion, write_distortion

    write_distortion(wave((120, 168)), tmp_path / "whole.h5")
    image = np.random.default_rng(5).poisson(300, (120, 168)).astype(np.uint16)
    return tmp_path / "whole.h5", image, correct_image(image, read_distortion(tmp_path / "whole.h5"))


@pytest.mark.parametrize("told", ["header", "option"])
def test_an_image_of_a_part_of_the_detector(whole, tmp_path, told, capsys):
    from pyfai_gridcal.cli import main

    detector, image, expected = whole
    header = {"image_roi": "<31,20>-<90x70>"} if told == "header" else {}
    fabio.edfimage.EdfImage(data=image[20:90, 31:121], header=header).write(str(tmp_path / "part.edf"))
    np.save(tmp_path / "mask.npy", np.pad([[[1]]], [(0, 0), (50, 69), (70, 97)])[0])
    words = ["correct", str(detector), str(tmp_path / "part.edf"), "-o", str(tmp_path / "out.edf")]
    words += ["--mask", str(tmp_path / "mask.npy"), *(["--roi", "20:90,31:121"] if told == "option" else [])]
    for _ in range(2):  # the table is made, then kept
        assert main(words) == 0
        assert ("20:90, columns 31:121" in capsys.readouterr().out) == (told == "header")
        with fabio.open(str(tmp_path / "out.edf")) as done:
            inside = np.abs(done.data - expected[20:90, 31:121])[6:-6, 6:-6]
        differs = ~(inside < 0.1)
        assert 1 <= differs.sum() <= 9, "where the mask is"
        # (50, 70) of the detector is (24, 33) here, and the field moves it by a few pixels
        assert differs[19:34, 25:42].sum() == differs.sum()


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"image_bin": "<3x2>", "image_roi": "<0,0>-<56x60>"}, "by their header, the images are binned 2 x 3"),
        ({"Offset_1": "0", "Offset_2": "0"}, "by their shape, the images are binned 2 x 3"),
        ({"image_bin": "<1x1>", "image_roi": "<0,0>-<56x60>"}, "rows 0:60, columns 0:56"),
        ({"image_roi": "<9,0>-<56x60>"}, "rows 0:60, columns 9:65"),
        ({"image_bin": "<1x1>"}, None),
    ],
)
def test_a_binned_image_is_no_corner_of_the_detector(whole, tmp_path, header, says, capsys):
    from pyfai_gridcal.cli import main

    fabio.edfimage.EdfImage(data=whole[1][:60, :56], header=header).write(str(tmp_path / "a.edf"))
    assert main(["correct", str(whole[0]), str(tmp_path / "a.edf"), "-o", str(tmp_path / "b.edf")]) == (says is None)
    told = capsys.readouterr()
    assert (says or "--binning 2,3") in told.out + told.err


def test_a_binned_part(whole, tmp_path, capsys):
    from pyfai_gridcal.cli import main

    binned = whole[1].reshape(60, 2, 56, 3).sum(axis=(1, 3))
    header = {"image_bin": "<3x2>", "image_roi": "<6,10>-<40x30>"}
    fabio.edfimage.EdfImage(data=binned[10:40, 6:46], header=header).write(str(tmp_path / "a.edf"))
    np.save(tmp_path / "all.npy", binned)
    assert main(["correct", str(whole[0]), str(tmp_path / "a.edf"), "-o", str(tmp_path / "b.edf")]) == 0
    assert "binned 2 x 3" in capsys.readouterr().out
    assert main(["correct", str(whole[0]), str(tmp_path / "all.npy"), "-o", str(tmp_path / "all_out.npy")]) == 0
    with fabio.open(str(tmp_path / "b.edf")) as part:
        expected = np.load(tmp_path / "all_out.npy")[10:40, 6:46]
        np.testing.assert_allclose(part.data[6:-6, 6:-6], expected[6:-6, 6:-6], rtol=1e-4)


def test_parts_that_differ_are_not_mixed(whole, tmp_path, capsys):
    from pyfai_gridcal.cli import main

    detector, image, _ = whole
    for name, x in (("a", 31), ("b", 32)):
        header = {"Offset_1": str(x), "Offset_2": "20"}
        fabio.edfimage.EdfImage(data=image[20:90, x : x + 90], header=header).write(str(tmp_path / f"{name}.edf"))
    for out in ("out.h5", "out/"):
        words = [str(tmp_path / name) for name in ("a.edf", "b.edf")]
        assert main(["correct", str(detector), *words, "-o", str(tmp_path) + "/" + out]) == 1
        assert "another part of the detector" in capsys.readouterr().err
    assert not (tmp_path / "out.h5").exists()


def test_binned_images_are_told_by_their_shape(whole, tmp_path, capsys):
    from pyfai_gridcal.cli import main

    detector, image, _ = whole
    np.save(tmp_path / "binned.npy", image.reshape(60, 2, 56, 3).sum(axis=(1, 3)))
    assert main(["correct", str(detector), str(tmp_path / "binned.npy"), "-o", str(tmp_path / "a.npy")]) == 0
    assert "binned 2 x 3" in capsys.readouterr().out
    words = ["--binning", "2,3", "-o", str(tmp_path / "b.npy")]
    assert main(["correct", str(detector), str(tmp_path / "binned.npy"), *words]) == 0
    assert "binned" not in capsys.readouterr().out.splitlines()[1]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    np.save(tmp_path / "odd.npy", image[:100])
    assert main(["correct", str(detector), str(tmp_path / "odd.npy"), "-o", str(tmp_path / "c.npy")]) == 1
    assert "--roi" in capsys.readouterr().err


def test_frames_of_one_file_are_corrected_into_files_of_the_same_kind(detector, tmp_path, frames, capsys):
    from pyfai_gridcal.cli import main

    image = fabio.edfimage.EdfImage(data=frames[0], header={"number": "0"})
    image.append_frame(data=frames[1], header={"number": "1"})
    image.write(str(tmp_path / "many.edf"))
    fabio.edfimage.EdfImage(data=frames[2]).write(str(tmp_path / "one.edf"))
    words = ["correct", str(detector), str(tmp_path / "many.edf"), str(tmp_path / "one.edf"), "-o"]
    assert main([*words, str(tmp_path / "out.h5")]) == 0
    stack = read(tmp_path / "out.h5")
    assert main([*words, str(tmp_path / "out") + "/"]) == 0
    names = ["many_0000.edf", "many_0001.edf", "one.edf"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    for name, expected, number in zip(names, stack, ("0", "1", None), strict=True):
        with fabio.open(str(tmp_path / "out" / name)) as done:
            np.testing.assert_array_equal(done.data, expected)
            assert done.header.get("number") == number
    assert main([*words[:3], "-o", str(tmp_path / "many_out.edf")]) == 2
    assert "2 images for the one output" in capsys.readouterr().err
