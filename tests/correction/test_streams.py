"""Stacks and files of images: complete or not there, resumed where they were cut, and the same bytes for all that."""

from __future__ import annotations

import os
import time

import fabio
import h5py
import numpy as np
import pytest
from hub import wave
from stacks import COUNT, SHAPE, Stop, digest, make_files, read, stop_after

from pyfai_gridcal.base.errors import GridcalError, ImageError, UsageError
from pyfai_gridcal.correction.corrector import Corrector
from pyfai_gridcal.correction.streams import DATA_PATH, Corrected, correct_files, correct_stack, in_order
from pyfai_gridcal.correction.table import build_table


@pytest.mark.parametrize("workers", [1, 3])
def test_each_frame_is_corrected(stack, frames, corrector, tmp_path, workers):
    done = correct_stack([stack], corrector, tmp_path / "out.h5", workers=workers)
    assert (done.frames, done.resumed, done.shape) == (COUNT, 0, SHAPE)
    expected = np.stack([corrector(f) for f in frames])
    assert np.array_equal(read(tmp_path / "out.h5"), expected, equal_nan=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.h5", "scan.h5"]


def test_silx_finds_the_image(stack, corrector, tmp_path):
    from silx.io import nxdata

    correct_stack([stack], corrector, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        default = nxdata.get_default(file)
        assert default.signal.name == DATA_PATH
        assert np.isnan(file[DATA_PATH].attrs["dummy"])


@pytest.fixture
def incomplete(frames, tmp_path):
    """Twelve frames in three files, the second of which is gone."""
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for k in range(3):
            file[f"entry/data/data_{k + 1:06d}"] = h5py.ExternalLink(f"data_{k}.h5", "/entry/data")
            if k != 1:
                with h5py.File(tmp_path / f"data_{k}.h5", "w") as data:
                    data["entry/data"] = frames[4 * k : 4 * k + 4]
    return tmp_path / "master.h5"


def test_frames_that_are_missing_are_missed(incomplete, frames, corrector, tmp_path):
    out = tmp_path / "out.h5"
    with pytest.raises(ImageError, match=r"4 of 12 frames .* cannot read data_1.h5"):
        correct_stack([incomplete], corrector, out)
    expected = np.stack([corrector(f) for f in frames])
    left = [*range(4), *range(8, 12)]
    done = correct_stack([incomplete], corrector, out, missing="skip")
    assert np.array_equal(read(out), expected[left], equal_nan=True)
    # What was begun without them is not gone on with.
    with pytest.raises(Stop):
        correct_stack([incomplete], corrector, out, missing="nan", progress=stop_after(9))
    with h5py.File(tmp_path / "data_1.h5", "w") as data:
        data["entry/data"] = frames[4:8]
    assert correct_stack([incomplete], corrector, out, missing="nan").resumed == 0
    assert np.array_equal(read(out), expected, equal_nan=True)
    assert done.frames == 8
    assert "data_1.h5" in done.notes[0]


def test_what_was_left_out_stands_in_the_file(incomplete, corrector, tmp_path):
    for missing in ("skip", "nan"):
        correct_stack([incomplete], corrector, tmp_path / "out.h5", missing=missing)
        with h5py.File(tmp_path / "out.h5") as file:
            note = file["entry_0000/correction/notes"].asstr()[()]
            lost = np.isnan(file[DATA_PATH][()]).all(axis=(1, 2))
        assert note.startswith("4 of 12 frames")
        assert note.endswith("left out" if missing == "skip" else "nan")
        assert lost.nonzero()[0].tolist() == ([] if missing == "skip" else [4, 5, 6, 7])


@pytest.mark.parametrize("cut", [1, 5, COUNT])
def test_interrupted_and_resumed_gives_the_same_bytes(stack, corrector, tmp_path, cut):
    correct_stack([stack], corrector, tmp_path / "whole.h5", key="a")
    with pytest.raises(Stop):
        correct_stack([stack], corrector, tmp_path / "out.h5", key="a", progress=stop_after(cut), workers=2)
    assert not (tmp_path / "out.h5").exists()
    done = correct_stack([stack], corrector, tmp_path / "out.h5", key="a")
    assert done.resumed == cut
    assert done.frames == COUNT - cut
    assert digest(tmp_path / "out.h5") == digest(tmp_path / "whole.h5")


def test_a_torn_end_is_cut_off(stack, corrector, tmp_path):
    correct_stack([stack], corrector, tmp_path / "whole.h5")
    for damage in (b"", b"half a piece", bytes(40)):
        with pytest.raises(Stop):
            correct_stack([stack], corrector, tmp_path / "out.h5", progress=stop_after(6))
        part = tmp_path / "out.h5.part"
        data = part.read_bytes()
        part.write_bytes((data + damage) if damage else data[:-7])
        done = correct_stack([stack], corrector, tmp_path / "out.h5")
        assert done.resumed == (6 if damage else 5)
        assert digest(tmp_path / "out.h5") == digest(tmp_path / "whole.h5")
        (tmp_path / "out.h5").unlink()


def test_other_work_does_not_go_on_from_there(stack, corrector, tmp_path):
    with pytest.raises(Stop):
        correct_stack([stack], corrector, tmp_path / "out.h5", key="one", progress=stop_after(4))
    assert correct_stack([stack], corrector, tmp_path / "out.h5", key="two").resumed == 0


def test_an_existing_output_stays_until_the_new_one_is_complete(stack, corrector, tmp_path):
    out = tmp_path / "out.h5"
    out.write_text("precious")
    with pytest.raises(Stop):
        correct_stack([stack], corrector, out, progress=stop_after(3))
    assert out.read_text() == "precious"
    correct_stack([stack], corrector, out)
    assert len(read(out)) == COUNT


def test_what_another_process_finished_meanwhile_is_left(stack, corrector, tmp_path):
    out = tmp_path / "out.h5"
    found = Corrected((out,), 0, COUNT)
    assert correct_stack([stack], corrector, out, finished=lambda: found) is found
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("dtype", "expected"), [(None, "f4"), ("float64", "f8"), ("uint32", "u4"), ("same", "u2"), ("int16", "i2")]
)
def test_types_of_the_output(stack, frames, corrector, tmp_path, dtype, expected):
    correct_stack([stack], corrector, tmp_path / "out.h5", dtype=dtype)
    out = read(tmp_path / "out.h5")
    assert out.dtype == expected
    plain = corrector(frames[2])
    known = np.isfinite(plain)
    assert np.abs(out[2][known] - plain[known]).max() <= (0.5 if out.dtype.kind != "f" else 1e-6)
    if out.dtype.kind in "iu":
        assert set(np.unique(out[2][~known])) == {np.iinfo(out.dtype).max if out.dtype.kind == "u" else -1}


def test_files_of_whole_numbers_tell_the_dummy_that_they_hold(frames, stack, corrector, tmp_path):
    fabio.edfimage.EdfImage(data=frames[0]).write(str(tmp_path / "a.edf"))
    correct_files([tmp_path / "a.edf"], corrector, [tmp_path / "b.edf"], dtype="uint16")
    correct_stack([stack], corrector, tmp_path / "out.h5", dtype="uint16")
    with fabio.open(str(tmp_path / "b.edf")) as image, h5py.File(tmp_path / "out.h5") as file:
        told = float(image.header["dummy"]), float(file[DATA_PATH].attrs["dummy"])
        unknown = np.isnan(corrector(frames[0]))
        assert told == (65535, 65535)
        assert (image.data[unknown] == 65535).all()
        assert (file[DATA_PATH][0][unknown] == 65535).all()
    odd = Corrector(corrector.table, dummy=-1)
    for job in (
        lambda: correct_stack([stack], odd, tmp_path / "no.h5", dtype="uint16"),
        lambda: correct_files([tmp_path / "a.edf"], odd, [tmp_path / "no.edf"], dtype="uint16"),
    ):
        with pytest.raises(UsageError, match="dummy -1 in uint16"):
            job()
    assert not list(tmp_path.glob("no.*"))


def test_wrong_types_are_refused(stack, corrector, tmp_path):
    for wrong in ("complex64", "str", "nonsense"):
        with pytest.raises(UsageError, match="type"):
            correct_stack([stack], corrector, tmp_path / "out.h5", dtype=wrong)


def test_no_more_frames_than_needed_are_held():
    alive, most = 0, 0

    class Held:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    for _ in in_order(lambda n: Held(), range(100), 3):
        time.sleep(0.0005)
    assert most <= 3 * 3 + 2


def test_files_keep_their_headers(tmp_path, frames, corrector):

    names = make_files(tmp_path, frames)
    out = tmp_path / "out"
    out.mkdir()
    done = correct_files(names, corrector, [out / os.path.basename(n) for n in names])
    assert done.frames == 5
    for k in range(5):
        with fabio.open(str(out / f"in_{k}.edf")) as image:
            assert np.array_equal(image.data, corrector(frames[k]), equal_nan=True)
            assert image.header["Title"] == f"frame {k}"
            assert image.header["motor"] == str(k)
    assert sorted(p.name for p in out.iterdir()) == [f"in_{k}.edf" for k in range(5)]


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".edf"])
def test_files_of_other_kinds(tmp_path, frames, corrector, suffix):
    from pyfai_gridcal.io.kinds.rasters import read_raster

    np.save(tmp_path / "in.npy", frames[0])
    correct_files([tmp_path / "in.npy"], corrector, [tmp_path / f"out{suffix}"])
    assert np.array_equal(read_raster(tmp_path / f"out{suffix}")[0], corrector(frames[0]), equal_nan=True)


def test_interrupted_files_are_not_done_twice(tmp_path, frames, corrector):
    names = make_files(tmp_path, frames)
    out = tmp_path / "out"
    out.mkdir()
    targets = [out / os.path.basename(n) for n in names]

    def stop(fraction, text):
        if "image 3 " in text:
            raise Stop

    with pytest.raises(Stop):
        correct_files(names, corrector, targets, key="k", progress=stop, workers=1)
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("*.edf")}
    assert len(before) == 3
    targets[1].write_text("changed by somebody")
    done = correct_files(names, corrector, targets, key="k")
    assert (done.frames, done.resumed) == (3, 2)
    assert targets[0].stat().st_mtime_ns == before["in_0.edf"]


def test_files_that_cannot_be(tmp_path, frames, corrector):
    names = make_files(tmp_path, frames)
    with pytest.raises(UsageError, match="same file"):
        correct_files(names[:2], corrector, [tmp_path / "a.edf"] * 2)
    with pytest.raises(UsageError, match=r"a\.jpg"):
        correct_files(names[:1], corrector, [tmp_path / "a.jpg"])
    np.save(tmp_path / "stack.npy", frames)
    with pytest.raises(ImageError, match="frames"):
        correct_files([tmp_path / "stack.npy"], corrector, [tmp_path / "a.edf"])


def test_errors_are_ours(stack, corrector, tmp_path):
    with pytest.raises(GridcalError):
        correct_stack([tmp_path / "missing.h5"], corrector, tmp_path / "out.h5")
    with pytest.raises(GridcalError, match="pixels"):
        correct_stack([stack], Corrector(build_table(wave((50, 60)))), tmp_path / "out.h5")
